"""Delete sessions and shared state."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.models import DeleteResult, PurgeBatch, SessionSummary
from adksess.store.prefetch import prefetch
from adksess.store.query import Plan, QueryOperations, Source
from adksess.store.scan import scan_keys
from adksess.store.scripts import Argument, ScriptCall

_DELETED_PER_CALL = 1_000

_Groups: TypeAlias = Mapping[bytes, Collection[bytes]]
"""Keys of documents of one app, by the key of their user's index; b"" for those in no index."""


class _Deleted(NamedTuple):
    """How many sessions were deleted, their bytes, and the keys that were missing or kept."""

    sessions: int
    size_bytes: int
    missing: list[bytes]
    kept: list[bytes]


class DeleteOperations(QueryOperations):
    """Operations that delete sessions and state."""

    async def delete(self, refs: Sequence[SessionRef]) -> int:
        """Delete sessions, keeping app and user state. Returns how many existed."""
        return (await self._delete(dict.fromkeys(refs, ""), "any")).sessions

    async def delete_unchanged(self, summaries: Sequence[SessionSummary]) -> DeleteResult:
        """Delete sessions that have not changed since their summaries were read.

        The server decides per session, by the time of its last update and the number of events.
        """
        marks = {one.ref: _mark(one) for one in summaries if one.tail}
        result = await self._delete(marks, "unchanged")
        kept, missing = set(result.kept), set(result.missing)
        keys = {ref: self.keys.session(ref) for ref in marks}
        return DeleteResult(
            [ref for ref, key in keys.items() if key not in kept and key not in missing],
            [ref for ref, key in keys.items() if key in kept],
        )

    async def purge(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[PurgeBatch]:
        """Delete every session, or those of an app or a user, batch by batch.

        In a large database the sessions of an app or a user are those in the indexes, if these are
        complete. Otherwise every key is read, after the sessions in the indexes are deleted, which
        is quicker. Values at session keys that are not sessions are kept. An interrupted purge has
        deleted whole sessions only. A session that is created meanwhile may be deleted and leave an
        entry in its user's index.
        """
        only = SessionFilter(
            apps=() if app_name is None else (app_name,),
            users=() if user_id is None else (user_id,),
        )
        plan = await self.plan(only, by_user=False)
        if only.has_names and plan.source is not Source.SCAN:
            async for refs in self._indexed_refs(plan, only):
                yield await self._purged(await self._delete(dict.fromkeys(refs, ""), "indexed"))
            return
        if self.settings.is_cluster:  # there a script may access only one slot
            async for refs in self.scan_refs(app_name, user_id):
                yield await self._purge_read(refs)
            return
        indexed = self._delete_calls(self._indexed_groups(app_name, user_id), "indexed")
        async for call in prefetch(indexed):
            deleted = await self._run(call)  # the scan finds what it keeps
            yield PurgeBatch(deleted.sessions, deleted.size_bytes)
        scanned = self._delete_calls(self._scanned_groups(app_name, user_id), "ours")
        async for call in prefetch(scanned):
            yield await self._purged(await self._run(call))

    async def delete_state(self, app_name: str | None = None, user_id: str | None = None) -> int:
        """Delete the `app:` and `user:` state of all, of an app, or of a user.

        Keys of another type are kept. Returns how many hashes were deleted.
        """
        deleted = 0
        async for keys in self._state_keys(app_name, user_id):
            types = await self._client.run_all([("TYPE", key) for key in keys])
            hashes = [key for key, kind in zip(keys, types, strict=True) if kind == b"hash"]
            deleted += sum(await self._client.run_all([("UNLINK", key) for key in hashes]))
        return deleted

    async def _state_keys(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncIterator[list[bytes]]:
        async for batch in scan_keys(self._client, self.keys.user_state_pattern(app_name)):
            users = ((key, self.keys.parse_user_state(key)) for key in batch)
            yield [
                key
                for key, user in users
                if user and app_name in (None, user.app_name) and user_id in (None, user.user_id)
            ]
        if user_id is None:
            async for batch in scan_keys(self._client, self.keys.app_state_pattern()):
                apps = ((key, self.keys.parse_app_state(key)) for key in batch)
                yield [key for key, app in apps if app is not None and app_name in (None, app)]

    async def _purged(self, deleted: _Deleted) -> PurgeBatch:
        """Read the documents that were kept, and delete foreign ones."""
        refs = [ref for key in deleted.kept if (ref := self.keys.parse_session(key))]
        if not refs:
            return PurgeBatch(deleted.sessions, deleted.size_bytes)
        others = await self._purge_read(refs)
        return PurgeBatch(
            deleted.sessions + others.sessions,
            deleted.size_bytes + others.size_bytes,
            others.unreadable,
        )

    async def _purge_read(self, refs: Sequence[SessionRef]) -> PurgeBatch:
        """Read sessions, and delete those that are readable."""
        found = await self.summaries(list(dict.fromkeys(refs)))
        readable = [summary for summary in found if summary.tail]
        deleted = await self.delete([summary.ref for summary in readable])
        freed = sum(summary.size_bytes for summary in readable)
        return PurgeBatch(deleted, freed, [summary for summary in found if not summary.tail])

    async def _indexed_refs(
        self, plan: Plan, only: SessionFilter
    ) -> AsyncGenerator[list[SessionRef], None]:
        """The sessions of some apps and users in the indexes, in batches.

        Oldest first, so that one that is updated meanwhile comes, too.
        """
        apps = [app for app in plan.state.sizes if only.match_app(app)]
        async for page in self.index_entries(apps, reverse=True):
            refs = (self.keys.parse_app_member(one.app_name, one.member) for one in page)
            yield [ref for ref in refs if ref and only.match_user(ref)]

    async def _indexed_groups(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[tuple[str, _Groups], None]:
        """The keys of the sessions in the users' indexes, by app. An index may come twice.

        Removes entries that are not text, which name no session.
        """
        async for batch in self._scan_indexes(app_name, user_id):
            for index, user, ids in batch:
                if no_text := [one for one in ids if not _is_text(one)]:
                    await self._client.command("ZREM", index, *no_text)
                for few in batched(ids, _DELETED_PER_CALL):
                    yield user.app_name, {index: self.keys.sessions_of(user, few)}

    async def _scanned_groups(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[tuple[str, _Groups], None]:
        """The keys of sessions among all keys, by app. One may come twice.

        They are in no user's index: purge() has deleted those that are.
        """
        async for batch in self._scan_names(app_name, user_id):
            apps: dict[str, list[bytes]] = {}
            for key, ref in batch.items():
                apps.setdefault(ref.app_name, []).append(key)
            for app, documents in apps.items():
                for few in batched(documents, _DELETED_PER_CALL):
                    yield app, {b"": few}

    async def _delete_calls(
        self, source: AsyncGenerator[tuple[str, _Groups], None], mode: str
    ) -> AsyncGenerator[ScriptCall, None]:
        """Calls that each delete about a thousand sessions of one app."""
        waiting: dict[str, dict[bytes, dict[bytes, None]]] = {}  # dicts: a scan repeats keys
        sizes: Counter[str] = Counter()
        async for app, groups in source:
            ready = waiting.setdefault(app, {})
            for index, documents in groups.items():
                ready.setdefault(index, {}).update(dict.fromkeys(documents))
                sizes[app] += len(documents)
            if sizes[app] >= _DELETED_PER_CALL:
                yield self._delete_call(app, waiting.pop(app), mode)
                del sizes[app]
        for app, groups in waiting.items():
            yield self._delete_call(app, groups, mode)

    async def _delete(self, marks: Mapping[SessionRef, str], mode: str) -> _Deleted:
        """Delete documents and their index entries.

        The modes, and the marks for `unchanged` (else ""), are those of delete_sessions.lua.
        """
        if self.settings.is_cluster:
            return await self._delete_on_cluster(marks, mode)
        apps: dict[str, list[SessionRef]] = {}
        for ref in sorted(marks):
            apps.setdefault(ref.app_name, []).append(ref)
        done = []
        for app, refs in apps.items():
            for few in batched(refs, _DELETED_PER_CALL):
                groups: dict[bytes, list[bytes]] = {}
                for ref in few:
                    index = self.keys.user_sessions(*ref.user)
                    groups.setdefault(index, []).append(self.keys.session(ref))
                call = self._delete_call(app, groups, mode, [marks[ref] for ref in few])
                done.append(await self._run(call))
        return _total(done)

    async def _delete_on_cluster(self, marks: Mapping[SessionRef, str], mode: str) -> _Deleted:
        """Delete documents, each by a call of its own, and then their index entries."""
        done = []
        for refs in batched(list(marks), _DELETED_PER_CALL):
            calls = {
                ref: ScriptCall(
                    scripts.DELETE_SESSIONS,
                    [self.keys.session(ref)],
                    [mode, "", 0, 1, 0, marks[ref]],
                )
                for ref in refs
            }
            answers = await self._client.run_all(list(calls.values()))
            results = [_result(*pair) for pair in zip(calls.values(), answers, strict=True)]
            await self._remove_from_indexes(
                [ref for ref, one in zip(refs, results, strict=True) if not one.kept]
            )
            done += results
        return _total(done)

    async def _run(self, call: ScriptCall) -> _Deleted:
        (answer,) = await self._client.run_all([call])
        return _result(call, answer)

    def _delete_call(
        self, app_name: str, groups: _Groups, mode: str, marks: Sequence[str] = ()
    ) -> ScriptCall:
        """A call that deletes documents of an app. The marks are in the order of the documents."""
        documents = [document for group in groups.values() for document in group]
        sizes = {index: len(group) for index, group in groups.items() if index}
        start = len(self.keys.app_start(app_name))
        return ScriptCall(
            scripts.DELETE_SESSIONS,
            [*documents, *sizes, self.keys.app_sessions(app_name), self.keys.session_apps()],
            [mode, app_name, start, len(documents), len(sizes), *sizes.values(), *marks],
        )

    async def _remove_from_indexes(self, refs: Sequence[SessionRef]) -> None:
        """Remove sessions from the indexes of a cluster."""
        ids: dict[bytes, list[Argument]] = {}
        members: dict[str, list[Argument]] = {}
        for ref in refs:
            ids.setdefault(self.keys.user_sessions(*ref.user), []).extend((ref.session_id, ""))
            members.setdefault(ref.app_name, []).extend((self.keys.app_member(ref), ""))
        indexes = ids | {self.keys.app_sessions(app): names for app, names in members.items()}
        await self._client.run_all(
            [ScriptCall(scripts.REMOVE_ENTRIES, [index], names) for index, names in indexes.items()]
        )
        for app_name in members:
            await self._remove_empty_app(app_name)


def _mark(summary: SessionSummary) -> str:
    """What delete_sessions.lua compares to see whether a session has changed."""
    tail = summary.tail
    if tail is None or summary.is_foreign:
        return str(summary.size_bytes)
    return f"{tail.updated_at} {tail.event_count}"


def _result(call: ScriptCall, answer: Sequence[Any]) -> _Deleted:
    """The answer of delete_sessions.lua with the keys that it names by position."""
    count, size, missing, kept = answer
    return _Deleted(
        count, size, [call.keys[n - 1] for n in missing], [call.keys[n - 1] for n in kept]
    )


def _total(results: Sequence[_Deleted]) -> _Deleted:
    return _Deleted(
        sum(one.sessions for one in results),
        sum(one.size_bytes for one in results),
        [key for one in results for key in one.missing],
        [key for one in results for key in one.kept],
    )


def _is_text(name: bytes) -> bool:
    try:
        return name.isascii() or bool(name.decode())
    except UnicodeDecodeError:
        return False
