-- Remove members from an app's recency index whose session does not exist, and the app from the
-- set of apps with the last one.
--
-- KEYS  1 app index  2 set of apps, then the document of each member
-- ARGV  1 app name  2 length of what the keys of the app's documents start with; members follow it
-- Returns how many were removed.
local index, apps, start, removed = KEYS[1], KEYS[2], tonumber(ARGV[2]) + 1, 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    removed = removed + redis.call('ZREM', index, string.sub(KEYS[i], start))
  end
end
if removed > 0 and redis.call('EXISTS', index) == 0 then
  redis.call('SREM', apps, ARGV[1])
end
return removed
