"""Create sessions, append to them, set their expiry, and keep the indexes up to date."""

import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from adksess.store import scripts
from adksess.store.base import StoreBase
from adksess.store.connect import Client
from adksess.store.document import (
    Document,
    Tail,
    decode,
    encode,
    iso_time,
    json_bytes,
    state_entries,
    unreadable,
)
from adksess.store.errors import SessionConflict, SessionExists, SessionNotFound, WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import AppendResult, SessionSummary
from adksess.store.scripts import Argument, ScriptCall
from adksess.store.state import NO_STATE, StateDelta

T = TypeVar("T")

_LOOKBACK = 65_536
"""Bytes of history that an append searches for a duplicate, unless the event is the newest."""

_RECENT_SECONDS = 60.0
"""For events younger than this, only the end of the history is searched for a duplicate."""

_WHOLE_HISTORY = 2**40

_STORED, _DUPLICATE, _MISSING, _FOREIGN, _CONFLICT = 1, 2, 0, -1, -2


class WriteOperations(StoreBase):
    """Operations that write one session."""

    async def create(
        self,
        ref: SessionRef,
        state: StateDelta = NO_STATE,
        *,
        ttl: int | None = None,
        now: float | None = None,
    ) -> Document:
        """Store a new session without events.

        A `ttl` (seconds, 0 for no expiry) replaces the store's for this session, at every append
        too. Raises SessionExists; then nothing is written, app and user state included.
        """
        moment = time.time() if now is None else now
        tail = Tail(
            state=dict(state.session),
            created_at=iso_time(moment),
            updated_at=iso_time(moment),
            last_update_time=moment,
            event_count=0,
            ttl=ttl or None,
        )
        document = Document(ref, tail)
        session, value = self.keys.session(ref), encode(document)
        ttl_ms = (self.settings.ttl if ttl is None else ttl) * 1000
        apps, users = _fields(state.app), _fields(state.user)

        async def on_one_server(client: Client, attempt: int) -> int:
            answer: int = await scripts.CREATE_SESSION.run(
                client,
                [session, *self._shared_keys(ref)],
                value,
                ttl_ms,
                ref.session_id,
                int(attempt > 0),
                len(apps) // 2,
                len(users) // 2,
                *apps,
                *users,
            )
            return answer

        async def on_a_cluster(client: Client, attempt: int) -> int:
            await self._add_to_index(client, ref, ttl_ms)
            answer: int = await scripts.CREATE_SESSION.run(
                client, [session], value, ttl_ms, ref.session_id, int(attempt > 0), 0, 0
            )
            if answer == 1:
                # again: a listing between the two writes removes an id without a document
                await self._add_to_index(client, ref, ttl_ms)
                await self._write_shared_state(client, ref, apps, users)
            return answer

        run = on_a_cluster if self.settings.is_cluster else on_one_server
        if await _checked(ref, self._client.call(run)) == 0:
            raise SessionExists(f"Session {ref.session_id!r} already exists.")
        return document

    async def append(
        self,
        ref: SessionRef,
        event: Any,
        state: StateDelta = NO_STATE,
        *,
        timestamp: float,
        expected_count: int | None = None,
        is_known: bool = False,
        is_unconfirmed: bool = False,
    ) -> AppendResult:
        """Add one event and merge its state delta, atomically, in one round trip.

        `event` is compact JSON (bytes) or a value that becomes it. An event equal to a stored one
        is a duplicate: nothing is written. `is_known`: the caller has seen it stored;
        `is_unconfirmed`: an earlier call with it got no reply. Raises SessionNotFound,
        SessionUnreadable, and SessionConflict when there are not `expected_count` events.
        """
        line = event if isinstance(event, bytes) else json_bytes(event)
        session = self.keys.session(ref)
        is_cluster = self.settings.is_cluster
        now = time.time()
        search_all = is_known or is_unconfirmed or timestamp < now - _RECENT_SECONDS
        entries = [part for entry in state_entries(state.session) for part in entry]
        apps, users = _fields(state.app), _fields(state.user)
        expected = -1 if expected_count is None else expected_count
        if is_cluster:
            keys, counts, written = [session], f"{len(entries) // 2} 0 0", entries
        else:
            # Each argument costs time in redis-py and in Redis: unneeded keys are left out.
            keys = [session, self.keys.user_sessions(*ref.user)]
            if apps or users:
                keys = [session, *self._shared_keys(ref)]
            counts = f"{len(entries) // 2} {len(apps) // 2} {len(users) // 2}"
            written = [*entries, *apps, *users]
        was_retried = False

        async def run(client: Client, attempt: int) -> list[int]:
            nonlocal was_retried
            was_retried = was_retried or attempt > 0
            lookback = _WHOLE_HISTORY if search_all or attempt else _LOOKBACK
            answer: list[int] = await scripts.APPEND_EVENT.run(
                client,
                keys,
                line,
                repr(float(timestamp)),
                iso_time(now),
                ref.session_id,
                f"{self.settings.ttl * 1000} {lookback} {expected} {counts}",
                *written,
            )
            # an earlier attempt may have stored the event and lost its reply
            is_repeat = answer[0] == _DUPLICATE and (attempt > 0 or is_unconfirmed)
            if is_cluster and (answer[0] == _STORED or is_repeat):
                await self._write_shared_state(client, ref, apps, users)
                if answer[2]:
                    await self._add_to_index(client, ref, answer[2])
            return answer

        code, count, _ = await _checked(ref, self._client.call(run))
        while code == _FOREIGN:
            await self._convert(ref)
            code, count, _ = await _checked(ref, self._client.call(run))
        if code == _MISSING:
            raise SessionNotFound(f"Session {ref.session_id!r} not found.")
        if code == _CONFLICT:
            raise SessionConflict(
                f"Session {ref.session_id!r} has {count} events, {expected} were expected: "
                "another writer appended since it was read. Read it again and repeat."
            )
        return AppendResult(count, code == _DUPLICATE, was_retried)

    async def set_expiry(self, ref: SessionRef, ttl: int) -> bool:
        """Make a session expire in `ttl` seconds, 0 for never. False if it does not exist."""
        indexes = [] if self.settings.is_cluster else [self.keys.user_sessions(*ref.user)]

        async def run(client: Client, attempt: int) -> bool:
            done = await scripts.SET_EXPIRY.run(
                client, [self.keys.session(ref), *indexes], ttl * 1000, ref.session_id
            )
            if done and not indexes:
                await self._add_to_index(client, ref, ttl * 1000)
            return bool(done)

        return await self._client.call(run)

    async def index_session(self, summary: SessionSummary) -> None:
        """Add a session that another tool wrote to its user's index."""
        ttl = summary.ttl_seconds
        ttl_ms = 0 if ttl is None else max(1, int(ttl * 1000))
        await self._client.call(lambda client, _: self._add_to_index(client, summary.ref, ttl_ms))

    async def _convert(self, ref: SessionRef) -> None:
        """Convert another tool's document to our layout, keeping its expiry, and index it.

        Does nothing if it changed or vanished meanwhile. Raises SessionUnreadable.
        """
        session = self.keys.session(ref)

        async def run(client: Client, attempt: int) -> None:
            value = await client.execute_command("GET", session)
            if value is None:
                return
            converted = encode(decode(value, ref))
            if await scripts.REPLACE_DOCUMENT.run(client, [session], value, converted):
                left = await client.execute_command("PTTL", session)
                await self._add_to_index(client, ref, max(0, left))

        await _checked(ref, self._client.call(run))

    def _shared_keys(self, ref: SessionRef) -> list[bytes]:
        return [
            self.keys.user_sessions(*ref.user),
            self.keys.app_state(ref.app_name),
            self.keys.user_state(*ref.user),
        ]

    async def _add_to_index(self, client: Client, ref: SessionRef, ttl_ms: int) -> None:
        index = self.keys.user_sessions(*ref.user)
        await scripts.INDEX_ADD.run(client, [index], ttl_ms, ref.session_id)

    async def _write_shared_state(
        self, client: Client, ref: SessionRef, apps: list[bytes], users: list[bytes]
    ) -> None:
        calls: list[tuple[Argument, ...] | ScriptCall] = []
        if apps:
            calls.append(("HSET", self.keys.app_state(ref.app_name), *apps))
        if users:
            calls.append(("HSET", self.keys.user_state(*ref.user), *users))
        if calls:
            await scripts.run_all(client, calls)


def _fields(state: Mapping[str, Any]) -> list[bytes]:
    """Field, value, field, value … for a hash: names as they are, values as JSON."""
    return [
        part
        for name, value in state.items()
        for part in (name.encode("utf-8", "surrogatepass"), json_bytes(value))
    ]


async def _checked(ref: SessionRef, answer: Awaitable[T]) -> T:
    """Await a call; a WrongType error becomes one that names the session."""
    try:
        return await answer
    except WrongType as exc:
        raise unreadable(ref, "one of its keys is of another type") from exc
