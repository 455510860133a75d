-- Remove entries of an app's recency index whose session does not exist.
--
-- KEYS  1 the app's recency index; on a single server also 2 the set of apps, then the document
--       of each entry
-- ARGV  1 app name  2 on a cluster the score (Unix seconds) below which an entry is old enough,
--       '' on a single server  then the members, in the order of their documents
-- On a cluster, where the documents are on other nodes, the caller has looked for them: an entry
-- that a create or an append has just written is kept.
-- Returns 1 when the index is empty now, 0 otherwise.
local index, apps = KEYS[1], KEYS[2]
local app, old = ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV do
  local is_stale
  if old then
    local score = redis.call('ZSCORE', index, ARGV[i])
    is_stale = score and tonumber(score) < old
  else
    is_stale = redis.call('EXISTS', KEYS[i]) == 0
  end
  if is_stale then
    redis.call('ZREM', index, ARGV[i])
  end
end
local is_empty = redis.call('EXISTS', index) == 0
if is_empty and apps then
  redis.call('SREM', apps, app)
end
return is_empty and 1 or 0
