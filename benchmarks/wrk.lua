-- Sends the bodies of a file (one per line) in order, repeats them from the beginning, and prints the result as JSON.
-- Arguments: the file, the number of the first body, the value of Authorization.

local bodies, position, head = {}, 0, nil

function init(arguments)
   for line in io.lines(arguments[1]) do
      bodies[#bodies + 1] = line
   end
   position = tonumber(arguments[2])
   head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: " .. arguments[3]
      .. "\r\nContent-Type: application/json\r\nContent-Length: "
end

function request()
   position = position % #bodies + 1
   local body = bodies[position]
   return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency, requests)
   local failed = 0
   for _, count in pairs(summary.errors) do
      failed = failed + count
   end
   io.write(string.format(
      'JSON {"requests": %d, "failed": %d, "seconds": %f, "p50": %f, "p99": %f}\n',
      summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
   ))
end
