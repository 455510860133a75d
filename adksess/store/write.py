"""Creating sessions, appending to them, deleting them."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.document import (
    Document,
    decode,
    encode,
    iso_time,
    json_bytes,
    state_entries,
    unreadable,
)
from adksess.store.errors import SessionConflict, SessionExists, SessionNotFound, WrongType
from adksess.store.keys import Keys, SessionRef
from adksess.store.models import AppendResult

LOOKBACK = 65_536
"""Bytes of history that an append searches for a copy of an event that is not the newest."""

FRESH = 60.0
"""Seconds within which the copy of an event, if there is one, must stand near the end."""

EVERYTHING = 2**40

_STORED, _REDELIVERED, _MISSING, _FOREIGN, _MOVED_ON = 1, 2, 0, -1, -2


async def create(
    server: RedisClient,
    keys: Keys,
    document: Document,
    *,
    app_state: Mapping[str, Any],
    user_state: Mapping[str, Any],
    ttl: int,
) -> None:
    """Store a new session. `ttl` is in seconds, 0 for no expiry.

    Raises SessionExists, and writes nothing then, not even the state.
    """
    ref, value = document.ref, encode(document)
    session = keys.session(ref)
    apps, users = _fields(app_state), _fields(user_state)

    async def on_one_server(client: Client, attempt: int) -> int:
        answer: int = await scripts.CREATE.run(
            client,
            [session, *_shared_keys(keys, ref)],
            value,
            ttl * 1000,
            ref.session_id,
            int(attempt > 0),
            len(apps) // 2,
            len(users) // 2,
            *apps,
            *users,
        )
        return answer

    async def on_a_cluster(client: Client, attempt: int) -> int:
        await _enter_index(client, keys, ref, ttl * 1000)
        answer: int = await scripts.CREATE.run(
            client, [session], value, ttl * 1000, ref.session_id, int(attempt > 0), 0, 0
        )
        if answer == 1:
            # again: a listing between the two writes drops an id that has no document yet
            await _enter_index(client, keys, ref, ttl * 1000)
            await _write_shared_state(client, keys, ref, apps, users)
        return answer

    run = on_a_cluster if server.settings.is_cluster else on_one_server
    if await _guarded(ref, server.call(run)) == 0:
        raise SessionExists(f"Session {ref.session_id!r} already exists.")


async def append(
    server: RedisClient,
    keys: Keys,
    ref: SessionRef,
    event: Any,
    *,
    state: Mapping[str, Any],
    app_state: Mapping[str, Any],
    user_state: Mapping[str, Any],
    timestamp: float,
    expected_count: int | None = None,
    is_known: bool = False,
    is_unconfirmed: bool = False,
) -> AppendResult:
    """Add one event to a session and merge its state deltas, in one step.

    `event` is compact JSON or what becomes it; `is_known` says that the caller has seen it
    stored, `is_unconfirmed` that an earlier call with it ended without an answer. Raises
    SessionNotFound, SessionConflict when there are not `expected_count` events,
    SessionUnreadable, ServerUnavailable.
    """
    line = event if isinstance(event, bytes) else json_bytes(event)
    session = keys.session(ref)
    is_cluster = server.settings.is_cluster
    ttl_ms = server.settings.ttl * 1000
    now = time.time()
    search_all = is_known or is_unconfirmed or timestamp < now - FRESH
    entries = [part for entry in state_entries(state) for part in entry]
    apps, users = _fields(app_state), _fields(user_state)
    expected = -1 if expected_count is None else expected_count
    if is_cluster:
        all_keys, counts, written = [session], f"{len(entries) // 2} 0 0", entries
    else:
        # The fewer arguments, the cheaper the call: keys that are not needed stay out of it.
        all_keys = [session, keys.user_sessions(ref.app_name, ref.user_id)]
        if apps or users:
            all_keys = [session, *_shared_keys(keys, ref)]
        counts = f"{len(entries) // 2} {len(apps) // 2} {len(users) // 2}"
        written = [*entries, *apps, *users]

    was_retried = False

    async def run(client: Client, attempt: int) -> list[int]:
        nonlocal was_retried
        was_retried = was_retried or attempt > 0
        lookback = EVERYTHING if search_all or attempt else LOOKBACK
        answer: list[int] = await scripts.APPEND.run(
            client,
            all_keys,
            line,
            repr(float(timestamp)),
            iso_time(now),
            ref.session_id,
            f"{ttl_ms} {lookback} {expected} {counts}",
            *written,
        )
        # the event may have been stored by a try that came to its end there
        is_repeat = answer[0] == _REDELIVERED and (attempt > 0 or is_unconfirmed)
        if is_cluster and (answer[0] == _STORED or is_repeat):
            await _write_shared_state(client, keys, ref, apps, users)
            if answer[2]:
                await _enter_index(client, keys, ref, answer[2])
        return answer

    code, count, _ = await _guarded(ref, server.call(run))
    while code == _FOREIGN:
        await convert(server, keys, ref)
        code, count, _ = await _guarded(ref, server.call(run))
    if code == _MISSING:
        raise SessionNotFound(f"Session {ref.session_id!r} not found.")
    if code == _MOVED_ON:
        raise SessionConflict(
            f"Session {ref.session_id!r} has {count} events, {expected} were expected: somebody "
            "appended since it was read. Read it again and repeat."
        )
    return AppendResult(count, code == _REDELIVERED, was_retried)


async def convert(server: RedisClient, keys: Keys, ref: SessionRef) -> None:
    """Lay out a document of another tool as ours, with its expiry, and enter it in the index.

    Does nothing when it changes or goes meanwhile. Raises SessionUnreadable.
    """
    session = keys.session(ref)

    async def run(client: Client, attempt: int) -> None:
        value = await client.execute_command("GET", session)
        if value is None:
            return
        if await scripts.REPLACE.run(client, [session], value, encode(decode(value, ref))):
            left = await client.execute_command("PTTL", session)
            await _enter_index(client, keys, ref, max(0, left))

    await _guarded(ref, server.call(run))


async def delete(server: RedisClient, keys: Keys, refs: Sequence[SessionRef]) -> int:
    """Delete sessions, leaving app and user state. Returns how many there were."""

    sessions = [keys.session(ref) for ref in refs]
    by_index: dict[bytes, list[str]] = {}
    for ref in refs:
        index = keys.user_sessions(ref.app_name, ref.user_id)
        by_index.setdefault(index, []).append(ref.session_id)

    async def run(client: Client, attempt: int) -> int:
        calls: list[tuple[scripts.Argument, ...] | scripts.ScriptCall] = (
            [("UNLINK", key) for key in sessions]  # a command touches the keys of one slot only
            if server.settings.is_cluster
            else [("UNLINK", *sessions)]
        )
        deletions = len(calls)
        calls += [
            scripts.ScriptCall(scripts.LEAVE, [index], ids) for index, ids in by_index.items()
        ]
        answers = await scripts.run_all(client, calls)
        return sum(answers[:deletions])

    return await server.call(run) if refs else 0


async def delete_state(server: RedisClient, state_keys: Sequence[bytes]) -> int:
    """Delete state hashes, and no key of another type. Returns how many there were."""

    async def run(client: Client, attempt: int) -> int:
        types = await scripts.run_all(client, [("TYPE", key) for key in state_keys])
        hashes = [key for key, kind in zip(state_keys, types, strict=True) if kind == b"hash"]
        return sum(await scripts.run_all(client, [("UNLINK", key) for key in hashes]))

    return await server.call(run) if state_keys else 0


async def set_expiry(server: RedisClient, keys: Keys, ref: SessionRef, ttl: int) -> bool:
    """Let a session expire in `ttl` seconds, 0 for never. False when there is no such session."""

    async def run(client: Client, attempt: int) -> bool:
        indexes = [] if server.settings.is_cluster else [keys.user_sessions(*ref[:2])]
        done = await scripts.EXPIRE.run(
            client, [keys.session(ref), *indexes], ttl * 1000, ref.session_id
        )
        if done and not indexes:
            await _enter_index(client, keys, ref, ttl * 1000)
        return bool(done)

    return await server.call(run)


async def index_session(
    server: RedisClient, keys: Keys, ref: SessionRef, ttl: float | None
) -> None:
    """Enter a session in its user's index; `ttl` in seconds, None for never."""

    async def run(client: Client, attempt: int) -> None:
        await _enter_index(client, keys, ref, 0 if ttl is None else max(1, int(ttl * 1000)))

    await server.call(run)


def _shared_keys(keys: Keys, ref: SessionRef) -> list[bytes]:
    return [
        keys.user_sessions(ref.app_name, ref.user_id),
        keys.app_state(ref.app_name),
        keys.user_state(ref.app_name, ref.user_id),
    ]


def _fields(state: Mapping[str, Any]) -> list[bytes]:
    """Field, value, field, value … for a hash: names as they are, values as JSON."""
    return [
        part
        for name, value in state.items()
        for part in (name.encode("utf-8", "surrogatepass"), json_bytes(value))
    ]


async def _enter_index(client: Client, keys: Keys, ref: SessionRef, ttl_ms: int) -> None:
    index = keys.user_sessions(ref.app_name, ref.user_id)
    await scripts.ENTER.run(client, [index], ttl_ms, ref.session_id)


async def _write_shared_state(
    client: Client, keys: Keys, ref: SessionRef, apps: list[bytes], users: list[bytes]
) -> None:
    calls: list[tuple[scripts.Argument, ...] | scripts.ScriptCall] = []
    if apps:
        calls.append(("HSET", keys.app_state(ref.app_name), *apps))
    if users:
        calls.append(("HSET", keys.user_state(ref.app_name, ref.user_id), *users))
    if calls:
        await scripts.run_all(client, calls)


async def _guarded(ref: SessionRef, answer: Any) -> Any:
    """Await a call, and say which session it is whose key holds something else."""
    try:
        return await answer
    except WrongType as exc:
        raise unreadable(ref, "one of its keys is of another type") from exc
