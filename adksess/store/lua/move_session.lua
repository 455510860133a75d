-- Move a session to another user of its app, in one step.
--
-- KEYS  1 session document  2 document of the other user  3 user index  4 index of the other user
--       5 app index  6 set of apps
-- ARGV  1 start of the document, with its names  2 start with the new names  3 session id
--       4 member of the app index  5 new member  6 app name
-- Returns 1 moved, 0 missing, 2 the other user has a session of this id, 3 missing, but the other
-- user has it: an earlier attempt may have moved it, -1 not in our layout.
local session, target, index, target_index, app_index, apps = unpack(KEYS)
local head, target_head, id, member, target_member, app = unpack(ARGV)

local function starts_with(key, start)
  return redis.call('GETRANGE', key, 0, #start - 1) == start
end

local kind = redis.call('TYPE', target)
kind = kind.ok or kind
local exists = kind ~= 'none'
if redis.call('EXISTS', session) == 0 then
  return kind == 'string' and starts_with(target, target_head) and 3 or 0
end
if exists then
  return 2
end
if not starts_with(session, head) then
  return -1
end
local left = redis.call('PTTL', session)
local rejected = rejection({
  {target, 'string', 'SET'},
  {session, 'string', 'UNLINK'},
  {index, 'zset', 'ZREM'},
  {target_index, 'zset', 'ZADD', left > 0 and 'PEXPIREAT' or 'PERSIST'},
  {app_index, 'zset', 'ZADD', 'ZREM'},
  {apps, 'set', 'SADD'},
})
if rejected then
  return rejected
end

local document = target_head .. redis.call('GETRANGE', session, #head, -1)
if left >= 0 then
  redis.call('SET', target, document, 'PX', math.max(left, 1))
else
  redis.call('SET', target, document)
end
redis.call('UNLINK', session)
redis.call('ZREM', index, id)
add_to_user(target_index, id, left)
local second = redis.call('ZSCORE', app_index, member) or server_time()
add_to_app(app_index, apps, target_member, app, second)
redis.call('ZREM', app_index, member)
return 1
