"""Check that documents and indexes agree, and repair the indexes."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from adksess.store.errors import WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.scan import ScanOperations, scan_keys
from adksess.store.write import WriteOperations


@dataclass
class Audit:
    """The result of an audit.

    `foreign` counts documents that another tool wrote. `unindexed` sessions are not in their
    user's index; `stale` are index entries without a session; `wrong_type` are keys named like
    ours of another Redis type.
    """

    sessions: int = 0
    foreign: int = 0
    without_ttl: int = 0
    size_bytes: int = 0
    unreadable: list[SessionSummary] = field(default_factory=list)
    unindexed: list[SessionSummary] = field(default_factory=list)
    stale: set[SessionRef] = field(default_factory=set)
    wrong_type: list[str] = field(default_factory=list)


class AuditOperations(ScanOperations, WriteOperations):
    """Operations that compare documents and indexes."""

    async def audit(self) -> Audit:
        """Read every session's tail and every index. Changes nothing."""
        found = Audit()
        indexed = await self._index_entries()
        found.wrong_type = await self._find_wrong_types()
        unseen = set(indexed)
        async for batch in self.scan():
            for session in batch:
                unseen.discard(session.ref)
                if session.tail is None:
                    found.unreadable.append(session)
                    continue
                found.sessions += 1
                found.size_bytes += session.size_bytes
                found.foreign += session.is_foreign
                found.without_ttl += session.ttl_seconds is None
                if session.ref not in indexed:
                    found.unindexed.append(session)
        found.stale = unseen
        return found

    async def repair(self, found: Audit) -> None:
        """Add missing index entries and remove stale ones."""
        for session in found.unindexed:
            with suppress(WrongType):  # such an index is listed in wrong_type
                await self.index_session(session)
        for user in {ref.user for ref in found.stale}:
            await self.user_summaries(*user)

    async def index_missing(self) -> AsyncIterator[int]:
        """Index the sessions that are in no index; yield how many, batch by batch.

        Keeps nothing in memory and reads keys only, so that it can run beside a server on a
        database of any size.
        """
        async for refs in self.scan_refs():
            scores = await self._client.run_all(
                [("ZSCORE", self.keys.user_sessions(*ref.user), ref.session_id) for ref in refs]
            )
            missing = [ref for ref, score in zip(refs, scores, strict=True) if score is None]
            sessions = [session for session in await self.summaries(missing) if session.tail]
            for session in sessions:
                await self.index_session(session)
            yield len(sessions)

    async def _index_entries(self) -> set[SessionRef]:
        return {
            SessionRef(*user, one.decode("utf-8", "replace"))
            async for batch in self._scan_indexes()
            for _, user, ids in batch
            for one in ids
        }

    async def _find_wrong_types(self) -> list[str]:
        """Indexes and states of another type. (Sessions of another type are unreadable.)"""
        found: dict[bytes, None] = {}
        for pattern, parse, kind in (
            (self.keys.user_sessions_pattern(), self.keys.parse_user_sessions, b"zset"),
            (self.keys.app_state_pattern(), self.keys.parse_app_state, b"hash"),
            (self.keys.user_state_pattern(), self.keys.parse_user_state, b"hash"),
        ):
            async for batch in scan_keys(self._client, pattern):
                keys = [key for key in batch if parse(key) is not None]
                types = await self._client.run_all([("TYPE", key) for key in keys])
                found.update(
                    (key, None)
                    for key, actual in zip(keys, types, strict=True)
                    if actual not in (kind, b"none")
                )
        return [key.decode() for key in found]
