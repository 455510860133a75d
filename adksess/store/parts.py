"""Parts of many documents in one read: their last events, or their beginnings."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.document import decode, decode_tail, event_lines, find_tail
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import Keys, SessionRef

_BATCH_BYTES = 2_000_000


class SessionEnd(NamedTuple):
    """The last events of a session, each as compact JSON, and how many it has.

    `events` is all of the history if `is_whole`.
    """

    ref: SessionRef
    events: Sequence[bytes]
    event_count: int
    is_whole: bool


async def read_ends(
    server: RedisClient, keys: Keys, refs: Sequence[SessionRef], *, history_bytes: int
) -> list[SessionEnd]:
    """Return the events that are whole in the last bytes of each history.

    Sessions that are missing or cannot be read are left out. A document that is not in our
    layout is read whole.
    """
    found: list[SessionEnd] = []
    size = max(1, _BATCH_BYTES // max(1, history_bytes))
    for start in range(0, len(refs), size):
        batch = refs[start : start + size]
        for ref, answer in zip(batch, await _ends(server, keys, batch, history_bytes), strict=True):
            if (end := _end(ref, answer[0], answer[1])) is not None:
                found.append(end)
    return found


async def read_heads(
    server: RedisClient, keys: Keys, refs: Sequence[SessionRef], *, size: int
) -> list[bytes]:
    """Return the first bytes of each document, empty for a missing one."""
    calls = [("GETRANGE", keys.session(ref), 0, size - 1) for ref in refs]
    heads: list[bytes] = []
    batch = max(1, _BATCH_BYTES // size)
    for start in range(0, len(calls), batch):
        heads += await server.run_all(calls[start : start + batch])
    return heads


async def _ends(
    server: RedisClient, keys: Keys, refs: Sequence[SessionRef], history_bytes: int
) -> list[Any]:
    documents = [keys.session(ref) for ref in refs]
    if server.settings.is_cluster:  # a script may use the keys of one slot only
        calls = [scripts.ScriptCall(scripts.TAILS, [key], [history_bytes]) for key in documents]
        return [answer[0] for answer in await server.run_all(calls)]
    (answers,) = await server.run_all(
        [scripts.ScriptCall(scripts.TAILS, documents, [history_bytes])]
    )
    return list(answers)


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
