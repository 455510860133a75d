-- Remove members from an index, each if its score is still as given. A key of another type is
-- not changed.
--
-- KEYS  1 index
-- ARGV  member and score ('' for any) of each
local index = KEYS[1]
for i = 1, #ARGV, 2 do
  local score = redis.pcall('ZSCORE', index, ARGV[i])
  if type(score) == 'table' then
    return string.find(score.err, 'WRONGTYPE', 1, true) and 0 or score
  end
  local expected = ARGV[i + 1]
  if score and (expected == '' or score == expected or tonumber(score) == tonumber(expected)) then
    redis.call('ZREM', index, ARGV[i])
  end
end
return 1
