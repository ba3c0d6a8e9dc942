-- Reads a user by a random id. Argument: how many users there are.
require "report"

local users

function init(arguments)
   users = tonumber(arguments[1])
   math.randomseed(1)
end

function request()
   return wrk.format(nil, "/api/users/" .. math.random(users))
end
