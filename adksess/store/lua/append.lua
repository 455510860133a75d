-- Append one event: write its line and a new tail over the old tail. The history is not read,
-- unless the event is no newer than the newest one and so may be a re-delivery.
--
-- KEYS  1 session document; on a single server also 2 the user's index, 3 app state, 4 user state
-- ARGV  1 event, compact JSON  2 its timestamp, JSON number  3 updated_at, ISO text
--       4 the service's TTL in ms, 0 for none  5 bytes to look back for a re-delivery
--       6 the event count that is expected, -1 for any  7 session id
--       8 number of session, 9 of app, 10 of user state entries
--       then key and value of each entry: session keys as JSON, app and user fields as they are
-- Returns {code, event count, new TTL in ms or 0}; code 1 stored, 2 re-delivered (nothing
-- written), 0 no such session, -1 not in our layout, -2 the history has moved on.
local session, index, app_state, user_state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local event, stamp, updated_at = ARGV[1], ARGV[2], ARGV[3]
local service_ttl, lookback, expected = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local id = ARGV[7]
local TAIL_OPEN, STATE_CLOSE = '\n],"state":{', '\n},"created_at":'

local length = redis.call('STRLEN', session)
if length == 0 then
  return {0, 0, 0}
end
local ending = redis.call('GETRANGE', session, -25, -1)
local width = tonumber(string.match(ending, '^"tail_bytes": *(%d+)}$') or length + 1)
if width > length then
  return {-1, 0, 0}
end
local start = length - width
local tail = redis.call('GETRANGE', session, start, -1)
local close = string.find(tail, STATE_CLOSE, 1, true)
if not close or string.sub(tail, 1, #TAIL_OPEN) ~= TAIL_OPEN then
  return {-1, 0, 0}
end
local created, newest, count = string.match(
  string.sub(tail, close + #STATE_CLOSE),
  '^(.-),"updated_at":.-,"newest_event_time": *([^,]+),.-"event_count": *(%d+), *"tail_bytes"'
)
count = tonumber(count)
if not count then
  return {-1, 0, 0}
end

local is_newest = tonumber(stamp) > tonumber(newest)
if count > 0 and not is_newest then
  local from = math.max(0, start - lookback - #event - 1)
  local recent = redis.call('GETRANGE', session, from, start - 1)
  if string.find(recent, '\n' .. event, 1, true) then
    return {2, count, 0}
  end
end
if expected >= 0 and expected ~= count then
  return {-2, count, 0}
end

local state = string.sub(tail, #TAIL_OPEN + 1, close - 1)
local entry = 11
for _ = 1, tonumber(ARGV[8]) do
  local label, value = '\n' .. ARGV[entry] .. ':', ARGV[entry + 1]
  local _, found = string.find(state, label, 1, true)
  if found then
    local rest = string.find(state, ',\n', found, true) or #state + 1
    state = string.sub(state, 1, found) .. value .. string.sub(state, rest)
  else
    state = state .. (state == '' and '' or ',') .. label .. value
  end
  entry = entry + 2
end
-- Extend the expiry, never shorten it, nor set one on a session made persistent. Within a hundredth
-- of the TTL (at most 10 s) of the full time it is left alone: a burst of events pays for it once.
-- SETRANGE keeps an expiry, and the index is written before the document.
local own_ttl = string.match(created, '"ttl":(%d+)')
local ttl_ms = own_ttl and own_ttl * 1000 or service_ttl
local left = ttl_ms > 0 and redis.call('PTTL', session) or -1
if left < 0 or left >= ttl_ms - math.min(ttl_ms / 100, 10000) then
  ttl_ms = 0
else
  if index then
    index_session(index, id, ttl_ms)
  end
  redis.call('PEXPIRE', session, ttl_ms)
end

for _ = 1, tonumber(ARGV[9]) do
  redis.call('HSET', app_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
for _ = 1, tonumber(ARGV[10]) do
  redis.call('HSET', user_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end

local line = (count == 0 and '\n' or ',\n') .. event
local body = table.concat({
  TAIL_OPEN, state, STATE_CLOSE, created,
  ',"updated_at":"', updated_at,
  '","newest_event_time":', string.format('%20s', is_newest and stamp or newest),
  ',"last_update_time":', string.format('%20s', stamp),
  ',"event_count":', string.format('%10d', count + 1), ',',
})
local tail_bytes = #body + 25
-- A value never gets shorter in place: when the state has shrunk by more than the event is long,
-- blanks fill the difference, and the next events use them up.
local blanks = math.max(0, length - start - #line - tail_bytes)
redis.call('SETRANGE', session, start, table.concat({
  line, body, string.rep(' ', blanks), '"tail_bytes":', string.format('%11d}', tail_bytes + blanks),
}))
return {1, count + 1, ttl_ms}
