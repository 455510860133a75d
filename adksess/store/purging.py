"""Deleting all sessions of a kind, without reading them first."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from adksess.store import scripts
from adksess.store.client import Client, Server
from adksess.store.keys import Keys, SessionRef
from adksess.store.reading import scan_names, summaries
from adksess.store.records import SessionSummary
from adksess.store.writing import delete


@dataclass(frozen=True)
class Purged:
    """A batch: sessions deleted, the bytes of their documents, and what was no session."""

    sessions: int
    size_bytes: int
    unreadable: Sequence[SessionSummary]


async def purge(
    server: Server, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncIterator[Purged]:
    """Delete every session, or those of an app or a user, batch by batch.

    What stands at a session's key and is no session stays. An interrupted purge has deleted
    whole sessions only.
    """
    async for batch in scan_names(server, keys, app_name, user_id):
        refs = list(batch.values())
        sessions = size_bytes = 0
        if not server.settings.is_cluster:  # there a script may touch the keys of one slot only
            sessions, size_bytes, others = await _purge_ours(server, keys, refs)
            refs = [refs[place - 1] for place in others]
        found = await summaries(server, keys, refs)
        readable = [summary for summary in found if summary.tail]
        sessions += await delete(server, keys, [summary.ref for summary in readable])
        size_bytes += sum(summary.size_bytes for summary in readable)
        yield Purged(sessions, size_bytes, [s for s in found if not s.tail])


async def _purge_ours(
    server: Server, keys: Keys, refs: Sequence[SessionRef]
) -> tuple[int, int, list[int]]:
    documents = [keys.session(ref) for ref in refs]
    places: dict[tuple[str, str], int] = {}
    arguments: list[scripts.Argument] = [len(refs)]
    for ref in refs:
        place = places.setdefault(ref[:2], len(refs) + len(places) + 1)
        arguments += (place, ref.session_id)
    indexes = [keys.user_sessions(*user) for user in places]

    async def run(client: Client, attempt: int) -> tuple[int, int, list[int]]:
        answer = await scripts.PURGE.run(client, [*documents, *indexes], *arguments)
        return answer[0], answer[1], answer[2]

    return await server.call(run)
