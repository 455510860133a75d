-- Delete session documents and their index entries.
--
-- KEYS  documents, grouped by user; on a single server then the user indexes in that order,
--       grouped by app, then the app indexes in that order, then the set of apps
-- ARGV  1 which documents: 'any', 'ours' (in our layout), 'unchanged' (with a last update as given)
--       2 number of user indexes  3 number of app indexes, then for each user index the number of
--       its documents, for each app index the number of its user indexes, for each app its name,
--       for each document its id and its member, with 'unchanged' for each document
--       `updated_at event_count`, or its length in bytes if it is not in our layout
-- Returns {bytes deleted ('ours' only), code of each document}; code 0 missing, 1 deleted, 2 kept.
local mode, users, apps = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local find, match = string.find, string.match
local documents = #KEYS - users - apps - (apps > 0 and 1 or 0)
local user_sizes, app_sizes, app_names = 3, 3 + users, 3 + users + apps
local names = app_names + apps
local marks = names + 2 * documents

-- The last update of a document: `updated_at event_count`, or the length of a foreign one.
local function mark_of(key)
  local length = redis.call('STRLEN', key)
  local width = tonumber(
    match(redis.call('GETRANGE', key, -25, -1), '^"tail_bytes": *(%d+)}$') or length + 1
  )
  if width <= length then
    local tail = redis.call('GETRANGE', key, length - width, -1)
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

local codes, bytes, doomed = {}, 0, {}
for i = 1, documents do
  local key = KEYS[i]
  local ending = mode == 'any' and '' or redis.pcall('GETRANGE', key, -25, -1)
  local is_deleted = mode == 'any'
  if type(ending) == 'table' then
    if not find(ending.err, 'WRONGTYPE', 1, true) then
      return ending
    end
  elseif mode == 'ours' then
    is_deleted = match(ending, '^"tail_bytes": *%d+}$')
  elseif mode == 'unchanged' then
    is_deleted = ending ~= '' and mark_of(key) == ARGV[marks + i]
  end
  if redis.call('EXISTS', key) == 0 then
    codes[i] = 0
  elseif is_deleted then
    codes[i] = 1
    doomed[#doomed + 1] = key
    if mode == 'ours' then
      bytes = bytes + redis.call('STRLEN', key)
    end
  else
    codes[i] = 2
  end
end

if redis.acl_check_cmd and users > 0 then
  for _, write in ipairs({{'UNLINK', KEYS[1]}, {'ZREM', KEYS[documents + 1]}}) do
    if not redis.acl_check_cmd(write[1], write[2]) then
      return redis.error_reply(
        "NOPERM this user has no permissions to run the '" .. string.lower(write[1]) .. "' command"
      )
    end
  end
end

if #doomed > 0 then
  redis.call('UNLINK', unpack(doomed))
end

-- Remove members from an index; a key of another type is not changed.
local function remove(index, members)
  if #members > 0 then
    local removed = redis.pcall('ZREM', index, unpack(members))
    if type(removed) == 'table' and not find(removed.err, 'WRONGTYPE', 1, true) then
      error(removed.err)
    end
  end
end

local document, user = 0, 0
for app = 1, apps do
  local app_index, members = KEYS[documents + users + app], {}
  for _ = 1, tonumber(ARGV[app_sizes + app]) do
    user = user + 1
    local ids = {}
    for _ = 1, tonumber(ARGV[user_sizes + user]) do
      document = document + 1
      if codes[document] < 2 then
        ids[#ids + 1] = ARGV[names + 2 * document - 1]
        members[#members + 1] = ARGV[names + 2 * document]
      end
    end
    remove(KEYS[documents + user], ids)
  end
  remove(app_index, members)
  if #members > 0 and redis.call('EXISTS', app_index) == 0 then
    redis.call('SREM', KEYS[#KEYS], ARGV[app_names + app])
  end
end
return {bytes, codes}
