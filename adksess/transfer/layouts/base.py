"""The description of a layout, and functions that read states of any layout."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from adksess.store.document import parse_json
from adksess.store.foreign import ReadOnlyRedis
from adksess.store.keys import escape_glob
from adksess.store.models import StoredState
from adksess.transfer.source_session import SkippedSession, SourceSession

Items = list["SourceSession | SkippedSession"]


class ReadSessions(Protocol):
    """Reads the sessions among some keys; ignores other keys.

    `app` is the name of the app, if it is known.
    """

    async def __call__(
        self, redis: ReadOnlyRedis, keys: Sequence[bytes], app: str | None
    ) -> Items: ...


@dataclass(frozen=True)
class Layout:
    """One tool's way to store sessions: the pattern of their keys, and the keys of states."""

    name: str
    title: str
    pattern: bytes
    read: ReadSessions
    app_state_key: Callable[[str], str]
    user_state_key: Callable[[str, str], str]

    async def sessions(self, redis: ReadOnlyRedis, app: str | None) -> AsyncIterator[Items]:
        """Yield all sessions of this layout, in batches."""
        async for batch in redis.scan(self.pattern):
            items = await self.read(redis, batch, app)
            yield [item for item in items if not _is_other(item, app)]

    async def states(self, redis: ReadOnlyRedis, app: str) -> AsyncIterator[list[StoredState]]:
        """Yield the state of an app and of all its users, including users without a session."""
        state = (await _states(redis, [self.app_state_key(app).encode()]))[0]
        if state:
            yield [StoredState(app, None, state)]
        before, after = self.user_state_key(app, "\0").split("\0")
        pattern = escape_glob(before) + "*" + escape_glob(after)
        async for batch in redis.scan(pattern.encode()):
            found = await _states(redis, batch)
            yield [
                StoredState(app, _between(key, before, after), state)
                for key, state in zip(batch, found, strict=True)
                if state
            ]


def parsed(value: bytes | None) -> Any:
    """Return the JSON in a value, None if it is not JSON."""
    try:
        return None if value is None else parse_json(value)
    except ValueError:
        return None


def _between(key: bytes, before: str, after: str) -> str:
    text = key.decode(errors="replace")
    return text[len(before) : len(text) - len(after)]


def _is_other(item: SourceSession | SkippedSession, app: str | None) -> bool:
    return app is not None and isinstance(item, SourceSession) and item.ref.app_name != app


async def _states(redis: ReadOnlyRedis, keys: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Return states stored as a hash of JSON values or as one JSON object, empty for others."""
    strings = await redis.strings(keys)
    hashes = await redis.hashes(keys)
    found: list[Mapping[str, Any]] = []
    for (value, _), fields in zip(strings, hashes, strict=True):
        whole = parsed(value)
        if isinstance(whole, dict) and "events" not in whole:
            found.append(whole)
            continue
        try:  # if a value is not JSON, it is another program's hash
            found.append({name.decode(): parse_json(item) for name, item in fields.items()})
        except ValueError:
            found.append({})
    return found
