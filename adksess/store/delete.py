"""Deleting all sessions of a kind, without reading them first."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.keys import Keys
from adksess.store.models import PurgeBatch
from adksess.store.prefetch import prefetch
from adksess.store.read import scan_indexes, scan_names, summaries
from adksess.store.write import delete

_BATCH = 1_000


async def purge(
    server: RedisClient, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncIterator[PurgeBatch]:
    """Delete every session, or those of an app or a user, batch by batch.

    First what the indexes name, without reading it, then what else there is. What stands at a
    session's key and is no session stays. An interrupted purge has deleted whole sessions only.
    """
    if not server.settings.is_cluster:  # there a script may touch the keys of one slot only
        async for purging in prefetch(_purge_calls(server, keys, app_name, user_id)):

            async def run(
                client: Client, attempt: int, purging: scripts.ScriptCall = purging
            ) -> PurgeBatch:
                return PurgeBatch(*await purging.script.run(client, purging.keys, *purging.args))

            yield await server.call(run)
    async for batch in scan_names(server, keys, app_name, user_id):
        found = await summaries(server, keys, list(batch.values()))
        readable = [summary for summary in found if summary.tail]
        deleted = await delete(server, keys, [summary.ref for summary in readable])
        freed = sum(summary.size_bytes for summary in readable)
        yield PurgeBatch(deleted, freed, [summary for summary in found if not summary.tail])


async def _purge_calls(
    server: RedisClient, keys: Keys, app_name: str | None, user_id: str | None
) -> AsyncGenerator[scripts.ScriptCall, None]:
    """Calls that purge what the indexes name. An index may come twice."""
    async for batch in scan_indexes(server, keys, app_name, user_id):
        entries = [
            (index, document, session_id)
            for index, user, ids in batch
            for document, session_id in zip(keys.sessions_of(user, ids), ids, strict=True)
        ]
        for start in range(0, len(entries), _BATCH):
            yield _purge_call(entries[start : start + _BATCH])


def _purge_call(entries: Sequence[tuple[bytes, bytes, bytes]]) -> scripts.ScriptCall:
    """The call for documents, each between the index that names it and its id in there.

    Those of an index stand side by side.
    """
    sizes = Counter(index for index, _, _ in entries)
    documents = [document for _, document, _ in entries]
    ids = [session_id for _, _, session_id in entries]
    return scripts.ScriptCall(
        scripts.PURGE, [*documents, *sizes], [len(sizes), *sizes.values(), *ids]
    )
