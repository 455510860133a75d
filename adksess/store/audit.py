"""Compare documents and indexes, and find other problems of stored sessions."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from adksess.store.batches import batched
from adksess.store.errors import ServerUnavailable
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.recency import IndexState, RecencyOperations
from adksess.store.scan import scan_keys

SAMPLE = 1_000
"""The number of documents and of index entries that a quick audit reads."""

_EXAMPLES = 10
_BATCH = 1_000


@dataclass
class Findings:
    """A count, and the first few names."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, names: Iterable[str]) -> None:
        """Count names, and keep the first few."""
        for name in names:
            self.count += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(name)

    def __bool__(self) -> bool:
        return bool(self.count)


@dataclass
class Audit:
    """What an audit found. Sizes are in bytes.

    `unindexed` sessions are missing from their user's index or their app's, `stale` are index
    entries without a session, `wrong_type` our keys with another type. `sample` is the number of
    documents and entries that were read, None for all. With a sample, the findings are those of the
    sample, and `sessions`, `size_bytes` and `without_ttl` are estimates for all.
    """

    state: IndexState
    sessions: int = 0
    foreign: int = 0
    without_ttl: int = 0
    size_bytes: int = 0
    unreadable: Findings = field(default_factory=Findings)
    unindexed: Findings = field(default_factory=Findings)
    stale: Findings = field(default_factory=Findings)
    wrong_type: Findings = field(default_factory=Findings)
    sample: int | None = None

    def count_session(self, session: SessionSummary) -> None:
        """Add one session to the totals."""
        if session.tail is None:
            self.unreadable.add([session.ref.path])
            return
        self.sessions += 1
        self.size_bytes += session.size_bytes
        self.foreign += session.is_foreign
        self.without_ttl += session.ttl_seconds is None


class AuditOperations(RecencyOperations):
    """Operations that compare documents and indexes, and repair the indexes."""

    async def audit(self, *, full: bool = True, fix: bool = False) -> Audit:
        """Compare documents and indexes: all of them, or a sample if not `full`.

        A small database is always read whole. `fix` adds missing entries, removes stale ones and
        then marks the recency index as complete; nothing is changed otherwise. Memory does not grow
        with the number of sessions.
        """
        state = await self.index_state()
        if not full and not fix and not state.is_small:
            return await self._audit_sample(state)
        found = Audit(state)
        found.wrong_type.add(await self._find_wrong_types())
        async for batch in self.scan():
            for session in batch:
                found.count_session(session)
            missing = await self._unindexed([s for s in batch if s.tail])
            found.unindexed.add(session.ref.path for session in missing)
            if fix:
                await self.index_sessions(missing)
        async for indexes in self._scan_indexes():
            for _, user, ids in indexes:
                refs = [SessionRef(*user, name.decode("utf-8", "replace")) for name in ids]
                stale = await self._without_document(refs)
                found.stale.add(ref.path for ref in stale)
                if stale and fix:
                    await self.user_summaries(*user)  # removes them
        async for page in self.index_entries(await self.indexed_apps(), first=_BATCH):
            entries = {
                self.keys.parse_app_member(entry.app_name, entry.member): entry for entry in page
            }
            stale = await self._without_document([ref for ref in entries if ref])
            found.stale.add(ref.path for ref in stale)
            if fix:
                await self.prune_entries(entries[ref] for ref in stale)
        if fix:
            await self.mark_complete()
        elif not found.unindexed and not state.is_small:
            with suppress(ServerUnavailable):  # a user who may only read
                await self.mark_complete()
        return found

    async def index_missing(self) -> AsyncIterator[int]:
        """Add the sessions to the indexes that are missing there; yields how many, batch by batch.

        Then marks the recency index as complete. Reads only names, except of missing sessions, so
        it can run while a web server uses a database of any size.
        """
        async for batch in self._scan_names():
            refs = await self.not_indexed(list(batch.values()))
            missing = [session for session in await self.summaries(refs) if session.tail]
            await self.index_sessions(missing)
            yield len(missing)
        await self.mark_complete()

    async def _unindexed(self, sessions: Sequence[SessionSummary]) -> list[SessionSummary]:
        missing = set(await self.not_indexed([session.ref for session in sessions]))
        return [session for session in sessions if session.ref in missing]

    async def _without_document(self, refs: Sequence[SessionRef]) -> list[SessionRef]:
        """The sessions that do not exist."""
        found: list[SessionRef] = []
        for batch in batched(refs, _BATCH):
            answers = await self._client.run_all(
                [("EXISTS", self.keys.session(ref)) for ref in batch]
            )
            found += [ref for ref, exists in zip(batch, answers, strict=True) if not exists]
        return found

    async def _audit_sample(self, state: IndexState) -> Audit:
        """Look at random keys and random entries of the recency index."""
        found = Audit(state)
        found.wrong_type.add(state.wrong_type)
        names = await self._client.run_all([("RANDOMKEY",)] * SAMPLE)
        refs = [
            ref for name in dict.fromkeys(names) if name and (ref := self.keys.parse_session(name))
        ]
        sessions = await self.summaries(refs)
        for session in sessions:
            found.count_session(session)
        unindexed = await self._unindexed([one for one in sessions if one.tail])
        found.unindexed.add(one.ref.path for one in unindexed)
        entries = await self._random_entries(state)
        stale = await self._without_document(entries)
        found.stale.add(ref.path for ref in stale)
        found.sample = len(sessions)
        entries_in_all = sum(state.sizes.values())
        # each session is a key: entries beyond that number are stale, whatever the sample says
        found.stale.count = max(found.stale.count, entries_in_all - state.key_count)
        total = entries_in_all
        if not state.is_complete:
            parsed = [self.keys.parse_session(name) for name in names if name]
            share = sum(ref is not None for ref in parsed) / max(1, len(parsed))
            total = round(state.key_count * share)
        if found.sessions:
            share = total / found.sessions
            found.size_bytes = round(found.size_bytes * share)
            found.without_ttl = round(found.without_ttl * share)
            found.foreign = round(found.foreign * share)
        found.sessions = total
        return found

    async def _random_entries(self, state: IndexState) -> list[SessionRef]:
        total = max(1, sum(state.sizes.values()))
        members = await self.random_members(
            {app: -(-SAMPLE * size // total) for app, size in state.sizes.items() if size}
        )
        return [
            ref
            for app, names in members.items()
            for name in names
            if (ref := self.keys.parse_app_member(app, name))
        ]

    async def _find_wrong_types(self) -> list[str]:
        """Indexes and states of another type. (Sessions of another type are unreadable.)"""
        found = dict.fromkeys(await self.wrong_records())
        for pattern, parse, kind in (
            (self.keys.user_sessions_pattern(), self.keys.parse_user_sessions, b"zset"),
            (self.keys.app_sessions_pattern(), self.keys.parse_app_sessions, b"zset"),
            (self.keys.app_state_pattern(), self.keys.parse_app_state, b"hash"),
            (self.keys.user_state_pattern(), self.keys.parse_user_state, b"hash"),
        ):
            async for batch in scan_keys(self._client, pattern):
                ours = [key for key in batch if parse(key) is not None]
                types = await self._client.run_all([("TYPE", key) for key in ours])
                wrong = zip(ours, types, strict=True)
                found.update((key, None) for key, answer in wrong if answer not in (kind, b"none"))
        return [key.decode() for key in found]
