"""Delete sessions and shared state."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.keys import SessionRef
from adksess.store.models import PurgeBatch
from adksess.store.prefetch import prefetch
from adksess.store.scan import ScanOperations, scan_keys
from adksess.store.scripts import Argument, ScriptCall

_PURGED_PER_CALL = 1_000


class DeleteOperations(ScanOperations):
    """Operations that delete sessions and state."""

    async def delete(self, refs: Sequence[SessionRef]) -> int:
        """Delete sessions, keeping app and user state. Returns how many existed."""
        if not refs:
            return 0
        documents = [self.keys.session(ref) for ref in refs]
        by_index: dict[bytes, list[str]] = {}
        for ref in refs:
            by_index.setdefault(self.keys.user_sessions(*ref.user), []).append(ref.session_id)
        calls: list[tuple[Argument, ...] | ScriptCall] = (
            [("UNLINK", key) for key in documents]  # a command accesses the keys of one slot only
            if self.settings.is_cluster
            else [("UNLINK", *documents)]
        )
        deletions = len(calls)
        calls += [ScriptCall(scripts.INDEX_REMOVE, [index], ids) for index, ids in by_index.items()]
        answers = await self._client.run_all(calls)
        return sum(answers[:deletions])

    async def purge(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[PurgeBatch]:
        """Delete every session, or those of an app or a user, batch by batch.

        First those in the indexes, without reading them, then all others. Values at session keys
        that are no sessions are kept. An interrupted purge has deleted whole sessions only.
        """
        if not self.settings.is_cluster:  # there a script may access the keys of one slot only
            async for call in prefetch(self._purge_calls(app_name, user_id)):
                (answer,) = await self._client.run_all([call])
                yield PurgeBatch(*answer)
        async for batch in self._scan_names(app_name, user_id):
            found = await self.summaries(list(batch.values()))
            readable = [summary for summary in found if summary.tail]
            deleted = await self.delete([summary.ref for summary in readable])
            freed = sum(summary.size_bytes for summary in readable)
            yield PurgeBatch(deleted, freed, [summary for summary in found if not summary.tail])

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

    async def _purge_calls(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncGenerator[ScriptCall, None]:
        """Calls that purge the sessions in the indexes. An index may come twice."""
        async for batch in self._scan_indexes(app_name, user_id):
            entries = [
                (index, document, session_id)
                for index, user, ids in batch
                for document, session_id in zip(self.keys.sessions_of(user, ids), ids, strict=True)
            ]
            for few in batched(entries, _PURGED_PER_CALL):
                yield _purge_call(few)


def _purge_call(entries: Sequence[tuple[bytes, bytes, bytes]]) -> ScriptCall:
    """One purge call for (index, document, id) triples, grouped by index."""
    sizes = Counter(index for index, _, _ in entries)
    documents = [document for _, document, _ in entries]
    ids = [session_id for _, _, session_id in entries]
    return ScriptCall(
        scripts.PURGE_SESSIONS, [*documents, *sizes], [len(sizes), *sizes.values(), *ids]
    )
