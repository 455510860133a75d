"""The common form of sessions that other tools stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adksess.store.foreign_json import read_foreign
from adksess.store.keys import SessionRef
from adksess.store.state import APP, TEMP, USER


@dataclass(frozen=True)
class SourceSession:
    """A session, its events as parsed JSON. `name` is for messages.

    `ttl_ms` is None if it never expires. `raw` is the stored value, if that is the whole session.
    `state` may have `app:` and `user:` keys.
    """

    name: str
    ref: SessionRef
    state: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    last_update_time: float | None = None
    created: float | None = None
    ttl_ms: int | None = None
    raw: bytes | None = None

    @property
    def own_state(self) -> dict[str, Any]:
        """The state of the session, without that of its app and user."""
        return {k: v for k, v in self.state.items() if not k.startswith((APP, USER, TEMP))}

    def shared_state(self, scope: str) -> dict[str, Any]:
        """The state in one of the scopes that sessions share, keys without the prefix."""
        return {
            key.removeprefix(scope): value
            for key, value in self.state.items()
            if key.startswith(scope)
        }


@dataclass(frozen=True)
class SkippedSession:
    """Something that should be a session, and why it cannot be migrated."""

    name: str
    reason: str


def from_fields(
    name: str, fields: Any, key_names: Sequence[str] = (), ttl_ms: int | None = None
) -> SourceSession | SkippedSession:
    """Return a session from one JSON object, which may have any of the field names in use.

    `key_names` are app, user and id from the key, for what the object does not name.
    """
    try:
        session = read_foreign(fields)
    except ValueError as exc:
        return SkippedSession(name, str(exc))
    names = [
        name if name is not None else key
        for name, key in zip(session.names, key_names or (None,) * 3, strict=True)
    ]
    if None in names:
        return SkippedSession(name, "it does not name its app, user and id")
    app_name, user_id, session_id = map(str, names)
    return SourceSession(
        name=name,
        ref=SessionRef(app_name, user_id, session_id),
        state=session.state,
        events=session.events,
        last_update_time=session.last_update_time,
        created=session.created,
        ttl_ms=ttl_ms,
    )


def splits(text: str, parts: int) -> Iterator[list[str]]:
    """Yield all ways to split `text` at colons into `parts` names."""
    words = text.split(":")
    if parts == 1:
        yield [text]
        return
    for first in range(1, len(words) - parts + 2):
        for rest in splits(":".join(words[first:]), parts - 1):
            yield [":".join(words[:first]), *rest]
