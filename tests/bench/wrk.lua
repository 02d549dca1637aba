-- The script that drives wrk: pre-signed request targets from a file, each thread its own slice of them, in order.
-- Arguments after "--": key=value pairs (method, host, targets, body, threads, once, linger, prebuild, out).
-- Traps this script knows: wrk calls request() once in its first thread before the clock runs and never sends the result;
-- wrk.format builds the header anew for every request, so the head is joined here from two constants; a `response` function would
-- make wrk copy every header and body into Lua, so statuses are left to wrk's own counters (status > 399) and bytes to the caller.

local ffi = require("ffi")
ffi.cdef [[
typedef struct { long tv_sec; long tv_nsec; } bench_timespec;
int clock_gettime(int clock, bench_timespec *out);
]]

local all_threads = {}

function setup(thread)
  thread:set("slot", #all_threads)
  table.insert(all_threads, thread)
end

local function now_us()
  local spec = ffi.new("bench_timespec")
  ffi.C.clock_gettime(1, spec)
  return tonumber(spec.tv_sec) * 1e6 + tonumber(spec.tv_nsec) / 1e3
end

local function read_all(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

local options, requests, head_end = {}, {}, ""
local position, skipped, stopping = 0, false, false
started_us, finished_us, exhausted = 0, 0, false
overran, out_path = 0, ""

function init(arguments)
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w+)=(.*)$")
    if name then options[name] = value end
  end
  out_path = options.out
  local body = ""
  if options.body ~= nil and options.body ~= "" then body = read_all(options.body) end
  local head = " HTTP/1.1\r\nHost: " .. options.host .. "\r\n"
  if options.method == "PUT" then head = head .. "Content-Length: " .. #body .. "\r\n" end
  head_end = head .. "\r\n" .. body
  local threads, line_number = tonumber(options.threads), 0
  for target in io.lines(options.targets) do
    if line_number % threads == slot then
      local line = options.method .. " " .. target
      if options.prebuild == "yes" then line = line .. head_end end
      requests[#requests + 1] = line
    end
    line_number = line_number + 1
  end
end

function request()
  if slot == 0 and not skipped then -- wrk's trial, never sent
    skipped = true
    return options.method .. " / HTTP/1.1\r\nHost: " .. options.host .. "\r\n\r\n"
  end
  if started_us == 0 then started_us = now_us() end
  position = position + 1
  if position > #requests then
    overran = overran + 1
    if options.once == "yes" and not stopping then
      stopping, exhausted, finished_us = true, true, now_us()
      wrk.thread:stop()
    end
    position = 1
  end
  if options.prebuild == "yes" then return requests[position] end
  return requests[position] .. head_end
end

function done(summary, latency, _)
  local seconds, is_exhausted, times_overran = 0, false, 0
  for _, thread in ipairs(all_threads) do
    if thread:get("exhausted") then
      is_exhausted = true
      seconds = math.max(seconds, (thread:get("finished_us") - thread:get("started_us")) / 1e6)
    end
    times_overran = times_overran + thread:get("overran")
  end
  if not is_exhausted then seconds = summary.duration / 1e6 end
  local errors = summary.errors
  local out = assert(io.open(all_threads[1]:get("out_path"), "w"))
  out:write(string.format(
    '{"requests":%d,"seconds":%.6f,"bytes_read":%.0f,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,"overran":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
    summary.requests, seconds, summary.bytes, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    times_overran, errors.connect, errors.read, errors.write, errors.timeout, errors.status))
  out:close()
end
