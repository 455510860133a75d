-- Drop ids from a user's index, whose sessions are gone. What is no index is left alone.
--
-- KEYS  1 the user's index
-- ARGV  ids
for _, id in ipairs(ARGV) do
  local dropped = redis.pcall('ZREM', KEYS[1], id)
  if type(dropped) == 'table' then
    return string.find(dropped.err, 'WRONGTYPE', 1, true) and 1 or dropped
  end
end
return 1
