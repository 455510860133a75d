-- Store a whole document, unless a different one is stored.
--
-- KEYS  1 session document; on a single server also 2 user index, 3 app index, 4 set of apps
-- ARGV  1 document  2 TTL in ms, 0 for none  3 session id  4 member of the app index  5 app name
--       6 second of the last update  7 '1' to replace a different document
-- Returns 1 stored, 2 replaced, 3 the same document is stored, 0 a different one is stored and
-- kept, -1 a key of another type is kept. A kept value keeps its expiry.
local session, index, app_index, apps = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local document, ttl_ms = ARGV[1], math.min(tonumber(ARGV[2]), MAX_TTL_MS)
local id, member, app, second = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local replaces = ARGV[7] == '1'

local length = redis.pcall('STRLEN', session)
if type(length) == 'table' then
  return string.find(length.err, 'WRONGTYPE', 1, true) and -1 or length
end
local is_same = length == #document and redis.call('GET', session) == document
if length > 0 and not replaces and not is_same then
  return 0
end
local keeps = is_same and not replaces
if keeps then
  ttl_ms = redis.call('PTTL', session)
elseif ttl_ms == 0 then
  ttl_ms = -1
end
if index then
  local rejected = rejection(index_writes(index, app_index, apps, ttl_ms))
  if rejected then
    return rejected
  end
end
if not keeps then
  if ttl_ms > 0 then
    redis.call('SET', session, document, 'PX', string.format('%.0f', ttl_ms))
  else
    redis.call('SET', session, document)
  end
end
if index then
  add_to_user(index, id, ttl_ms)
  add_to_app(app_index, apps, member, app, second)
end
return is_same and 3 or length > 0 and 2 or 1
