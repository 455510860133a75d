"""Whether documents and indexes agree, and what else an operator should know of what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adksess.store import scripts
from adksess.store.client import Client, Server
from adksess.store.keys import Keys, SessionRef
from adksess.store.reading import scan, scan_keys, user_summaries
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


async def _index_entries(server: Server, keys: Keys) -> set[SessionRef]:
    entries: set[SessionRef] = set()
    async for batch in scan_keys(server, keys.user_sessions_pattern()):
        users = {key: user for key in batch if (user := keys.parse_user_sessions(key))}

        async def members(
            client: Client, attempt: int, indexes: Sequence[bytes] = tuple(users)
        ) -> list[Any]:
            return await scripts.run_all(client, [("ZRANGE", key, 0, -1) for key in indexes])

        for user, ids in zip(users.values(), await server.call(members), strict=True):
            entries.update(SessionRef(*user, one.decode("utf-8", "replace")) for one in ids)
    return entries
