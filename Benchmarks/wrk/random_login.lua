-- Signs in as a random user. Argument: a file with one value of the Authorization header per line.
require "report"

local logins = {}

function init(arguments)
   for line in io.lines(arguments[1]) do logins[#logins + 1] = line end
   math.randomseed(1)
end

function request()
   return wrk.format(nil, nil, { Authorization = logins[math.random(#logins)] })
end
