-- Append one event: write its line and a new tail over the old tail. The history is not read,
-- unless the event is no newer than the newest one and so may be a re-delivery.
--
-- KEYS  1 session document; on a single server also 2 the user's index, and with app or user state
--       entries 3 app state, 4 user state
-- ARGV  1 event, compact JSON  2 its timestamp, JSON number  3 updated_at, ISO text
--       4 session id  5 numbers, a blank between each: the service's TTL in ms (0 for none),
--       bytes to look back for a re-delivery, the event count that is expected (-1 for any),
--       how many entries of session, app and user state
--       then key and value of each entry: session keys as JSON, app and user fields as they are
-- Returns {code, event count, new TTL in ms or 0}; code 1 stored, 2 re-delivered (nothing
-- written), 0 no such session, -1 not in our layout, -2 the history has moved on.
local session, index, app_state, user_state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local event, stamp, updated_at, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local service_ttl, lookback, expected, sessions, apps, users =
  string.match(ARGV[5], '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)')
local TAIL_OPEN, STATE_CLOSE = '\n],"state":{', '\n},"created_at":'

local length = redis.call('STRLEN', session)
if length == 0 then
  return {0, 0, 0}
end
local tail = redis.call('GETRANGE', session, -1024, -1)
local width = tonumber(string.match(tail, '"tail_bytes": *(%d+)}$', -25) or length + 1)
if width > length then
  return {-1, 0, 0}
end
local start = length - width
if width <= #tail then
  tail = string.sub(tail, -width)
else
  tail = redis.call('GETRANGE', session, start, -1)
end
local close = string.find(tail, STATE_CLOSE, 1, true)
if not close or string.sub(tail, 1, #TAIL_OPEN) ~= TAIL_OPEN then
  return {-1, 0, 0}
end
local created, newest, count = string.match(
  tail, '^(.-),"updated_at":.-,"newest_event_time": *([^,]+),.-"event_count": *(%d+), *"tail_bytes"',
  close + #STATE_CLOSE
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
if tonumber(expected) >= 0 and tonumber(expected) ~= count then
  return {-2, count, 0}
end

local state = string.sub(tail, #TAIL_OPEN + 1, close - 1)
local entry = 6
for _ = 1, tonumber(sessions) do
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
local ttl_ms = own_ttl and own_ttl * 1000 or tonumber(service_ttl)
local left = ttl_ms > 0 and redis.call('PTTL', session) or -1
if left < 0 or left >= ttl_ms - math.min(ttl_ms / 100, 10000) then
  ttl_ms = 0
else
  if index then
    index_session(index, id, ttl_ms)
  end
  redis.call('PEXPIRE', session, ttl_ms)
end

for _ = 1, tonumber(apps) do
  redis.call('HSET', app_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
for _ = 1, tonumber(users) do
  redis.call('HSET', user_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end

local comma = count == 0 and '\n' or ',\n'
local footer = string.format(
  ',"updated_at":"%s","newest_event_time":%20s,"last_update_time":%20s,"event_count":%10d,',
  updated_at, is_newest and stamp or newest, stamp, count + 1
)
local tail_bytes = #TAIL_OPEN + #state + #STATE_CLOSE + #created + #footer + 25
-- A value never gets shorter in place: when the state has shrunk by more than the event is long,
-- blanks fill the difference, and the next events use them up.
local blanks = math.max(0, width - #comma - #event - tail_bytes)
redis.call('SETRANGE', session, start, table.concat({
  comma, event, TAIL_OPEN, state, STATE_CLOSE, created, footer, string.rep(' ', blanks),
  string.format('"tail_bytes":%11d}', tail_bytes + blanks),
}))
return {1, count + 1, ttl_ms}
