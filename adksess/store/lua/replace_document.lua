-- Replace a value if it is still the one that was read, keeping its expiry.
--
-- KEYS  1 session document
-- ARGV  1 the value that was read  2 the new value
-- Returns 1 replaced, 0 it has changed meanwhile.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
