-- Append one event: write its line and a new tail over the old tail. The history is read only if
-- the event is not newer than the newest one, and so may be a duplicate.
--
-- KEYS  1 session document; on a single server also 2 user index, 3 app index, 4 set of apps; with
--       app or user state entries also 5 app state, 6 user state
-- ARGV  1 event, compact JSON  2 its timestamp, JSON number  3 title if the event has one, JSON
--       4 session id  5 member of the app index  6 app name  7 numbers, separated by spaces: the
--       service's TTL in ms (0 for none), bytes of history to search for a duplicate, expected
--       event count (-1 for any), number of session, app and user state entries (one argument,
--       because each costs time in redis-py and in Redis)
--       then key and value of each entry: session keys as JSON, app and user fields as they are
-- Returns {code, event count, second, TTL in ms}; code 1 stored, 2 duplicate (nothing written),
-- 0 no such session, -1 not in our layout, -2 unexpected event count, -3 the document is at the
-- server's size limit. On a cluster the caller writes the indexes if `second` is not 0, also for the
-- duplicate that a retry finds: it is the score in the app index. A TTL of -1 never expires.
local session, index, app_index, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local app_state, user_state = KEYS[5], KEYS[6]
local event, stamp, title, id, member, app = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local service_ttl, lookback, expected, session_entries, app_entries, user_entries =
  string.match(ARGV[7], '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)')
local find, sub = string.find, string.sub
local TAIL_OPEN, STATE_CLOSE, NO_TITLE = '\n],"state":{', '\n},"created_at":', ',"title":""'
local FEW = 8

-- merge(state, entry, count): the lines of a state with entries from ARGV set. Few entries are
-- searched for one by one, which is quicker than a loop over the lines; for many, one pass finds
-- all: the cost is linear in the state and the entries.
local function merge(state, entry, count)
  local places, added = {}, {}
  if count <= FEW then
    for i = entry, entry + 2 * count - 2, 2 do
      local _, colon = find(state, '\n' .. ARGV[i] .. ':', 1, true)
      if colon then
        places[#places + 1] = {colon, find(state, ',\n', colon, true) or #state + 1, ARGV[i + 1]}
      else
        added[#added + 1] = ARGV[i] .. ':' .. ARGV[i + 1]
      end
    end
    table.sort(places, function(a, b) return a[1] < b[1] end)
  else
    local values = {}
    for i = entry, entry + 2 * count - 2, 2 do
      values[ARGV[i]] = ARGV[i + 1]
    end
    local newline = 1
    while newline <= #state do
      local next_line = find(state, '\n', newline + 1, true) or #state + 2
      local quote = find(state, '["\\]', newline + 2)
      while string.byte(state, quote) == 92 do  -- a backslash
        quote = find(state, '["\\]', quote + 2)
      end
      local key = sub(state, newline + 1, quote)
      if values[key] then
        places[#places + 1] = {quote + 1, next_line - 1, values[key]}
        values[key] = nil
      end
      newline = next_line
    end
    for i = entry, entry + 2 * count - 2, 2 do
      if values[ARGV[i]] then
        added[#added + 1] = ARGV[i] .. ':' .. ARGV[i + 1]
      end
    end
  end
  local parts, from = {}, 1
  for _, place in ipairs(places) do
    parts[#parts + 1] = sub(state, from, place[1])
    parts[#parts + 1] = place[3]
    from = place[2]
  end
  parts[#parts + 1] = sub(state, from)
  if #added > 0 then
    parts[#parts + 1] = (state == '' and '\n' or ',\n') .. table.concat(added, ',\n')
  end
  return table.concat(parts)
end

local length = redis.call('STRLEN', session)
if length == 0 then
  return {0, 0, 0, 0}
end
local tail = redis.call('GETRANGE', session, -1024, -1)
local width = tonumber(string.match(tail, '"tail_bytes": *(%d+)}$', -25) or length + 1)
if width > length then
  return {-1, 0, 0, 0}
end
local start = length - width
if width <= #tail then
  tail = sub(tail, -width)
else
  tail = redis.call('GETRANGE', session, start, -1)
end
local close = find(tail, STATE_CLOSE, 1, true)
if not close or sub(tail, 1, #TAIL_OPEN) ~= TAIL_OPEN then
  return {-1, 0, 0, 0}
end
local created, updated, newest, count = string.match(
  tail,
  '^(.-),"updated_at":"([^"]*)","newest_event_time": *([^,]+),.-"event_count": *(%d+), *"tail_bytes"',
  close + #STATE_CLOSE
)
count = tonumber(count)
if not count then
  return {-1, 0, 0, 0}
end

local is_newest = tonumber(stamp) > tonumber(newest)
if count > 0 and not is_newest then
  local from = math.max(0, start - lookback - #event - 1)
  local recent = redis.call('GETRANGE', session, from, start - 1)
  if find(recent, '\n' .. event, 1, true) then
    local second = server_time()
    return {2, count, second, redis.call('PTTL', session)}
  end
end
if tonumber(expected) >= 0 and tonumber(expected) ~= count then
  return {-2, count, 0, 0}
end

local seconds, micros = server_time()
local updated_at = iso_time(seconds, micros)
local is_new_second = sub(updated, 1, 19) ~= sub(updated_at, 1, 19)

-- Extend the expiry, never shorten it, nor set one on a session made persistent. Within a hundredth
-- of the TTL (at most 10 s) of the full time it is not changed: a burst of events pays for it once.
local own_ttl = string.match(created, '^"[^"]*","ttl":(%d+)')
local ttl_ms = math.min(own_ttl and own_ttl * 1000 or tonumber(service_ttl), MAX_TTL_MS)
local left = redis.call('PTTL', session)
local extends = left >= 0 and ttl_ms > 0 and left < ttl_ms - math.min(ttl_ms / 100, 10000)
if extends then
  left = ttl_ms
end
-- The entry in the user's index may be missing or expire too early (by a second or more), after an
-- EXPIRE or PERSIST by hand.
local adds_to_user = false
if index then
  local score = redis.call('ZSCORE', index, id)
  adds_to_user = extends or not score or score ~= 'inf'
    and (left < 0 or tonumber(score) < seconds + left / 1000 - 1)
end

session_entries, app_entries = tonumber(session_entries), tonumber(app_entries)
user_entries = tonumber(user_entries)
local writes = {}
if extends then
  writes[1] = {session, 'string', 'PEXPIRE'}
end
if adds_to_user then
  writes[#writes + 1] = {index, 'zset', 'ZADD', left < 0 and 'PERSIST' or 'PEXPIREAT'}
end
if app_index and is_new_second then
  writes[#writes + 1] = {app_index, 'zset', 'ZADD'}
  writes[#writes + 1] = {apps, 'set', 'SADD'}
end
if app_entries > 0 then
  writes[#writes + 1] = {app_state, 'hash', 'HSET'}
end
if user_entries > 0 then
  writes[#writes + 1] = {user_state, 'hash', 'HSET'}
end
local rejected = rejection(writes)
if rejected then
  return rejected
end

local state = sub(tail, #TAIL_OPEN + 1, close - 1)
if session_entries > 0 then
  state = merge(state, 8, session_entries)
end
if title ~= '' and sub(created, -#NO_TITLE) == NO_TITLE then
  created = sub(created, 1, -3) .. title
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
-- First the write that may still fail: for lack of memory, or at the server's size limit.
local written = redis.pcall('SETRANGE', session, start, table.concat({
  comma, event, TAIL_OPEN, state, STATE_CLOSE, created, footer, string.rep(' ', blanks),
  string.format('"tail_bytes":%11d}', tail_bytes + blanks),
}))
if type(written) == 'table' then
  if find(written.err, 'maximum allowed size', 1, true) then
    return {-3, count, 0, 0}
  end
  return written
end
if extends then
  redis.call('PEXPIRE', session, ttl_ms)
end
if adds_to_user and add_to_user(index, id, left) == 1 then
  -- The user's index was deleted, evicted, or had expired: it may lack other sessions, too.
  redis.pcall('SADD', apps, '\254')  -- not worth losing the write where ACLs forbid it
end
if app_index and is_new_second then
  add_to_app(app_index, apps, member, app, seconds)
end
local entry = 8 + 2 * session_entries
for _ = 1, app_entries do
  redis.call('HSET', app_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
for _ = 1, user_entries do
  redis.call('HSET', user_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
return {1, count + 1, (extends or is_new_second) and seconds or 0, left}
