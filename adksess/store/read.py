"""Reading sessions: whole, from the end, or their tails alone."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.asyncio import RedisCluster

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.document import (
    Document,
    decode,
    decode_tail,
    event_lines,
    find_tail,
    parse_json,
    unreadable,
)
from adksess.store.errors import SessionUnreadable, WrongType
from adksess.store.keys import Keys, SessionRef, UserRef
from adksess.store.models import SessionSummary, StoredSession
from adksess.store.prefetch import prefetch

_FIRST_READ = 32_768
_READ_GROWTH = 4
_BATCH = 500
_SCAN_COUNT = 1_000
_INDEXES = 100
"""Indexes that are read whole at a time: a thousand of them may name a million sessions."""


async def read(
    server: RedisClient,
    keys: Keys,
    ref: SessionRef,
    *,
    last: int | None = None,
    since: float | None = None,
) -> StoredSession | None:
    """A session, or None when there is none.

    `last` limits it to that many events, `since` to those from that time (Unix seconds) on:
    then only the end of the history is read. Raises SessionUnreadable.
    """
    if last is None and since is None:
        return await _read_whole(server, keys, ref)
    history = 0 if last == 0 else _FIRST_READ
    while True:
        (found, *shared) = await _with_shared_state(
            server, keys, ref, scripts.ScriptCall(scripts.TAILS, [keys.session(ref)], [history])
        )
        end, length, _ = found[0]
        if length <= 0:
            if length < 0:
                raise unreadable(ref, "its key is not a string")
            return None
        is_whole = len(end) == length
        document = _decode_end(end, ref, is_whole=is_whole)
        events = list(document.events)
        enough = is_whole or (last is not None and len(events) >= last)
        if last is not None:
            events = events[-last:] if last else []
        if since is not None:
            position = _first_since(events, since, ref)
            enough = enough or position > 0
            events = events[position:]
        if enough:
            return _stored(replace(document, events=events), *shared)
        history = max(history * _READ_GROWTH, _FIRST_READ)


async def value(server: RedisClient, keys: Keys, ref: SessionRef) -> bytes | None:
    """The stored document as it is, or None. Raises SessionUnreadable for another type of key."""

    async def run(client: Client, attempt: int) -> bytes | None:
        answer: bytes | None = await client.execute_command("GET", keys.session(ref))
        return answer

    try:
        return await server.call(run)
    except WrongType as exc:
        raise unreadable(ref, "its key is not a string") from exc


async def key_count(server: RedisClient) -> int:
    """Keys in the database, ours and others."""

    async def run(client: Client, attempt: int) -> int:
        return int(await client.dbsize())

    return await server.call(run)


async def states(
    server: RedisClient, keys: Keys, app_name: str, user_ids: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """An app's state, and that of several of its users by user id; keys without prefixes."""
    wanted = [keys.app_state(app_name), *(keys.user_state(app_name, user) for user in user_ids)]

    async def run(client: Client, attempt: int) -> list[Any]:
        return await scripts.run_all(client, [("HGETALL", key) for key in wanted])

    app_state, *user_states = map(decode_state, await server.call(run))
    return app_state, dict(zip(user_ids, user_states, strict=True))


async def summaries(
    server: RedisClient, keys: Keys, refs: Sequence[SessionRef]
) -> list[SessionSummary]:
    """Summaries of the sessions that exist, in the order asked for."""
    found: list[SessionSummary] = []
    for start in range(0, len(refs), _BATCH):
        batch = {keys.session(ref): ref for ref in refs[start : start + _BATCH]}
        found += _summaries(batch, await _tails(server, list(batch)))
    return found


async def user_summaries(
    server: RedisClient, keys: Keys, app_name: str, user_id: str
) -> list[SessionSummary]:
    """Summaries of one user's sessions, from the user's index.

    Ids whose session has expired or was deleted by hand are dropped from the index.
    """
    index = keys.user_sessions(app_name, user_id)

    async def ids(client: Client, attempt: int) -> list[bytes]:
        answer: list[bytes] = await client.execute_command("ZRANGE", index, 0, -1)
        return answer

    members = await server.call(ids)
    refs = [SessionRef(app_name, user_id, member.decode("utf-8", "replace")) for member in members]
    found = await summaries(server, keys, refs)
    there = {summary.ref for summary in found}
    gone = [] if server.settings.is_cluster else [ref for ref in refs if ref not in there]
    if len(there) < len(refs):

        async def prune(client: Client, attempt: int) -> None:
            documents = [keys.session(ref) for ref in gone]
            await scripts.PRUNE.run(client, [index, *documents], *(ref.session_id for ref in gone))

        await server.call(prune)
    return found


async def scan(
    server: RedisClient, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncGenerator[list[SessionSummary], None]:
    """All sessions, or those of an app or a user, in batches, in no order, each one once."""
    async for batch, answers in prefetch(_scan_tails(server, keys, app_name, user_id)):
        yield _summaries(batch, answers)


async def _scan_tails(
    server: RedisClient, keys: Keys, app_name: str | None, user_id: str | None
) -> AsyncGenerator[tuple[dict[bytes, SessionRef], list[Any]], None]:
    seen: set[bytes] = set()
    async for batch in prefetch(scan_names(server, keys, app_name, user_id)):
        new = {key: ref for key, ref in batch.items() if key not in seen}
        seen.update(new)
        if new:
            yield new, await _tails(server, list(new))


async def scan_names(
    server: RedisClient, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncGenerator[dict[bytes, SessionRef], None]:
    """The keys and names of sessions, in batches; one may come twice."""
    async for batch in scan_keys(server, keys.sessions_pattern(app_name, user_id)):
        yield {key: ref for key in batch if (ref := keys.parse_session(key))}


async def scan_indexes(
    server: RedisClient, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncGenerator[list[tuple[bytes, UserRef, list[bytes]]], None]:
    """Users' indexes, some at a time: key, user, and the ids that it names. One may come twice."""
    async for batch in prefetch(
        scan_keys(server, keys.user_sessions_pattern(app_name), kind="zset")
    ):
        users = [(key, user) for key in batch if (user := keys.parse_user_sessions(key))]
        chosen = [(key, user) for key, user in users if user_id in (None, user.user_id)]
        for start in range(0, len(chosen), _INDEXES):
            some = chosen[start : start + _INDEXES]

            async def members(
                client: Client, attempt: int, some: Sequence[tuple[bytes, UserRef]] = some
            ) -> list[list[bytes]]:
                return await scripts.run_all(client, [("ZRANGE", key, 0, -1) for key, _ in some])

            answers = await server.call(members)
            yield [(*index, ids) for index, ids in zip(some, answers, strict=True)]


async def scan_keys(
    server: RedisClient, pattern: bytes, *, kind: str | None = None
) -> AsyncGenerator[list[bytes], None]:
    """Keys that match a pattern, and are of a type, as SCAN gives them: a key may come twice."""
    cursors: dict[str, int] = {}
    choice = ["MATCH", pattern, "COUNT", _SCAN_COUNT, *(("TYPE", kind) if kind else ())]

    async def step(client: Client, attempt: int) -> list[bytes]:
        if isinstance(client, RedisCluster):
            return await _scan_cluster(client, choice, cursors)
        cursor, batch = await client.execute_command("SCAN", cursors.get("", 0), *choice)
        cursors[""] = int(cursor)
        return list(batch)

    while True:
        batch = await server.call(step)
        if batch:
            yield batch
        if not any(cursors.values()):
            return


async def _scan_cluster(
    client: RedisCluster, choice: Sequence[scripts.Argument], cursors: dict[str, int]
) -> list[bytes]:
    """One step of a SCAN on every primary that is not done."""
    batch: list[bytes] = []
    await client.initialize()
    for node in client.get_primaries():
        cursor = cursors.get(node.name)
        if cursor == 0:
            continue
        by_node, found = await client.execute_command(
            "SCAN", cursor or 0, *choice, target_nodes=node
        )
        cursors[node.name] = by_node[node.name]
        batch += found
    return batch


async def _read_whole(server: RedisClient, keys: Keys, ref: SessionRef) -> StoredSession | None:
    value, *shared = await _with_shared_state(server, keys, ref, ("GET", keys.session(ref)))
    return None if value is None else _stored(decode(value, ref), *shared)


async def _with_shared_state(
    server: RedisClient,
    keys: Keys,
    ref: SessionRef,
    call: tuple[scripts.Argument, ...] | scripts.ScriptCall,
) -> list[Any]:
    """The answer to a call about a session, with the app's and the user's state beside it."""

    async def run(client: Client, attempt: int) -> list[Any]:
        return await scripts.run_all(
            client,
            [
                call,
                ("HGETALL", keys.app_state(ref.app_name)),
                ("HGETALL", keys.user_state(ref.app_name, ref.user_id)),
            ],
        )

    try:
        return await server.call(run)
    except WrongType as exc:
        raise unreadable(ref, "one of its keys is of another type") from exc


async def _tails(server: RedisClient, session_keys: Sequence[bytes]) -> list[Any]:
    if server.settings.is_cluster:  # a script may touch the keys of one slot only

        async def each(client: Client, attempt: int) -> list[Any]:
            answers = await scripts.run_all(
                client, [scripts.ScriptCall(scripts.TAILS, [key], [0]) for key in session_keys]
            )
            return [answer[0] for answer in answers]

        return await server.call(each)

    async def run(client: Client, attempt: int) -> list[Any]:
        answer: list[Any] = await scripts.TAILS.run(client, session_keys, 0)
        return answer

    return await server.call(run)


def _summaries(batch: Mapping[bytes, SessionRef], answers: Sequence[Any]) -> list[SessionSummary]:
    """What the tails of some keys say, those that are missing left out."""
    return [
        _summary(ref, key.decode(), *answer)
        for (key, ref), answer in zip(batch.items(), answers, strict=True)
        if answer[1] != 0
    ]


def _summary(ref: SessionRef, key: str, end: bytes, length: int, ttl_ms: int) -> SessionSummary:
    ttl = None if ttl_ms < 0 else ttl_ms / 1000
    if length < 0:
        return SessionSummary(ref, key, None, 0, None, "its key is not a string")
    try:
        start = find_tail(end)
        tail = decode(end, ref).tail if start is None else decode_tail(end[start:])
    except (SessionUnreadable, ValueError, KeyError, TypeError):
        return SessionSummary(ref, key, None, length, ttl, "it is not a session document")
    return SessionSummary(ref, key, tail, length, ttl, is_foreign=start is None)


def _decode_end(end: bytes, ref: SessionRef, *, is_whole: bool) -> Document:
    """Read a whole value, or the end of one: its tail and the events that stand whole before."""
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


def decode_state(fields: dict[bytes, bytes]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            state[name.decode("utf-8", "surrogatepass")] = parse_json(value)
        except ValueError:  # set by hand, as plain text
            state[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return state
