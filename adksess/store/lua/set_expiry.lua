-- Set when a session expires.
--
-- KEYS  1 session document; on a single server also 2 user index
-- ARGV  1 TTL in ms, 0 for never  2 session id
-- Returns 1 done, 0 no such session.
local session, index = KEYS[1], KEYS[2]
local ttl_ms, id = math.min(tonumber(ARGV[1]), MAX_TTL_MS), ARGV[2]

if redis.call('EXISTS', session) == 0 then
  return 0
end
if index then
  local rejected = rejection({
    {session, 'string', ttl_ms > 0 and 'PEXPIRE' or 'PERSIST'},
    {index, 'zset', 'ZADD', ttl_ms > 0 and 'PEXPIREAT' or 'PERSIST'},
  })
  if rejected then
    return rejected
  end
  add_to_user(index, id, ttl_ms > 0 and ttl_ms or -1)
end
if ttl_ms > 0 then
  redis.call('PEXPIRE', session, string.format('%.0f', ttl_ms))
else
  redis.call('PERSIST', session)
end
return 1
