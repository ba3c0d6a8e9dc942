-- Guesses passwords, all from one network. What counts as a request is a guess that is refused
-- without being tried (429). A few are tried (401): the first, and one whenever the network has
-- waited long enough. Argument: a file with one value of the Authorization header per line, of
-- wrong passwords.
require "report"

local threads = {}

function setup(thread) threads[#threads + 1] = thread end

local guesses = {}

function init(arguments)
   for line in io.lines(arguments[1]) do guesses[#guesses + 1] = line end
   math.randomseed(1)
   refused, failed = 0, 0
end

function request()
   return wrk.format(nil, nil, {
      Authorization = guesses[math.random(#guesses)],
      ["X-Forwarded-For"] = "203.0.113.1", -- not of the network that everybody else of the run comes from
   })
end

function response(status)
   if status == 429 then
      refused = refused + 1
   elseif status ~= 401 then
      failed = failed + 1
   end
end

local report = done

function done(summary, latency)
   summary.requests, summary.errors.status = 0, 0
   for _, thread in ipairs(threads) do
      summary.requests = summary.requests + thread:get("refused")
      summary.errors.status = summary.errors.status + thread:get("failed")
   end
   report(summary, latency)
end
