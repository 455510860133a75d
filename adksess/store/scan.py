"""Find sessions: summaries without histories, passes over all keys, users' indexes."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import RedisCluster

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.document import decode, decode_tail, find_tail
from adksess.store.errors import SessionUnreadable
from adksess.store.indexes import IndexOperations
from adksess.store.keys import COMPLETE, LACKS_USER_ENTRIES, SessionRef, UserRef
from adksess.store.models import SessionSummary
from adksess.store.prefetch import prefetch
from adksess.store.read import ReadOperations
from adksess.store.scripts import Argument, ScriptCall

_SUMMARIES_PER_BATCH = 1_000
_TAILS_PER_CALL = 500
"""A script blocks the server for about 3 ms then, with 4 kB of history."""

_KEYS_PER_SCAN = 1_000
_FIRST_SCANS = 10
_KEYS_PER_LATER_SCAN = 10_000
"""Keys per step of SCAN once the first ten steps have shown that the database is large: a step
takes Valkey 9.1 about 2 ms then, and a pass over a million keys half the time.
"""
_INDEXES_PER_CALL = 100
"""Users' indexes that are read whole in one call: a thousand may name a million sessions."""


class ScanOperations(ReadOperations, IndexOperations):
    """Operations that find sessions and read their tails."""

    async def summaries(
        self, refs: Sequence[SessionRef], *, history_bytes: int = 0
    ) -> list[SessionSummary]:
        """Return summaries of the sessions that exist, in the order of `refs`.

        `history_bytes` is how much of the end of each history to read with them.
        """
        found: list[SessionSummary] = []
        for batch in batched(refs, _SUMMARIES_PER_BATCH):
            by_key = {self.keys.session(ref): ref for ref in batch}
            found += to_summaries(by_key, await self._tails(list(by_key), history_bytes))
        return found

    async def user_summaries(self, app_name: str, user_id: str) -> list[SessionSummary]:
        """Return summaries of one user's sessions, from the user's index.

        The cost depends on the user's sessions, not on the database. Ids whose session has
        expired or was deleted by hand are removed from the index. Raises WrongType.
        """
        index = self.keys.user_sessions(app_name, user_id)
        ids = await self._client.command("ZRANGE", index, 0, -1)
        refs = [SessionRef(app_name, user_id, one.decode("utf-8", "replace")) for one in ids]
        found = await self.summaries(refs)
        existing = {summary.ref for summary in found}
        await self.prune_user_sessions([ref for ref in refs if ref not in existing])
        return found

    async def scan(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncGenerator[list[SessionSummary], None]:
        """Yield all sessions, or those of an app or a user, in batches, unordered, each once.

        Finds the sessions of every tool that writes this layout.
        """
        async for batch, answers in prefetch(self._scan_tails(app_name, user_id)):
            yield to_summaries(batch, answers)

    async def scan_refs(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[list[SessionRef]]:
        """Yield the names of sessions in batches; one may come twice."""
        async for batch in self._scan_names(app_name, user_id):
            yield list(batch.values())

    async def now(self) -> float:
        """Return the server's time in Unix seconds: ages and relative times count from it."""
        seconds, micros = await self._client.command("TIME")
        return int(seconds) + int(micros) / 1_000_000

    async def key_count(self) -> int:
        """Return the number of keys in the database, foreign ones included."""
        return await key_count(self._client)

    async def indexed_apps(self) -> list[str]:
        """The apps that have a recency index, by the names of keys."""
        types = await self._app_index_types()
        return [app for app, kind in types.items() if kind == b"zset"]

    async def mark_complete(self) -> None:
        """Record that every session is in the indexes: listings rely on them from now on.

        Also repairs the set of apps. Does nothing while a key of another type is in the place of an
        app's index, the set or the record.
        """
        types, name = await self._app_index_types(), self.keys.session_apps()
        is_usable = all(kind == b"zset" for kind in types.values())
        if not is_usable or await self.wrong_records():
            return
        await self._client.command("SADD", name, COMPLETE, *types)
        await self._client.command("SREM", name, LACKS_USER_ENTRIES)
        for app in await self._client.command("SMEMBERS", name) - {COMPLETE}:
            if (text := app.decode("utf-8", "replace")) not in types:
                await self._remove_empty_app(text)
        seconds, _ = await self._client.command("TIME")
        await self._client.command("SET", self.keys.session_index(), int(seconds))

    async def wrong_records(self) -> list[bytes]:
        """The set of apps and the record of completeness, where another program wrote them."""
        name, record = self.keys.session_apps(), self.keys.session_index()
        kind, value = await self._answers([("TYPE", name), ("GET", record)])
        wrong = [] if kind in (b"set", b"none") else [name]
        return wrong if is_record(value) else [*wrong, record]

    async def _app_index_types(self) -> dict[str, bytes]:
        """The types of the keys that are named like apps' recency indexes, by app."""
        types: dict[str, bytes] = {}
        async for batch in scan_keys(self._client, self.keys.app_sessions_pattern()):
            apps = [self.keys.parse_app_sessions(key) for key in batch]
            kinds = await self._client.run_all([("TYPE", key) for key in batch])
            types.update(
                (app, kind)
                for app, kind in zip(apps, kinds, strict=True)
                if app is not None and kind != b"none"
            )
        return types

    async def _scan_tails(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[tuple[dict[bytes, SessionRef], list[Any]], None]:
        seen: set[bytes] = set()
        async for batch in prefetch(self._scan_names(app_name, user_id)):
            new = {key: ref for key, ref in batch.items() if key not in seen}
            seen.update(new)
            if new:
                yield new, await self._tails(list(new))

    async def _scan_names(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncGenerator[dict[bytes, SessionRef], None]:
        """The keys and names of sessions, in batches; one may come twice."""
        pattern = self.keys.sessions_pattern(app_name, user_id)
        async for batch in scan_keys(self._client, pattern):
            yield {key: ref for key in batch if (ref := self.keys.parse_session(key))}

    async def _scan_indexes(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncGenerator[list[tuple[bytes, UserRef, list[bytes]]], None]:
        """Users' indexes in batches: key, user, and the ids in it. One may come twice."""
        async for indexes, answers in prefetch(self._read_indexes(app_name, user_id)):
            yield [(*index, ids) for index, ids in zip(indexes, answers, strict=True)]

    async def _read_indexes(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[tuple[Sequence[tuple[bytes, UserRef]], list[list[bytes]]], None]:
        pattern = self.keys.user_sessions_pattern(app_name)
        async for batch in prefetch(scan_keys(self._client, pattern, kind="zset")):
            indexes = [
                (key, user)
                for key in batch
                if (user := self.keys.parse_user_sessions(key)) and user_id in (None, user.user_id)
            ]
            for few in batched(indexes, _INDEXES_PER_CALL):
                yield few, await self._client.run_all([("ZRANGE", key, 0, -1) for key, _ in few])

    async def _tails(self, session_keys: Sequence[bytes], history_bytes: int = 0) -> list[Any]:
        """For each key {end of the value, length, TTL in ms}; see read_tails.lua."""
        # on a cluster a script may access the keys of one slot only
        size = 1 if self.settings.is_cluster else _TAILS_PER_CALL
        calls = [
            ScriptCall(scripts.READ_TAILS, keys, [history_bytes])
            for keys in batched(session_keys, size)
        ]
        return [tail for answer in await self._client.run_all(calls) for tail in answer]


def is_record(value: Any) -> bool:
    """Whether an answer to reading session_index() is ours: Unix seconds, or None."""
    return value is None or (isinstance(value, bytes) and value.isdigit())


async def key_count(client: RedisClient) -> int:
    """Return the number of keys in a database."""
    return int(await client.call(lambda redis, _: redis.dbsize()))


async def scan_keys(
    client: RedisClient, pattern: bytes, *, kind: str | None = None
) -> AsyncGenerator[list[bytes], None]:
    """Yield keys that match a pattern, and are of a type; as with SCAN, a key may come twice."""
    cursors: dict[str, int] = {}
    steps = 0

    async def step(redis: Client, attempt: int) -> list[bytes]:
        count = _KEYS_PER_SCAN if steps < _FIRST_SCANS else _KEYS_PER_LATER_SCAN
        options = ["MATCH", pattern, "COUNT", count, *(("TYPE", kind) if kind else ())]
        if isinstance(redis, RedisCluster):
            return await _scan_cluster(redis, options, cursors)
        cursor, batch = await redis.execute_command("SCAN", cursors.get("", 0), *options)
        cursors[""] = int(cursor)
        return list(batch)

    while True:
        batch = await client.call(step)
        steps += 1
        if batch:
            yield batch
        if not any(cursors.values()):
            return


async def _scan_cluster(
    redis: RedisCluster, options: Sequence[Argument], cursors: dict[str, int]
) -> list[bytes]:
    """One step of a SCAN on every primary that is not done."""
    batch: list[bytes] = []
    await redis.initialize()
    for node in redis.get_primaries():
        cursor = cursors.get(node.name)
        if cursor == 0:
            continue
        by_node, found = await redis.execute_command(
            "SCAN", cursor or 0, *options, target_nodes=node
        )
        cursors[node.name] = by_node[node.name]
        batch += found
    return batch


def to_summaries(batch: Mapping[bytes, SessionRef], answers: Sequence[Any]) -> list[SessionSummary]:
    """Summaries from the tails of some keys, without those that do not exist."""
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
        if start is None:
            document = decode(end, ref)
            recent = b"\n" + b",\n".join(document.events)
            return SessionSummary(ref, key, document.tail, length, ttl, None, True, recent, True)
        tail = decode_tail(end[start:])
    except (SessionUnreadable, ValueError, KeyError, TypeError):
        return SessionSummary(ref, key, None, length, ttl, "it is not a session document")
    return SessionSummary(ref, key, tail, length, ttl, None, False, end[:start], len(end) == length)
