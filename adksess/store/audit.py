"""Whether documents and indexes agree, and what else an operator should know of what is stored."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from adksess.store import scripts
from adksess.store.client import Client, Server
from adksess.store.keys import Keys, SessionRef
from adksess.store.reading import scan, scan_keys, scan_names, summaries, user_summaries
from adksess.store.records import SessionSummary
from adksess.store.writing import enter_index


@dataclass
class Audit:
    """What was found. `unindexed` sessions are there but in no list of their user's; `stale` are
    index entries whose session is gone, by user.
    """

    sessions: int = 0
    plain: int = 0
    without_ttl: int = 0
    size_bytes: int = 0
    unreadable: list[SessionSummary] = field(default_factory=list)
    unindexed: list[SessionSummary] = field(default_factory=list)
    stale: set[SessionRef] = field(default_factory=set)


async def audit(server: Server, keys: Keys) -> Audit:
    """Look at every session and every index, histories aside. Changes nothing."""
    found = Audit()
    indexed = await _index_entries(server, keys)
    unseen = set(indexed)
    async for batch in scan(server, keys):
        for session in batch:
            unseen.discard(session.ref)
            if session.tail is None:
                found.unreadable.append(session)
                continue
            found.sessions += 1
            found.size_bytes += session.size_bytes
            found.plain += session.is_plain
            found.without_ttl += session.ttl_seconds is None
            if session.ref not in indexed:
                found.unindexed.append(session)
    found.stale = unseen
    return found


async def repair(server: Server, keys: Keys, found: Audit) -> None:
    """Enter what is not in an index, and drop index entries whose session is still not there."""
    for session in found.unindexed:
        await enter_index(server, keys, session.ref, session.ttl_seconds)
    for app_name, user_id in {ref[:2] for ref in found.stale}:
        await user_summaries(server, keys, app_name, user_id)


async def enter_missing(server: Server, keys: Keys) -> AsyncIterator[int]:
    """Enter the sessions that are in no index; yields how many, batch by batch.

    Unlike an audit it keeps nothing in memory and looks at names alone, so that it can run beside
    a server on a database of any size.
    """
    async for batch in scan_names(server, keys):

        async def scores(
            client: Client, attempt: int, refs: Sequence[SessionRef] = tuple(batch.values())
        ) -> list[SessionRef]:
            calls = [("ZSCORE", keys.user_sessions(*ref[:2]), ref.session_id) for ref in refs]
            answers = await scripts.run_all(client, calls)
            return [ref for ref, score in zip(refs, answers, strict=True) if score is None]

        missing = await summaries(server, keys, await server.call(scores))
        sessions = [session for session in missing if session.tail]
        for session in sessions:
            await enter_index(server, keys, session.ref, session.ttl_seconds)
        yield len(sessions)


async def _index_entries(server: Server, keys: Keys) -> set[SessionRef]:
    entries: set[SessionRef] = set()
    async for batch in scan_keys(server, keys.user_sessions_pattern()):
        users = {key: user for key in batch if (user := keys.parse_user_sessions(key))}

        async def members(
            client: Client, attempt: int, indexes: Sequence[bytes] = tuple(users)
        ) -> list[Any]:
            types = await scripts.run_all(client, [("TYPE", key) for key in indexes])
            sets = [k for k, kind in zip(indexes, types, strict=True) if kind == b"zset"]
            found = await scripts.run_all(client, [("ZRANGE", key, 0, -1) for key in sets])
            ids = dict(zip(sets, found, strict=True))
            return [ids.get(key, []) for key in indexes]

        for user, ids in zip(users.values(), await server.call(members), strict=True):
            entries.update(SessionRef(*user, one.decode("utf-8", "replace")) for one in ids)
    return entries
