"""google-adk-redis and scripts like it: `session:{app}:{user}:{id}`, one JSON string each.

The keys are those of adksess, so a migration within one Redis converts the value in place.
"""

from collections.abc import Sequence
from dataclasses import replace

from adksess.store.document import find_tail
from adksess.store.foreign import ReadOnlyRedis
from adksess.transfer.layouts.base import Items, Layout, parsed
from adksess.transfer.source_session import SkippedSession, SourceSession, from_fields, splits

_PREFIX = "session:"


async def _read(redis: ReadOnlyRedis, keys: Sequence[bytes], app: str | None) -> Items:
    found: Items = []
    for key, (value, ttl) in zip(keys, await redis.strings(keys), strict=True):
        if value is None or find_tail(value) is not None:
            continue  # not a string, or a document of adksess
        fields = parsed(value)
        name = key.decode(errors="replace")
        if not isinstance(fields, dict) or not isinstance(fields.get("events"), list):
            continue  # another program's key
        rest = name.removeprefix(_PREFIX)
        readings = list(splits(rest, 3))
        if fields.get("id") == rest or not readings:
            continue  # the layout of google-adk-community
        if app is not None:
            readings = [reading for reading in readings if reading[0] == app]
        item = from_fields(name, fields, readings[0] if len(readings) == 1 else (), ttl)
        if isinstance(item, SkippedSession) and len(readings) > 1:
            item = SkippedSession(
                name, "its key is ambiguous, since a name has a colon: name the app with --app"
            )
        found.append(replace(item, raw=value) if isinstance(item, SourceSession) else item)
    return found


LAYOUT = Layout(
    name="blob",
    title="google-adk-redis, or a script",
    pattern=b"session:*:*:*",
    read=_read,
    app_state_key=lambda app: f"app:{app}",
    user_state_key=lambda app, user: f"user:{app}:{user}",
)
