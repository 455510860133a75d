-- Prelude of the scripts that write sessions: the clock, the indexes, checks before a write.
local MAX_TTL_MS = 315360000000  -- ten years: far below what PEXPIREAT rejects

-- server_time(): Unix seconds and microseconds of the server's clock.
local function server_time()
  local now = redis.call('TIME')
  return tonumber(now[1]), tonumber(now[2])
end

-- iso_time(seconds, micros): ISO 8601 in UTC, always 32 characters.
local function iso_time(seconds, micros)
  local floor = math.floor
  local days = floor(seconds / 86400)
  local time = seconds - days * 86400
  local shifted = days + 719468  -- days since 0000-03-01; a year that starts in March
  local era = floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year = floor(
    (day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524) - floor(day_of_era / 146096))
    / 365
  )
  local day = day_of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * day + 2) / 153)
  day = day - floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return string.format(
    '%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00',
    year, month, day, floor(time / 3600), floor(time / 60) % 60, time % 60, micros
  )
end

-- add_to_user(index, id, ttl_ms): add to a user's index; ttl_ms -1 never expires. The index
-- expires with the last session in it. Returns 1 if the session was not in it, else 0.
local function add_to_user(index, id, ttl_ms)
  local score = '+inf'
  if ttl_ms >= 0 then
    local seconds, micros = server_time()
    score = string.format('%.3f', seconds + micros / 1000000 + ttl_ms / 1000)
  end
  local added = redis.call('ZADD', index, score, id)
  local latest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
  if latest == 'inf' then
    redis.call('PERSIST', index)
  else
    redis.call('PEXPIREAT', index, string.format('%.0f', math.ceil(latest * 1000)))
  end
  return added
end

-- add_to_app(index, apps, member, app, second): add to an app's recency index. Where the index or
-- the set of apps was deleted or evicted, the indexes are marked as incomplete.
local function add_to_app(index, apps, member, app, second)
  local added = redis.call('ZADD', index, string.format('%.0f', second), member)
  local is_known = redis.call('SADD', apps, app) == 0
  if is_known ~= (#redis.call('ZREVRANGE', index, 0, 1) > added) then
    redis.pcall('SREM', apps, '\255')  -- not worth losing the write where ACLs forbid it
  end
end

-- rejection({key, type, command …} …): the error that one of these writes would fail with, or nil.
-- Redis does not undo the writes of a script before an error, so all but the first write are checked
-- before it. Before Redis 7 a script cannot ask for permissions.
local function rejection(writes)
  for _, write in ipairs(writes) do
    local kind = redis.call('TYPE', write[1])
    kind = kind.ok or kind
    if kind ~= 'none' and kind ~= write[2] then
      return redis.error_reply('WRONGTYPE a key of adksess holds another type')
    end
    for i = 3, #write do
      if redis.acl_check_cmd and not redis.acl_check_cmd(write[i], write[1]) then
        return redis.error_reply(
          "NOPERM this user has no permissions to run the '" .. string.lower(write[i]) .. "' command"
        )
      end
    end
  end
end

-- index_writes(index, app_index, apps, ttl_ms): what add_to_user and add_to_app write, for rejection.
local function index_writes(index, app_index, apps, ttl_ms)
  return {
    {index, 'zset', 'ZADD', ttl_ms > 0 and 'PEXPIREAT' or 'PERSIST'},
    {app_index, 'zset', 'ZADD'},
    {apps, 'set', 'SADD'},
  }
end
