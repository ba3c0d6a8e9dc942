-- Registers a new user with every request. Argument: a prefix that no earlier run has used.
require "report"

local prefix
local count = 0

function init(arguments)
   prefix = arguments[1]
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   count = count + 1
   local body = string.format('{"username":"%s-%d","password":"python"}', prefix, count)
   return wrk.format(nil, nil, nil, body)
end
