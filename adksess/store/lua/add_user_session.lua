-- Add a session to its user's index.
--
-- KEYS  1 user index
-- ARGV  1 TTL in ms, -1 for never  2 session id
-- Returns 1 if it was not in the index, 0 if its score was changed.
return add_to_user(KEYS[1], ARGV[2], math.min(tonumber(ARGV[1]), MAX_TTL_MS))
