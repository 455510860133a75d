-- Put a whole document at a session's key, unless another document stands there.
--
-- KEYS  1 session document; on a single server also 2 the user's index
-- ARGV  1 document  2 TTL in ms, 0 for none  3 session id  4 '1' to replace what stands there
-- Returns 1 stored, 2 replaced, 3 the same document stood there, 0 another does and is kept, -1 a
-- value that is no document does. What stood there keeps its expiry, unless it may be replaced.
local session, index = KEYS[1], KEYS[2]
local document, ttl_ms, id, replaces = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'

local there = redis.pcall('GET', session)
if type(there) == 'table' then
  return -1
end
if there and not replaces then
  if there ~= document then
    return 0
  end
  if index then
    index_session(index, id, math.max(0, redis.call('PTTL', session)))
  end
  return 3
end
if index then
  index_session(index, id, ttl_ms)
end
if ttl_ms > 0 then
  redis.call('SET', session, document, 'PX', ttl_ms)
else
  redis.call('SET', session, document)
end
return not there and 1 or there == document and 3 or 2
