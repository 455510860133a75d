"""Parts of many documents in one read: their last events, or their beginnings."""

from collections.abc import Sequence
from typing import NamedTuple

from adksess.store.batches import batched
from adksess.store.document import decode, decode_tail, event_lines, find_tail
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.scan import ScanOperations

_BATCH_BYTES = 2_000_000


class SessionEnd(NamedTuple):
    """The last events of a session, each as compact JSON, and how many it has.

    `events` is all of the history if `is_whole`.
    """

    ref: SessionRef
    events: Sequence[bytes]
    event_count: int
    is_whole: bool


class PartOperations(ScanOperations):
    """Operations that read a part of many histories."""

    async def read_ends(
        self, refs: Sequence[SessionRef], *, history_bytes: int
    ) -> list[SessionEnd]:
        """Return the complete events in the last bytes of each history.

        Sessions that are missing or unreadable are left out. A document of another tool is read
        whole.
        """
        found: list[SessionEnd] = []
        for batch in batched(refs, max(1, _BATCH_BYTES // max(1, history_bytes))):
            answers = await self._tails([self.keys.session(ref) for ref in batch], history_bytes)
            for ref, (value, length, _) in zip(batch, answers, strict=True):
                if (end := _end(ref, value, length)) is not None:
                    found.append(end)
        return found

    async def read_documents(self, refs: Sequence[SessionRef]) -> list[bytes | None]:
        """Return the documents as stored, None for a missing one or a key of another type."""
        keys = [self.keys.session(ref) for ref in refs]
        if self.settings.is_cluster:  # the keys are on several nodes
            answers = await self._client.run_all([("MGET", key) for key in keys])
            return [answer[0] for answer in answers]
        return list(await self._client.command("MGET", *keys)) if keys else []

    async def read_heads(self, refs: Sequence[SessionRef], *, size: int) -> list[bytes]:
        """Return the first `size` bytes of each document, empty for a missing one."""
        heads: list[bytes] = []
        for batch in batched(refs, max(1, _BATCH_BYTES // size)):
            calls = [("GETRANGE", self.keys.session(ref), 0, size - 1) for ref in batch]
            heads += await self._client.run_all(calls)
        return heads


def _end(ref: SessionRef, value: bytes, length: int) -> SessionEnd | None:
    if length <= 0:
        return None
    try:
        if len(value) == length:
            document = decode(value, ref)
            return SessionEnd(ref, document.events, document.tail.event_count, is_whole=True)
        start = find_tail(value)
        if start is None:
            return None
        tail = decode_tail(value[start:])
        return SessionEnd(ref, event_lines(value[:start]), tail.event_count, is_whole=False)
    except (SessionUnreadable, ValueError, KeyError, TypeError):
        return None
