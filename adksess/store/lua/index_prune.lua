-- Drop ids from a user's index whose session is gone: expired, or deleted by hand.
--
-- KEYS  1 the user's index; on a single server also the document of each id
-- ARGV  on a single server the ids, in the order of their documents
-- On a cluster, where the documents are on other nodes and could come back meanwhile, only what
-- has expired is dropped.
local index = KEYS[1]
if #KEYS == 1 then
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. redis.call('TIME')[1])
end
for i, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    redis.call('ZREM', index, id)
  end
end
return 1
