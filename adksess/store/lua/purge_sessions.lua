-- Delete the session documents that indexes name, if they are of our layout, and their entries.
-- That an index names a key, and how its value ends, together prove it to be a session.
--
-- KEYS  session documents, by index, then the indexes
-- ARGV  1 number of indexes, then for each how many of the documents it names, then for each
--       document its id in the index
-- Returns {how many were deleted, their bytes}. What is not of our layout stays, in the index too.
local call, pcall, match = redis.call, redis.pcall, string.match
local indexes = tonumber(ARGV[1])
local documents, first_id = #KEYS - indexes, 1 + indexes

local bytes, doomed, gone = 0, {}, {}
local place = 0
for index = 1, indexes do
  local ids = {}
  for _ = 1, tonumber(ARGV[1 + index]) do
    place = place + 1
    local key = KEYS[place]
    local ending = pcall('GETRANGE', key, -25, -1)
    if type(ending) == 'table' then
      if not string.find(ending.err, 'WRONGTYPE', 1, true) then
        return ending
      end
    elseif match(ending, '^"tail_bytes": *%d+}$') then
      bytes = bytes + call('STRLEN', key)
      doomed[#doomed + 1] = key
      ids[#ids + 1] = ARGV[first_id + place]
    elseif ending == '' then
      ids[#ids + 1] = ARGV[first_id + place]
    end
  end
  gone[index] = ids
end

local deleted = #doomed > 0 and call('UNLINK', unpack(doomed)) or 0
for index, ids in ipairs(gone) do
  if #ids > 0 then
    call('ZREM', KEYS[documents + index], unpack(ids))
  end
end
return {deleted, bytes}
