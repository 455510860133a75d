"""Fill a database with sessions, copied by the server."""

from google.adk.sessions import BaseSessionService

from adksess.store.keys import COMPLETE
from tests.bench.lab import client
from tests.bench.services import APP, new_event

PER_USER = 10
_BATCH = 10_000
_USER, _ID = "u@@@@@@@@", "s@@@@@@@@"

# Copies every key of the template session, names and values, to sessions ARGV[1] to ARGV[2].
_COPY = """
local user, id, per_user = ARGV[3], ARGV[4], tonumber(ARGV[5])
local templates = {}
for i, key in ipairs(KEYS) do
  local is_document = redis.call('TYPE', key).ok == 'string'
  templates[i] = {key, is_document and redis.call('GET', key), redis.call('PTTL', key),
    not is_document and redis.call('ZSCORE', key, id)}
end
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local names = {
    [user] = string.format('u%08d', math.floor(n / per_user)), [id] = string.format('s%08d', n)
  }
  for _, template in ipairs(templates) do
    local key = string.gsub(template[1], '[us]@@@@@@@@', names)
    if template[2] then
      redis.call('SET', key, (string.gsub(template[2], '[us]@@@@@@@@', names)), 'PX', template[3])
    else
      redis.call('ZADD', key, template[4], names[id])
      redis.call('PEXPIRE', key, template[3])
    end
  end
  if ARGV[6] ~= '' then
    local app, second = ARGV[6], tonumber(ARGV[7]) - math.floor(n / 10)
    redis.call('ZADD', 'app_sessions:' .. app, second, names[user] .. ':' .. names[id])
  end
end
"""


async def multiply(
    service: BaseSessionService, url: str, count: int, *, events: int = 0, per_user: int = PER_USER
) -> None:
    """Fill a database with `count` sessions like the one that the service itself writes."""
    state = {"__session_metadata__": {"displayName": "What did I say about the weather?"}}
    session = await service.create_session(
        app_name=APP, user_id=_USER, session_id=_ID, state={**state, "turns": 1}
    )
    for _ in range(events):
        await service.append_event(session, new_event())
    async with client(url) as redis:
        keys = [key async for key in redis.scan_iter(match="*@@@@@@@@*")]
        is_own = await redis.exists(f"app_sessions:{APP}")
        now = (await redis.time())[0]
        script = redis.register_script(_COPY)
        batch = _BATCH // max(1, events)  # a script that copies long ones takes seconds
        for first in range(0, count, batch):
            last = min(first + batch, count) - 1
            await script(keys, [first, last, _USER, _ID, per_user, APP if is_own else "", now])
        await redis.delete(*keys)
        if is_own:
            await redis.zrem(f"app_sessions:{APP}", f"{_USER}:{_ID}")
            await redis.set("session_index", now)
            await redis.sadd("session_apps", COMPLETE)
