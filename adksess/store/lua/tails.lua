-- Read the tails of sessions, without their histories. Writes nothing.
--
-- KEYS  session documents
-- ARGV  1 bytes of history wanted before each tail
-- Returns for each key {bytes, length of the whole value, TTL in ms}; bytes is the end of the
-- value from the wanted history on, or all of a value that is not in our layout; the length is
-- 0 for a missing key and -1 for a key of another type. The TTL is -1 for never.
local history = tonumber(ARGV[1])
local found = {}
for i, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'table' then
    if not string.find(length.err, 'WRONGTYPE', 1, true) then
      return length
    end
    found[i] = {'', -1, 0}
  elseif length == 0 then
    found[i] = {'', 0, 0}
  else
    local ending = redis.call('GETRANGE', key, -25, -1)
    local width = tonumber(string.match(ending, '^"tail_bytes": *(%d+)}$') or length)
    local from = math.max(0, length - width - history)
    found[i] = {redis.call('GETRANGE', key, from, -1), length, redis.call('PTTL', key)}
  end
end
return found
