-- Signs in as random users: half from where they have signed in before, half from networks that
-- nobody has come from, and of these one in four with a wrong password. Any other answer than the
-- right one is a failure. Each thread has one connection, or it would not know which answer is to
-- which request. Arguments: two files with one value of the Authorization header per line, of right
-- and of wrong passwords.
require "failures"

local function lines(file)
   local lines = {}
   for line in io.lines(file) do lines[#lines + 1] = line end
   return lines
end

local logins, guesses
local expected

function init(arguments)
   logins, guesses = lines(arguments[1]), lines(arguments[2])
   -- No run comes from where another has come from.
   math.randomseed(os.time() * 100 + number)
   failed = 0
end

local function stranger()
   return string.format("10.%d.%d.1", math.random(0, 255), math.random(0, 255))
end

function request()
   local kind = math.random(8)
   expected = kind == 1 and 401 or 200
   local headers = kind <= 4 and { ["X-Forwarded-For"] = stranger() } or {}
   local values = kind == 1 and guesses or logins
   headers.Authorization = values[math.random(#values)]
   return wrk.format(nil, nil, headers)
end

function response(status)
   if status ~= expected then failed = failed + 1 end
end
