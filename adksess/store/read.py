"""Read one session, whole or from its end, and the state it shares."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from adksess.store import scripts
from adksess.store.base import StoreBase
from adksess.store.document import (
    Document,
    decode,
    decode_tail,
    event_lines,
    find_tail,
    parse_json,
    unreadable,
)
from adksess.store.errors import WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import StoredSession
from adksess.store.scripts import Argument, ScriptCall

_FIRST_READ = 32_768
_READ_GROWTH = 4


class ReadOperations(StoreBase):
    """Operations that read one session or shared state."""

    async def read(
        self, ref: SessionRef, *, last: int | None = None, since: float | None = None
    ) -> StoredSession | None:
        """Return a session, or None if it does not exist.

        `last` limits it to that many events, `since` to the events from that time (Unix seconds)
        on: then only the end of the history is read. Raises SessionUnreadable.
        """
        if last is None and since is None:
            value, *shared = await self._with_shared_state(ref, ("GET", self.keys.session(ref)))
            return None if value is None else _stored(decode(value, ref), *shared)
        history = 0 if last == 0 else _FIRST_READ
        while True:
            (found, *shared) = await self._with_shared_state(
                ref, ScriptCall(scripts.READ_TAILS, [self.keys.session(ref)], [history])
            )
            end, length, _ = found[0]
            if length < 0:
                raise unreadable(ref, "its key is not a string")
            if length == 0:
                return None
            is_whole = len(end) == length
            document = _decode_end(end, ref, is_whole=is_whole)
            events, is_enough = _selected(document, last, since)
            if is_whole or is_enough:
                return _stored(replace(document, events=events), *shared)
            history = max(history * _READ_GROWTH, _FIRST_READ)

    async def value(self, ref: SessionRef) -> bytes | None:
        """Return a document as stored, or None. Raises SessionUnreadable for another key type."""
        try:
            value: bytes | None = await self._client.command("GET", self.keys.session(ref))
        except WrongType as exc:
            raise unreadable(ref, "its key is not a string") from exc
        return value

    async def shared_state(
        self, app_name: str, user_id: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an app's state and a user's, keys without `app:` and `user:`."""
        app_state, user_states = await self.states(app_name, [user_id])
        return app_state, user_states[user_id]

    async def states(
        self, app_name: str, user_ids: Iterable[str]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return an app's state, and that of several of its users by user id."""
        users = list(user_ids)
        hashes = [
            self.keys.app_state(app_name),
            *(self.keys.user_state(app_name, user) for user in users),
        ]
        answers = await self._client.run_all([("HGETALL", key) for key in hashes])
        app_state, *user_states = map(decode_state, answers)
        return app_state, dict(zip(users, user_states, strict=True))

    async def _with_shared_state(
        self, ref: SessionRef, call: tuple[Argument, ...] | ScriptCall
    ) -> list[Any]:
        """The answer to a call about a session, followed by the app's and the user's state."""
        try:
            return await self._client.run_all(
                [
                    call,
                    ("HGETALL", self.keys.app_state(ref.app_name)),
                    ("HGETALL", self.keys.user_state(*ref.user)),
                ]
            )
        except WrongType as exc:
            raise unreadable(ref, "one of its keys is of another type") from exc


def decode_state(fields: dict[bytes, bytes]) -> dict[str, Any]:
    """Read the fields of a state hash."""
    state: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            state[name.decode("utf-8", "surrogatepass")] = parse_json(value)
        except ValueError:  # set by hand, as plain text
            state[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return state


def _decode_end(end: bytes, ref: SessionRef, *, is_whole: bool) -> Document:
    """Read a whole value, or the end of one: its tail and the complete events before it."""
    if is_whole:
        return decode(end, ref)
    start = find_tail(end)
    try:
        if start is None:
            raise ValueError("no tail")
        tail = decode_tail(end[start:])
    except (ValueError, KeyError, TypeError) as exc:
        raise unreadable(ref, "it is not a session document") from exc
    return Document(ref, tail, event_lines(end[:start]))


def _selected(
    document: Document, last: int | None, since: float | None
) -> tuple[Sequence[bytes], bool]:
    """The events to return, and whether no more of the history is needed."""
    events = document.events
    is_enough = last is not None and len(events) >= last
    if last is not None:
        events = events[-last:] if last else []
    if since is not None:
        position = _first_since(events, since, document.ref)
        is_enough = is_enough or position > 0
        events = events[position:]
    return events, is_enough


def _first_since(events: Sequence[bytes], since: float, ref: SessionRef) -> int:
    """Where the events from `since` on begin, looking back to the first older one."""
    position = len(events)
    try:
        while position and not parse_json(events[position - 1])["timestamp"] < since:
            position -= 1
    except (ValueError, KeyError, TypeError) as exc:
        raise unreadable(ref, "an event has no timestamp") from exc
    return position


def _stored(
    document: Document, app_state: dict[bytes, bytes], user_state: dict[bytes, bytes]
) -> StoredSession:
    return StoredSession(document, decode_state(app_state), decode_state(user_state))
