-- Set when a session expires.
--
-- KEYS  1 session document; on a single server also 2 the user's index
-- ARGV  1 TTL in ms, 0 for never  2 session id
-- Returns 1 done, 0 no such session.
local session, index = KEYS[1], KEYS[2]
local ttl_ms, id = tonumber(ARGV[1]), ARGV[2]

if redis.call('EXISTS', session) == 0 then
  return 0
end
if ttl_ms > 0 then
  redis.call('PEXPIRE', session, ttl_ms)
else
  redis.call('PERSIST', session)
end
if index then
  index_session(index, id, ttl_ms)
end
return 1
