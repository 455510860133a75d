-- Prelude of every script that changes when a session expires.
--
-- index_session(index, id, ttl_ms): note in the user's index when a session expires (ttl_ms 0:
-- never). The index itself expires with the last session in it.
local function index_session(index, id, ttl_ms)
  local score = '+inf'
  if ttl_ms > 0 then
    local now = redis.call('TIME')
    score = string.format('%.3f', now[1] + now[2] / 1000000 + ttl_ms / 1000)
  end
  redis.call('ZADD', index, score, id)
  local latest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
  if latest == 'inf' then
    redis.call('PERSIST', index)
  else
    redis.call('PEXPIREAT', index, string.format('%.0f', math.ceil(latest * 1000)))
  end
end
