-- Read the tails of sessions, without their histories. Writes nothing.
--
-- KEYS  session documents
-- ARGV  1 bytes of history wanted before each tail
-- Returns for each key {bytes, length of the whole value, TTL in ms}; bytes is the end of the
-- value from the wanted history on, or all of a value that is not in our layout; the length is
-- 0 for a missing key and -1 for a key of another type. The TTL is -1 for never.
local history = tonumber(ARGV[1])
local first = -512 - history  -- most tails are shorter than 512 bytes
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
    local ending = redis.call('GETRANGE', key, first, -1)
    local width = tonumber(string.match(ending, '^"tail_bytes": *(%d+)}$', -25) or length)
    local wanted = math.min(length, width + history)
    if wanted > #ending then
      ending = redis.call('GETRANGE', key, length - wanted, -1)
    elseif wanted < #ending then
      ending = string.sub(ending, -wanted)
    end
    found[i] = {ending, length, redis.call('PTTL', key)}
  end
end
return found
