"""Delete sessions and shared state."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.keys import SessionRef, UserRef
from adksess.store.models import DeleteResult, PurgeBatch, SessionSummary
from adksess.store.prefetch import prefetch
from adksess.store.recency import IndexState, RecencyOperations
from adksess.store.scan import scan_keys
from adksess.store.scripts import Argument, ScriptCall

_DELETED_PER_CALL = 1_000

_DELETED, _KEPT = 1, 2


class DeleteOperations(RecencyOperations):
    """Operations that delete sessions and state."""

    async def delete(self, refs: Sequence[SessionRef]) -> int:
        """Delete sessions, keeping app and user state. Returns how many existed."""
        codes, _ = await self._delete(dict.fromkeys(refs, ""), "any")
        return sum(code == _DELETED for code in codes.values())

    async def delete_unchanged(self, summaries: Sequence[SessionSummary]) -> DeleteResult:
        """Delete sessions that have not changed since their summaries were read.

        The server decides per session, by the time of its last update and the number of events.
        """
        marks = {one.ref: _mark(one) for one in summaries if one.tail}
        codes, _ = await self._delete(marks, "unchanged")
        return DeleteResult(
            [ref for ref, code in codes.items() if code == _DELETED],
            [ref for ref, code in codes.items() if code == _KEPT],
        )

    async def purge(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[PurgeBatch]:
        """Delete every session, or those of an app or a user, batch by batch.

        First those in the indexes, without reading them, then all others; of an app or a user in a
        large database with a complete index, only those in it. Values at session keys that are not
        sessions are kept. An interrupted purge has deleted whole sessions only.
        """
        state = await self.index_state()
        is_part = app_name is not None or user_id is not None
        if state.is_used and is_part:
            async for refs in self._indexed_refs(state, app_name, user_id):
                codes, size = await self._delete(dict.fromkeys(refs, ""), "ours")
                yield PurgeBatch(sum(code == _DELETED for code in codes.values()), size)
                kept = [ref for ref, code in codes.items() if code == _KEPT]
                if kept:
                    yield await self._purge_read(kept)
            return
        if not self.settings.is_cluster:  # there a script may access only one slot
            async for call in prefetch(self._purge_calls(app_name, user_id)):
                ((size, found),) = await self._client.run_all([call])
                yield PurgeBatch(found.count(_DELETED), size)
        async for refs in self.scan_refs(app_name, user_id):
            yield await self._purge_read(refs)

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

    async def _purge_read(self, refs: Sequence[SessionRef]) -> PurgeBatch:
        """Read sessions, and delete those that are readable."""
        found = await self.summaries(list(dict.fromkeys(refs)))
        readable = [summary for summary in found if summary.tail]
        deleted = await self.delete([summary.ref for summary in readable])
        freed = sum(summary.size_bytes for summary in readable)
        return PurgeBatch(deleted, freed, [summary for summary in found if not summary.tail])

    async def _indexed_refs(
        self, state: IndexState, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[list[SessionRef], None]:
        """The sessions of an app or a user in the indexes, in batches."""
        apps = [app for app in state.sizes if app_name in (None, app)]
        if user_id is None:
            async for page in self.index_entries(apps):
                refs = (self.keys.parse_app_member(one.app_name, one.member) for one in page)
                yield [ref for ref in refs if ref]
            return
        for app in apps:
            ids = await self._client.command("ZRANGE", self.keys.user_sessions(app, user_id), 0, -1)
            names = [name.decode("utf-8", "replace") for name in ids]
            for few in batched(names, _DELETED_PER_CALL):
                yield [SessionRef(app, user_id, name) for name in few]

    async def _purge_calls(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[ScriptCall, None]:
        """Calls that purge the sessions in the users' indexes. An index may come twice."""
        async for batch in self._scan_indexes(app_name, user_id):
            entries = [
                (user, session_id, document)
                for _, user, ids in batch
                for document, session_id in zip(self.keys.sessions_of(user, ids), ids, strict=True)
            ]
            entries.sort(key=lambda entry: entry[0])
            for few in batched(entries, _DELETED_PER_CALL):
                yield self._delete_call(few, "ours")

    async def _delete(
        self, marks: Mapping[SessionRef, str], mode: str
    ) -> tuple[dict[SessionRef, int], int]:
        """Delete documents and their index entries.

        Returns the code of each, and with the mode `ours` the bytes that were deleted.
        """
        codes: dict[SessionRef, int] = {}
        size = 0
        for refs in batched(sorted(marks), _DELETED_PER_CALL):
            entries = [(ref.user, ref.session_id.encode(), self.keys.session(ref)) for ref in refs]
            if self.settings.is_cluster:
                answers = await self._client.run_all(
                    [
                        ScriptCall(
                            scripts.DELETE_SESSIONS,
                            [document],
                            [mode, 0, 0, session_id, b"", marks[ref]],
                        )
                        for ref, (_, session_id, document) in zip(refs, entries, strict=True)
                    ]
                )
                codes |= zip(refs, (found for _, (found,) in answers), strict=True)
                size += sum(deleted for deleted, _ in answers)
                await self._remove_from_indexes([ref for ref in refs if codes[ref] != _KEPT])
            else:
                call = self._delete_call(entries, mode, [marks[ref] for ref in refs])
                ((deleted, found),) = await self._client.run_all([call])
                codes |= zip(refs, found, strict=True)
                size += deleted
        return codes, size

    def _delete_call(
        self,
        entries: Sequence[tuple[UserRef, bytes, bytes]],
        mode: str,
        marks: Sequence[str] = (),
    ) -> ScriptCall:
        """One call for (user, session id, document) triples, which are sorted by user."""
        users = Counter(user for user, _, _ in entries)
        apps = Counter(user.app_name for user in users)
        starts = {app: len(self.keys.app_documents(app, [b""])[0]) for app in apps}
        names = [
            part
            for user, session_id, document in entries
            for part in (session_id, document[starts[user.app_name] :])
        ]
        return ScriptCall(
            scripts.DELETE_SESSIONS,
            [
                *(document for _, _, document in entries),
                *(self.keys.user_sessions(*user) for user in users),
                *(self.keys.app_sessions(app) for app in apps),
                self.keys.session_apps(),
            ],
            [mode, len(users), len(apps), *users.values(), *apps.values(), *apps, *names, *marks],
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
