"""google-adk-community: `session:{id}`, one JSON string each, which names its app and user."""

from collections.abc import Sequence

from adksess.store.foreign import ReadOnlyRedis
from adksess.transfer.layouts.base import Items, Layout, parsed
from adksess.transfer.source_session import SourceSession, from_fields

_PREFIX = "session:"


async def _read(redis: ReadOnlyRedis, keys: Sequence[bytes], app: str | None) -> Items:
    found: Items = []
    for key, (value, ttl) in zip(keys, await redis.strings(keys), strict=True):
        fields = parsed(value)
        if not isinstance(fields, dict):
            continue
        name = key.decode(errors="replace")
        # `session:{app}:{user}:{id}` matches the pattern too; here the key has only the id
        if fields.get("id") != name.removeprefix(_PREFIX):
            continue
        item = from_fields(name, fields, ttl_ms=ttl)
        if isinstance(item, SourceSession):
            found.append(item)
    return found


LAYOUT = Layout(
    name="community",
    title="google-adk-community",
    pattern=b"session:*",
    read=_read,
    app_state_key=lambda app: f"app:{app}",
    user_state_key=lambda app, user: f"user:{app}:{user}",
)
