"""ADK's own RedisSessionService: `adk:session:{app}:{user}:{id}`, one JSON string each."""

from collections.abc import Sequence

from adksess.store.foreign import ReadOnlyRedis
from adksess.transfer.layouts.base import Items, Layout, parsed
from adksess.transfer.source_session import SkippedSession, from_fields

_PREFIX = "adk:session:"
_STATES = (b"adk:session:app_state:", b"adk:session:user_state:")


async def _read(redis: ReadOnlyRedis, keys: Sequence[bytes], app: str | None) -> Items:
    found: Items = []
    for key, (value, ttl) in zip(keys, await redis.strings(keys), strict=True):
        if value is None:
            continue
        fields = parsed(value)
        name = key.decode(errors="replace")
        is_session = isinstance(fields, dict) and "events" in fields and "app_name" in fields
        if is_session:
            # its own fields name the session: a key is ambiguous where names have colons
            found.append(from_fields(name, fields, ttl_ms=ttl))
        elif not key.startswith(_STATES):
            found.append(SkippedSession(name, "it is not JSON of ADK's session service"))
    return found


LAYOUT = Layout(
    name="adk",
    title="ADK's own Redis service",
    pattern=b"adk:session:*",
    read=_read,
    app_state_key=lambda app: f"{_PREFIX}app_state:{app}",
    user_state_key=lambda app, user: f"{_PREFIX}user_state:{app}:{user}",
)
