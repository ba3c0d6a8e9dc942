-- Renews sessions: each thread has one, and presents the refresh token that the answer before gave it.
-- Argument: a file with the first token of each thread's session, one per line.
require "report"

local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
   thread:set("number", #threads)
end

function init(arguments)
   local tokens = {}
   for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
   token = tokens[number]
   refused = 0
   wrk.method = "PUT"
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   return wrk.format(nil, nil, nil, '{"refresh_token":"' .. token .. '"}')
end

function response(status, headers, body)
   local successor = status == 200 and body:match('"refresh_token":"([^"]+)"')
   if successor then token = successor else refused = refused + 1 end
end

local report = done

-- Only a 200 with a token is a success here; wrk alone takes anything below 400 for one.
function done(summary, latency)
   summary.errors.status = 0
   for _, thread in ipairs(threads) do
      summary.errors.status = summary.errors.status + thread:get("refused")
   end
   report(summary, latency)
end
