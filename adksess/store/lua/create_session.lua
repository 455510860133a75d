-- Create a session, unless its id is taken: then nothing is written.
--
-- KEYS  1 session document; on a single server also 2 the user's index, 3 app state, 4 user state
-- ARGV  1 document  2 TTL in ms, 0 for none  3 session id  4 '1' when a lost call is repeated
--       5 number of app state entries  6 number of user state entries
--       then field and JSON value of each entry
-- Returns 1 created, 0 taken.
local session, index, app_state, user_state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local document, ttl_ms, id, repeated = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local app_entries, user_entries = tonumber(ARGV[5]), tonumber(ARGV[6])

if redis.call('EXISTS', session) == 1 then
  return repeated and redis.call('GET', session) == document and 1 or 0
end
if index then
  -- first a write that a full server refuses: after another one it would let all the rest pass
  index_session(index, id, ttl_ms)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. redis.call('TIME')[1])
end
local entry = 7
for _ = 1, app_entries do
  redis.call('HSET', app_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
for _ = 1, user_entries do
  redis.call('HSET', user_state, ARGV[entry], ARGV[entry + 1])
  entry = entry + 2
end
if ttl_ms > 0 then
  redis.call('SET', session, document, 'PX', ttl_ms)
else
  redis.call('SET', session, document)
end
return 1
