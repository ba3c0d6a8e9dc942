-- Numbers the threads from 1 on, as `number`, and counts as failed what each of them counts as
-- `failed`: wrk alone takes anything below 400 for a success.
require "report"

local threads = {}

function setup(thread)
   threads[#threads + 1] = thread
   thread:set("number", #threads)
end

local report = done

function done(summary, latency)
   summary.errors.status = 0
   for _, thread in ipairs(threads) do
      summary.errors.status = summary.errors.status + thread:get("failed")
   end
   report(summary, latency)
end
