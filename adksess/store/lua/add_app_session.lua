-- Add a session to its app's recency index, or raise its score; a higher one stays.
--
-- KEYS  1 app index
-- ARGV  1 member  2 second of the last update, -1 for now
local index, member, second = KEYS[1], ARGV[1], tonumber(ARGV[2])
if second < 0 then
  second = server_time()
end
local score = redis.call('ZSCORE', index, member)
if not score or tonumber(score) < second then
  redis.call('ZADD', index, string.format('%.0f', second), member)
end
return 1
