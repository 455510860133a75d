-- Replace a document if it is still the one that was read, keeping its expiry.
--
-- KEYS  1 session document; on a single server also 2 user index, 3 app index, 4 set of apps
-- ARGV  1 length of the value that was read  2 its end: the tail, which holds the time of the last
--       update, or all of a value that is not in our layout  3 the new value  4 session id
--       5 member of the app index  6 app name  7 second of the last update
-- Returns {1 replaced, 2 the new value is stored already, 0 it has changed; TTL in ms}.
local session, index, app_index, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ending, value = ARGV[2], ARGV[3]

local function is_stored(length, tail)
  return redis.call('STRLEN', session) == length
    and redis.call('GETRANGE', session, length - #tail, -1) == tail
end

local left = redis.call('PTTL', session)
if not is_stored(tonumber(ARGV[1]), ending) then
  return {is_stored(#value, string.sub(value, -65536)) and 2 or 0, left}
end
if index then
  local rejected = rejection({
    {index, 'zset', 'ZADD', left > 0 and 'PEXPIREAT' or 'PERSIST'},
    {app_index, 'zset', 'ZADD'},
    {apps, 'set', 'SADD'},
  })
  if rejected then
    return rejected
  end
end
redis.call('SET', session, value, 'KEEPTTL')
if index then
  add_to_user(index, ARGV[4], left)
  add_to_app(app_index, apps, ARGV[5], ARGV[6], tonumber(ARGV[7]))
end
return {1, left}
