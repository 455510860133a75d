-- Add a session to its app's recency index, or change its score.
--
-- KEYS  1 app index
-- ARGV  1 member  2 second of the last update, '' for now  3 '1' to keep a higher score
-- Returns 1 if the index holds other sessions, or held this one.
local index, member, second, keeps_higher = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
if not second then
  second = server_time()
end
local score = keeps_higher and redis.call('ZSCORE', index, member)
local added = 0
if not score or tonumber(score) < second then
  added = redis.call('ZADD', index, string.format('%.0f', second), member)
end
return #redis.call('ZREVRANGE', index, 0, 1) > added and 1 or 0
