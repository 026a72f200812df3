-- Posts the files of the arguments in turn: content type, then files. Prints what it measured as JSON on a last line.
local requests, turn = {}, 0

function init(arguments)
  for place = 2, #arguments do
    local file = assert(io.open(arguments[place], "rb"))
    requests[place - 1] = wrk.format("POST", nil, {["Content-Type"] = arguments[1]}, file:read("*a"))
    file:close()
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    '{"seconds": %.6f, "requests": %d, "refused": %d, "broken": %d, "mean": %.1f, "p50": %.1f, "p99": %.1f}',
    summary.duration / 1e6, summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency.mean, latency:percentile(50), latency:percentile(99)))
end
