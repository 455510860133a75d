-- Replace a document if it is still the one that was read, keeping its expiry.
--
-- KEYS  1 session document; on a single server also 2 user index, 3 app index, 4 set of apps
-- ARGV  1 length of the value that was read  2 its end: the tail, which holds the time of the last
--       update, or all of a value that is not in our layout; then the new value as a part of the
--       old one: 3 what comes before  4 first byte of the part  5 the byte after it  6 what comes
--       after; 7 session id  8 member of the app index  9 app name  10 second of the last update
-- Returns {1 replaced, 2 the new value is stored already, 0 it has changed; TTL in ms}.
local session, index, app_index, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local length, ending = tonumber(ARGV[1]), ARGV[2]
local head, first, stop, tail = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]

local function is_stored(size, last)
  return redis.call('STRLEN', session) == size
    and redis.call('GETRANGE', session, size - #last, -1) == last
end

local left = redis.call('PTTL', session)
if not is_stored(length, ending) then
  return {is_stored(#head + stop - first + #tail, tail) and 2 or 0, left}
end
if index then
  local rejected = rejection(index_writes(index, app_index, apps, left))
  if rejected then
    return rejected
  end
end
local part = stop > first and redis.call('GETRANGE', session, first, stop - 1) or ''
redis.call('SET', session, head .. part .. tail, 'KEEPTTL')
if index then
  add_to_user(index, ARGV[7], left)
  add_to_app(app_index, apps, ARGV[8], ARGV[9], tonumber(ARGV[10]))
end
return {1, left}
