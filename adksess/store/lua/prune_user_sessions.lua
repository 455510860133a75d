-- Remove ids from a user's index whose session does not exist; correct the score of the others.
--
-- KEYS  1 user index, then the document of each id
-- ARGV  ids
-- Returns 1.
for i, id in ipairs(ARGV) do
  local left = redis.call('PTTL', KEYS[i + 1])
  if left == -2 then
    redis.call('ZREM', KEYS[1], id)
  else
    add_to_user(KEYS[1], id, left)
  end
end
return 1
