"""Whether documents and indexes agree, and what else an operator should know of what is stored."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.errors import WrongType
from adksess.store.keys import Keys, SessionRef
from adksess.store.models import SessionSummary
from adksess.store.read import (
    scan,
    scan_indexes,
    scan_keys,
    scan_names,
    summaries,
    user_summaries,
)
from adksess.store.write import index_session


@dataclass
class Audit:
    """What was found. `unindexed` sessions are there but in no list of their user's; `stale` are
    index entries whose session is gone, by user; `wrong_type` are keys with a name of ours and
    another type.
    """

    sessions: int = 0
    plain: int = 0
    without_ttl: int = 0
    size_bytes: int = 0
    unreadable: list[SessionSummary] = field(default_factory=list)
    unindexed: list[SessionSummary] = field(default_factory=list)
    stale: set[SessionRef] = field(default_factory=set)
    wrong_type: list[str] = field(default_factory=list)


async def audit(server: RedisClient, keys: Keys) -> Audit:
    """Look at every session and every index, histories aside. Changes nothing."""
    found = Audit()
    indexed = await _index_entries(server, keys)
    found.wrong_type = await _find_wrong_types(server, keys)
    unseen = set(indexed)
    async for batch in scan(server, keys):
        for session in batch:
            unseen.discard(session.ref)
            if session.tail is None:
                found.unreadable.append(session)
                continue
            found.sessions += 1
            found.size_bytes += session.size_bytes
            found.plain += session.is_foreign
            found.without_ttl += session.ttl_seconds is None
            if session.ref not in indexed:
                found.unindexed.append(session)
    found.stale = unseen
    return found


async def repair(server: RedisClient, keys: Keys, found: Audit) -> None:
    """Enter what is not in an index, and drop index entries whose session is still not there."""
    for session in found.unindexed:
        with suppress(WrongType):  # such an index is named as wrong_type
            await index_session(server, keys, session.ref, session.ttl_seconds)
    for app_name, user_id in {ref[:2] for ref in found.stale}:
        await user_summaries(server, keys, app_name, user_id)


async def index_missing(server: RedisClient, keys: Keys) -> AsyncIterator[int]:
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
            await index_session(server, keys, session.ref, session.ttl_seconds)
        yield len(sessions)


async def _index_entries(server: RedisClient, keys: Keys) -> set[SessionRef]:
    return {
        SessionRef(*user, one.decode("utf-8", "replace"))
        async for batch in scan_indexes(server, keys)
        for _, user, ids in batch
        for one in ids
    }


async def _find_wrong_types(server: RedisClient, keys: Keys) -> list[str]:
    """Keys with the name of an index or a state, and another type; a session's are unreadable."""
    found: dict[bytes, None] = {}
    for pattern, parse, kind in (
        (keys.user_sessions_pattern(), keys.parse_user_sessions, b"zset"),
        (keys.app_state_pattern(), keys.parse_app_state, b"hash"),
        (keys.user_state_pattern(), keys.parse_user_state, b"hash"),
    ):
        async for batch in scan_keys(server, pattern):
            ours = [key for key in batch if parse(key) is not None]

            async def types(
                client: Client, attempt: int, ours: Sequence[bytes] = ours
            ) -> list[bytes]:
                return await scripts.run_all(client, [("TYPE", key) for key in ours])

            answers = zip(ours, await server.call(types), strict=True)
            found.update((key, None) for key, answer in answers if answer not in (kind, b"none"))
    return [key.decode() for key in found]
