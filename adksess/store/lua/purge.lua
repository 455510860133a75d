-- Delete session documents of our layout, and their entries in the indexes of their users.
--
-- KEYS  session documents, then indexes
-- ARGV  1 number of documents, then for each the place of its index among KEYS, and its id
-- Returns {how many were deleted, their bytes, the places of those that are not of our layout}
local deleted, bytes, others = 0, 0, {}
local TAIL_OPEN = '\n],"state":{'
for i = 1, tonumber(ARGV[1]) do
  local ending = redis.pcall('GETRANGE', KEYS[i], -25, -1)
  if type(ending) == 'table' and not string.find(ending.err, 'WRONGTYPE', 1, true) then
    return ending
  end
  local width = type(ending) == 'string' and tonumber(string.match(ending, '^"tail_bytes": *(%d+)}$'))
  local length = width and redis.call('STRLEN', KEYS[i])
  local start = width and length - width
  if width and start >= 0
    and redis.call('GETRANGE', KEYS[i], start, start + #TAIL_OPEN - 1) == TAIL_OPEN then
    bytes = bytes + length
    deleted = deleted + redis.call('UNLINK', KEYS[i])
    redis.pcall('ZREM', KEYS[tonumber(ARGV[2 * i])], ARGV[2 * i + 1])
  elseif ending ~= '' then
    others[#others + 1] = i
  end
end
return {deleted, bytes, others}
