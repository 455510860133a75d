"""Create sessions, append to them, set their expiry."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from adksess.store import scripts
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
from adksess.store.documents import DocumentOperations
from adksess.store.durations import check_ttl
from adksess.store.errors import (
    AdksessError,
    SessionConflict,
    SessionExists,
    SessionNotFound,
    SessionTooLarge,
    WrongType,
)
from adksess.store.indexes import NEVER, SAMPLED_APPS, sample_size
from adksess.store.keys import SessionRef
from adksess.store.models import AppendResult, StoredValue
from adksess.store.scripts import Argument, ScriptCall
from adksess.store.state import NO_STATE, StateDelta

T = TypeVar("T")

_LOOKBACK = 65_536
"""Bytes of history that an append searches for a duplicate, unless the event is the newest."""

_RECENT_SECONDS = 60.0
_LATE_LOOKBACK = 1_048_576
"""The same for an event that is older than _RECENT_SECONDS. Limited too, so that the cost of an
append stays flat when the clock of a writer is behind."""

_WHOLE_HISTORY = 2**40
_ANY_TIME = iso_time(0)
_CONVERSIONS = 2

_STORED, _DUPLICATE, _MISSING, _FOREIGN, _CONFLICT, _TOO_LARGE = 1, 2, 0, -1, -2, -3
_FAILURES = (_MISSING, _FOREIGN, _CONFLICT, _TOO_LARGE)


class WriteOperations(DocumentOperations):
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
        too. `now` is the session's last_update_time until it has events (Unix seconds, the
        application's clock); created_at and updated_at are the server's time. Raises
        InvalidDuration, and SessionExists; then nothing is written, app and user state included.
        """
        ttl = ttl if ttl is None else check_ttl(ttl)
        moment = time.time() if now is None else now
        tail = Tail(
            state=dict(state.session),
            created_at=_ANY_TIME,
            updated_at=_ANY_TIME,
            last_update_time=moment,
            event_count=0,
            ttl=ttl or None,
            title="",
        )
        call = _Create(
            encode(Document(ref, tail)),
            (self.settings.ttl if ttl is None else ttl) * 1000,
            _fields(state.app),
            _fields(state.user),
            sample_size(),
        )
        run = self._create_on_cluster if self.settings.is_cluster else self._create_on_one_server
        code, created_at, _, *found = await _checked(
            ref, self._client.call(lambda client, attempt: run(client, ref, call, attempt))
        )
        if code != _STORED:
            raise SessionExists(f"Session {ref.session_id!r} already exists.")
        with suppress(AdksessError):  # the session is stored: a later create prunes instead
            if self.settings.is_cluster and call.samples:
                found = await self._sample_on_cluster(ref, call.samples)
            await self._prune(ref, *found)
        created = created_at.decode()
        return Document(ref, tail._replace(created_at=created, updated_at=created))

    async def append(
        self,
        ref: SessionRef,
        event: Any,
        state: StateDelta = NO_STATE,
        *,
        timestamp: float,
        title: str = "",
        expected_count: int | None = None,
        is_known: bool = False,
        is_unconfirmed: bool = False,
    ) -> AppendResult:
        """Add one event and merge its state delta, atomically, in one round trip.

        `event` is compact JSON (bytes) or a value that becomes it. An event equal to a stored one
        is a duplicate: nothing is written. `title` becomes the session's if it has none from an
        earlier message. `is_known`: the caller has seen the event stored; `is_unconfirmed`: an
        earlier call with it got no reply. Raises SessionNotFound, SessionUnreadable,
        SessionTooLarge, and SessionConflict when there are not `expected_count` events.
        """
        call = _Append(
            event if isinstance(event, bytes) else json_bytes(event),
            timestamp,
            json_bytes(title) if title else b"",
            [part for entry in state_entries(state.session) for part in entry],
            _fields(state.app),
            _fields(state.user),
            -1 if expected_count is None else expected_count,
        )
        searches_all = is_known or is_unconfirmed
        was_retried = False

        async def run(client: Client, attempt: int) -> list[int]:
            nonlocal was_retried
            was_retried = was_retried or attempt > 0
            lookback = _WHOLE_HISTORY if searches_all or attempt else call.lookback
            if not self.settings.is_cluster:
                return await self._append_on_one_server(client, ref, call, lookback)
            # an earlier attempt may have stored the event and lost its reply
            is_repeat = attempt > 0 or is_unconfirmed
            return await self._append_on_cluster(client, ref, call, lookback, is_repeat=is_repeat)

        for _ in range(_CONVERSIONS + 1):
            code, count, *_ = await _checked(ref, self._client.call(run))
            if code != _FOREIGN:
                break
            await self._convert(ref)
        if code in _FAILURES:
            raise _failure(code, ref, count, expected_count)
        return AppendResult(count, code == _DUPLICATE, was_retried)

    async def set_expiry(self, ref: SessionRef, ttl: int) -> bool:
        """Make a session expire in `ttl` seconds, 0 for never. False if it does not exist.

        Raises InvalidDuration.
        """
        (done,) = await self.set_expiries([ref], ttl)
        return done

    async def set_expiries(self, refs: Sequence[SessionRef], ttl: int) -> list[bool]:
        """Make sessions expire in `ttl` seconds, in one round trip; see set_expiry()."""
        ttl_ms = check_ttl(ttl) * 1000
        is_cluster = self.settings.is_cluster

        async def run(client: Client, attempt: int) -> list[bool]:
            calls = [
                ScriptCall(
                    scripts.SET_EXPIRY,
                    [
                        self.keys.session(ref),
                        *([] if is_cluster else [self.keys.user_sessions(*ref.user)]),
                    ],
                    [ttl_ms, ref.session_id],
                )
                for ref in refs
            ]
            answers = [bool(answer) for answer in await scripts.run_all(client, calls)]
            if is_cluster:
                await scripts.run_all(
                    client,
                    [
                        ScriptCall(
                            scripts.ADD_USER_SESSION,
                            [self.keys.user_sessions(*ref.user)],
                            [ttl_ms or NEVER, ref.session_id],
                        )
                        for ref, done in zip(refs, answers, strict=True)
                        if done
                    ],
                )
            return answers

        return await self._client.call(run) if refs else []

    async def _create_on_one_server(
        self, client: Client, ref: SessionRef, call: "_Create", attempt: int
    ) -> list[Any]:
        counts = [call.samples, len(call.apps) // 2, len(call.users) // 2]
        answer: list[Any] = await scripts.CREATE_SESSION.run(
            client,
            [self.keys.session(ref), *self._index_keys(ref), *self._state_keys_of(ref)],
            *(call.value, call.ttl_ms, *self._names(ref), int(attempt > 0), *counts),
            *call.apps,
            *call.users,
        )
        return answer

    async def _create_on_cluster(
        self, client: Client, ref: SessionRef, call: "_Create", attempt: int
    ) -> list[Any]:
        session, ttl_ms = self.keys.session(ref), call.ttl_ms
        # An existing session keeps its index entries.
        if attempt == 0 and await scripts.execute(client, "EXISTS", session):
            return [0, b"", 0, [], [], []]
        await self._index_on_cluster(client, ref, ttl_ms or NEVER)
        answer: list[Any] = await scripts.CREATE_SESSION.run(
            client,
            [session],
            *(call.value, ttl_ms, *self._names(ref), int(attempt > 0), 0, 0, 0),
        )
        if answer[0] == _STORED:
            # again: a listing between the two writes removes an entry without a document
            await self._index_on_cluster(client, ref, ttl_ms or NEVER, answer[2])
            await self._write_shared_state(client, ref, call.apps, call.users)
        return answer

    async def _append_on_one_server(
        self, client: Client, ref: SessionRef, call: "_Append", lookback: int
    ) -> list[int]:
        # Each argument costs time in redis-py and in Redis: unneeded keys are left out.
        keys = [self.keys.session(ref), *self._index_keys(ref)]
        if call.apps or call.users:
            keys += self._state_keys_of(ref)
        answer: list[int] = await scripts.APPEND_EVENT.run(
            client,
            keys,
            *call.arguments(ref, self.keys.app_member(ref), self.settings.ttl * 1000, lookback),
            *call.entries,
            *call.apps,
            *call.users,
        )
        return answer

    async def _append_on_cluster(
        self,
        client: Client,
        ref: SessionRef,
        call: "_Append",
        lookback: int,
        *,
        is_repeat: bool,
    ) -> list[int]:
        here = call._replace(apps=[], users=[])
        answer: list[int] = await scripts.APPEND_EVENT.run(
            client,
            [self.keys.session(ref)],
            *here.arguments(ref, b"", self.settings.ttl * 1000, lookback),
            *here.entries,
        )
        code, _, second, left = answer
        if code == _STORED or (code == _DUPLICATE and is_repeat):
            await self._write_shared_state(client, ref, call.apps, call.users)
            if second:
                await self._index_on_cluster(client, ref, left, second, was_indexed=True)
        return answer

    async def _convert(self, ref: SessionRef) -> None:
        """Convert another tool's document to our layout, keeping its expiry, and index it.

        Does nothing if it changed or vanished meanwhile. Raises SessionUnreadable.
        """
        value = await _checked(ref, self._client.command("GET", self.keys.session(ref)))
        if value is not None:
            await self.replace_if_unchanged(StoredValue(ref, value, None), decode(value, ref))

    async def _sample_on_cluster(self, ref: SessionRef, samples: int) -> list[Any]:
        """Expired ids in the user's index, random members of the app's, random apps."""
        user_index, app_index, apps = self._index_keys(ref)
        seconds, _ = await self._client.command("TIME")
        return await self._client.run_all(
            [
                ("ZRANGEBYSCORE", user_index, "-inf", f"({int(seconds)}", "LIMIT", 0, samples),
                ("ZRANDMEMBER", app_index, samples),
                ("SRANDMEMBER", apps, SAMPLED_APPS),
            ]
        )

    async def _prune(
        self,
        ref: SessionRef,
        expired: Sequence[bytes],
        members: Sequence[bytes],
        apps: Sequence[bytes],
    ) -> None:
        """Check some index entries, and remove those whose session does not exist."""
        names = (one.decode("utf-8", "replace") for one in expired)
        await self.prune_user_sessions([ref._replace(session_id=name) for name in names])
        if apps:
            await self.prune_random(ref.app_name, members, apps)

    def _state_keys_of(self, ref: SessionRef) -> list[bytes]:
        return [self.keys.app_state(ref.app_name), self.keys.user_state(*ref.user)]

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


class _Create(NamedTuple):
    """The arguments of a create: the document, its TTL, flat lists of state fields and values."""

    value: bytes
    ttl_ms: int
    apps: list[bytes]
    users: list[bytes]
    samples: int


class _Append(NamedTuple):
    """The arguments of an append: JSON, and flat lists of keys and values."""

    line: bytes
    timestamp: float
    title: bytes
    entries: list[bytes]
    apps: list[bytes]
    users: list[bytes]
    expected_count: int

    @property
    def lookback(self) -> int:
        """Bytes of history to search for a duplicate."""
        is_recent = self.timestamp > time.time() - _RECENT_SECONDS
        return _LOOKBACK if is_recent else _LATE_LOOKBACK

    def arguments(
        self, ref: SessionRef, member: bytes, ttl_ms: int, lookback: int
    ) -> tuple[Argument, ...]:
        """The arguments of append_event.lua before the entries."""
        counts = f"{len(self.entries) // 2} {len(self.apps) // 2} {len(self.users) // 2}"
        return (
            self.line,
            repr(float(self.timestamp)),
            self.title,
            ref.session_id,
            member,
            ref.app_name,
            f"{ttl_ms} {lookback} {self.expected_count} {counts}",
        )


def _failure(code: int, ref: SessionRef, count: int, expected_count: int | None) -> AdksessError:
    """The error for a code of append_event.lua."""
    if code == _MISSING:
        return SessionNotFound(f"Session {ref.session_id!r} not found.")
    if code == _CONFLICT:
        return SessionConflict(
            f"Session {ref.session_id!r} has {count} events, {expected_count} were expected: "
            "another writer appended since it was read. Read it again and repeat."
        )
    if code == _TOO_LARGE:
        return SessionTooLarge(
            f"Session {ref.session_id!r} of user {ref.user_id!r} in app {ref.app_name!r} has "
            "reached the server's size limit for one value (proto-max-bulk-len, 512 MB): "
            "shorten it with `adksess trim`. Nothing was written."
        )
    return unreadable(ref, "it does not have the layout of a session, even after a conversion")


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
