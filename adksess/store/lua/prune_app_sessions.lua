-- Remove members from an app's recency index whose session does not exist, and the app from the
-- set of apps with the last one.
--
-- KEYS  1 app index  2 set of apps, then the document of each member
-- ARGV  1 app name, then the members
-- Returns how many were removed.
local index, apps, removed = KEYS[1], KEYS[2], 0
for i = 2, #ARGV do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    removed = removed + redis.call('ZREM', index, ARGV[i])
  end
end
if removed > 0 and redis.call('EXISTS', index) == 0 then
  redis.call('SREM', apps, ARGV[1])
end
return removed
