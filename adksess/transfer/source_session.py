"""A session as another tool keeps it, in the one form that all of them are read into."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adksess.store.document import first_time
from adksess.store.keys import SessionRef

APP, USER, TEMP = "app:", "user:", "temp:"


@dataclass(frozen=True)
class SourceSession:
    """A session, its events as parsed JSON. `ttl_ms` None is for ever; `raw` is its whole value.

    `state` is as the source has it, and may hold `app:` and `user:` keys.
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
        """The state of the session alone."""
        return {k: v for k, v in self.state.items() if not k.startswith((APP, USER, TEMP))}

    def shared_state(self, scope: str) -> dict[str, Any]:
        """The state in one of the scopes that sessions share, keys without its name."""
        return {
            key.removeprefix(scope): value
            for key, value in self.state.items()
            if key.startswith(scope)
        }


@dataclass(frozen=True)
class SkippedSession:
    """Something that ought to be a session, and why it cannot be taken over."""

    name: str
    why: str


def from_fields(
    name: str, fields: Any, key_names: Sequence[str] = (), ttl_ms: int | None = None
) -> SourceSession | SkippedSession:
    """A session from one JSON object, under any of the field names that are in use.

    `key_names` are app, user and id as the key has them, where the object does not name them.
    """
    if not isinstance(fields, dict):
        return SkippedSession(name, "its value is not a JSON object")
    given = [
        next((fields[label] for label in labels if isinstance(fields.get(label), str)), None)
        for labels in (
            ("app_name", "appName"),
            ("user_id", "userId"),
            ("id", "session_id", "sessionId"),
        )
    ]
    if len(key_names) == 3:
        given = [
            ours if ours is not None else key for ours, key in zip(given, key_names, strict=True)
        ]
    if any(part is None for part in given):
        return SkippedSession(name, "it does not say of which app and user it is")
    events, state = fields.get("events", []), fields.get("state", {})
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return SkippedSession(name, "its events are not a list of objects")
    if not isinstance(state, dict):
        return SkippedSession(name, "its state is not an object")
    app_name, user_id, session_id = (str(part) for part in given)
    return SourceSession(
        name=name,
        ref=SessionRef(app_name, user_id, session_id),
        state=state,
        events=events,
        last_update_time=first_time(
            fields, "last_update_time", "lastUpdateTime", "updated_at", "updatedAt"
        ),
        created=first_time(fields, "created_at", "createdAt", "create_time", "createTime"),
        ttl_ms=ttl_ms,
    )


def splits(text: str, parts: int) -> Iterator[list[str]]:
    """Every way to read a text as so many names joined by colons."""
    words = text.split(":")
    if parts == 1:
        yield [text]
        return
    for first in range(1, len(words) - parts + 2):
        for rest in splits(":".join(words[first:]), parts - 1):
            yield [":".join(words[:first]), *rest]
