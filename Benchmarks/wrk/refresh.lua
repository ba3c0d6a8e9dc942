-- Renews sessions: each thread has one, and presents the refresh token that the answer before gave
-- it. Argument: a file with the first token of each thread's session, one per line.
require "failures"

function init(arguments)
   local tokens = {}
   for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
   token = tokens[number]
   failed = 0
   wrk.method = "PUT"
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   return wrk.format(nil, nil, nil, '{"refresh_token":"' .. token .. '"}')
end

function response(status, headers, body)
   local successor = status == 200 and body:match('"refresh_token":"([^"]+)"')
   if successor then token = successor else failed = failed + 1 end
end
