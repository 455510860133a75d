"""adk-session-services: a hash, a string and a list for each session, never expiring.

`adk:sessions:{app}:{user}:{id}:meta`, `…:state` and `…:events`.
"""

from collections.abc import Sequence

from adksess.store.foreign import ReadOnlyRedis
from adksess.store.foreign_json import as_seconds
from adksess.store.keys import SessionRef
from adksess.transfer.layouts.base import Items, Layout, parsed
from adksess.transfer.source_session import SkippedSession, SourceSession, splits

_PREFIX, _META, _STATE, _EVENTS = "adk:sessions:", ":meta", ":state", ":events"


async def _read(redis: ReadOnlyRedis, keys: Sequence[bytes], app: str | None) -> Items:
    metas = await redis.hashes(keys)
    stems = [key.decode(errors="replace").removesuffix(_META) for key in keys]
    states = await redis.strings([f"{stem}{_STATE}".encode() for stem in stems])
    histories = await redis.lists([f"{stem}{_EVENTS}".encode() for stem in stems])
    found: Items = []
    for stem, meta, (state, _), history in zip(stems, metas, states, histories, strict=True):
        session_id = meta.get(b"id", b"").decode(errors="replace")
        names = stem.removeprefix(_PREFIX)
        if not session_id or not names.endswith(f":{session_id}"):
            continue
        owner = names[: -len(session_id) - 1]
        readings = [reading for reading in splits(owner, 2) if app in (None, reading[0])]
        if len(readings) != 1:
            if app is None or readings:
                found.append(
                    SkippedSession(
                        stem, "its key is ambiguous between app and user: name the app with --app"
                    )
                )
            continue
        events = [parsed(event) for event in history]
        fields = parsed(state) if state is not None else {}
        if not isinstance(fields, dict) or not all(isinstance(event, dict) for event in events):
            found.append(SkippedSession(stem, "its state or an event is not a JSON object"))
            continue
        # this package sets last_update_time at creation and not at appends
        created = as_seconds(parsed(meta.get(b"last_update_time")))
        app_name, user_id = readings[0]
        ref = SessionRef(app_name, user_id, session_id)
        updated = None if events else created
        found.append(
            SourceSession(stem, ref, fields, events, last_update_time=updated, created=created)
        )
    return found


LAYOUT = Layout(
    name="session-services",
    title="adk-session-services",
    pattern=b"adk:sessions:*:meta",
    read=_read,
    app_state_key=lambda app: f"{_PREFIX}{app}:app_state",
    user_state_key=lambda app, user: f"{_PREFIX}{app}:{user}:user_state",
)
