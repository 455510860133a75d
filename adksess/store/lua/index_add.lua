-- Enter a session in its user's index. On a cluster the index is on another node than the
-- session, so this runs by itself there.
--
-- KEYS  1 the user's index
-- ARGV  1 TTL in ms, 0 for never  2 session id
index_session(KEYS[1], ARGV[2], tonumber(ARGV[1]))
return 1
