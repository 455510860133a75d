-- Create a session. If it exists already, nothing is written.
--
-- KEYS  1 session document; on a single server also 2 user index, 3 app index, 4 set of apps,
--       5 app state, 6 user state
-- ARGV  1 document, with any times of 32 characters for created_at and updated_at  2 TTL in ms,
--       0 for none  3 session id  4 member of the app index  5 app name  6 '1' for a retry
--       7 number of app index entries to return  8 number of app state entries  9 number of user
--       state entries, then field and JSON value of each entry
-- Returns {1 created or 0 exists, created_at, second of created_at, ids in the user's index that
-- have expired, random members of the app index, random apps}. Entries may be stale: the caller
-- checks some, so that an index that is never read does not grow.
local session, index, app_index, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local app_state, user_state = KEYS[5], KEYS[6]
local document, ttl_ms, id, member, app = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local is_retry, samples = ARGV[6] == '1', tonumber(ARGV[7])
local app_entries, user_entries = tonumber(ARGV[8]), tonumber(ARGV[9])
local sub = string.sub

local _, created_open = string.find(document, '\n},"created_at":"', 1, true)
local _, updated_open = string.find(document, ',"updated_at":"', created_open + 32, true)

local function with_time(time)
  return table.concat({
    sub(document, 1, created_open), time, sub(document, created_open + 33, updated_open), time,
    sub(document, updated_open + 33),
  })
end

if redis.call('EXISTS', session) == 1 then
  local created_at = is_retry and redis.call('GETRANGE', session, created_open, created_open + 31)
  if is_retry and redis.call('GET', session) == with_time(created_at) then
    return {1, created_at, server_time(), {}, {}, {}}
  end
  return {0, '', 0, {}, {}, {}}
end

ttl_ms = math.min(ttl_ms, MAX_TTL_MS)
if index then
  local writes = index_writes(index, app_index, apps, ttl_ms)
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
end

local seconds, micros = server_time()
local created_at = iso_time(seconds, micros)
local expired, sample, sampled_apps = {}, {}, {}
if index then  -- reads come before the first write: an error then changes nothing
  expired = redis.call('ZRANGEBYSCORE', index, '-inf', '(' .. seconds, 'LIMIT', 0, 20)
  if samples > 0 then
    sample = redis.call('ZRANDMEMBER', app_index, samples)
    sampled_apps = redis.call('SRANDMEMBER', apps, 16)
  end
end
-- First the write that may still fail, for lack of memory.
if ttl_ms > 0 then
  redis.call('SET', session, with_time(created_at), 'PX', string.format('%.0f', ttl_ms))
else
  redis.call('SET', session, with_time(created_at))
end
if index then
  add_to_user(index, id, ttl_ms > 0 and ttl_ms or -1)
  add_to_app(app_index, apps, member, app, seconds)
end
local entry = 10
for _ = 1, app_entries do
  redis.call('HSET', app_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
for _ = 1, user_entries do
  redis.call('HSET', user_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
return {1, created_at, seconds, expired, sample, sampled_apps}
