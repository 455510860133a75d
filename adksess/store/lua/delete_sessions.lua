-- Delete session documents of one app and their index entries.
--
-- KEYS  documents; on a single server then the indexes of their users, the app's index, the set of
--       apps
-- ARGV  1 which documents: 'any', 'ours' (in our layout), 'indexed' (the same, checked by their
--       last 25 bytes only), 'unchanged' (with a last update as given)
--       2 the app's name  3 length of what the keys of its documents start with
--       4 number of documents  5 number of users' indexes, 0 if they do not hold the documents; then
--       for each of these indexes the number of its documents, which are in the order of the indexes;
--       with 'unchanged' then for each document `updated_at event_count`, or its length in bytes
--       if it is not in our layout
-- Returns {number deleted, their bytes, positions missing, positions kept}; positions count from 1.
local mode, documents, users = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
local call, pcall, find, match = redis.call, redis.pcall, string.find, string.match
local has_indexes = #KEYS > documents
local FOOTER = '^"tail_bytes": *(%d+)}$'

-- Whether a document has our layout, by its length and its last 25 bytes.
local function is_ours(key, length, ending)
  local width = tonumber(match(ending, FOOTER) or length + 1)
  return width <= length
    and call('GETRANGE', key, length - width, length - width + 11) == '\n],"state":{'
end

-- The last update of a document: `updated_at event_count`, or the length of a foreign one.
local function mark_of(key, length, ending)
  if is_ours(key, length, ending) then
    local tail = call('GETRANGE', key, length - match(ending, FOOTER), -1)
    local close = find(tail, '\n},"created_at":', 1, true)
    local updated_at, count = match(
      tail, ',"updated_at":"([^"]*)",.-"event_count": *(%d+), *"tail_bytes"', close
    )
    if updated_at then
      return updated_at .. ' ' .. count
    end
  end
  return tostring(length)
end

-- Whether the mode, which is not 'any', selects the string at KEYS[i].
local function is_chosen(i, length)
  local ending = call('GETRANGE', KEYS[i], '-25', '-1')
  if mode == 'indexed' then
    return find(ending, FOOTER)
  elseif mode == 'ours' then
    return is_ours(KEYS[i], length, ending)
  end
  return mark_of(KEYS[i], length, ending) == ARGV[5 + users + i]
end

if redis.acl_check_cmd and has_indexes then
  for _, write in ipairs({{'UNLINK', KEYS[1]}, {'ZREM', KEYS[#KEYS - 1]}}) do
    if not redis.acl_check_cmd(write[1], write[2]) then
      return redis.error_reply(
        "NOPERM this user has no permissions to run the '" .. string.lower(write[1]) .. "' command"
      )
    end
  end
end

local doomed, is_kept, missing, kept, bytes = {}, {}, {}, {}, 0
for i = 1, documents do
  local key = KEYS[i]
  local length = pcall('STRLEN', key)
  local is_string = type(length) == 'number'
  if not is_string and not find(length.err, 'WRONGTYPE', 1, true) then
    return length
  end
  if length == 0 and call('EXISTS', key) == 0 then
    missing[#missing + 1] = i
  elseif mode == 'any' or is_string and is_chosen(i, length) then
    doomed[#doomed + 1] = key
    bytes = bytes + (is_string and length or 0)
  else
    kept[#kept + 1], is_kept[i] = i, true
  end
end
if #doomed > 0 then
  call('UNLINK', unpack(doomed))
end

-- Remove members from an index; a key of another type is not changed.
local function remove(index, members)
  if #members > 0 then
    local removed = pcall('ZREM', index, unpack(members))
    if type(removed) == 'table' and not find(removed.err, 'WRONGTYPE', 1, true) then
      error(removed.err)
    end
  end
end

local document, members, start = 0, {}, tonumber(ARGV[3]) + 1
for group = 1, has_indexes and math.max(users, 1) or 0 do
  local ids = {}
  for _ = 1, users > 0 and tonumber(ARGV[5 + group]) or documents do
    document = document + 1
    if not is_kept[document] then
      local member, id = match(KEYS[document], '([^:]*:(.*))', start)
      if find(id, '%', 1, true) then
        id = string.gsub(string.gsub(id, '%%3A', ':'), '%%25', '%%')
      end
      ids[#ids + 1], members[#members + 1] = id, member
    end
  end
  if users > 0 then
    remove(KEYS[documents + group], ids)
  end
end
if has_indexes then
  local index = KEYS[#KEYS - 1]
  remove(index, members)
  if #members > 0 and call('EXISTS', index) == 0 then
    pcall('SREM', KEYS[#KEYS], ARGV[2])  -- a key of another type is not changed
  end
end
return {#doomed, bytes, missing, kept}
