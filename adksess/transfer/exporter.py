"""Writing sessions and states as records, a few at a time."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from adksess.store.models import SessionSummary, StoredState
from adksess.store.store import SessionStore
from adksess.transfer.ndjson import SessionRecord, state_line

_BATCH = 500
_BATCH_BYTES = 4_000_000
_NAMED = 20

Write = Callable[[bytes], object]


@dataclass
class Exported:
    """What was written. `left_out` are the first sessions that cannot be read."""

    sessions: int = 0
    states: int = 0
    unreadable: int = 0
    left_out: list[SessionSummary] = field(default_factory=list)


async def export_sessions(
    store: SessionStore,
    batches: AsyncIterable[Sequence[SessionSummary]],
    write: Write,
    done: Exported,
    *,
    note_owners: bool,
) -> set[tuple[str, str | None]]:
    """Write the sessions of each batch; one that has gone meanwhile is left out.

    Returns their apps and users, if `note_owners`.
    """
    owners: set[tuple[str, str | None]] = set()
    async for batch in batches:
        readable = [summary for summary in batch if summary.tail]
        unreadable = [summary for summary in batch if not summary.tail]
        done.unreadable += len(unreadable)
        done.left_out += unreadable[: _NAMED - len(done.left_out)]
        for few in in_parts(readable):
            for stored in await store.values([summary.ref for summary in few]):
                write(SessionRecord.of(stored).line())
                done.sessions += 1
        if note_owners:
            owners |= {(summary.ref.app_name, None) for summary in readable}
            owners |= {(summary.ref.app_name, summary.ref.user_id) for summary in readable}
    return owners


async def export_states(
    batches: AsyncIterable[Sequence[StoredState]], write: Write, done: Exported
) -> None:
    """Write states."""
    async for batch in batches:
        for state in batch:
            write(state_line(state))
            done.states += 1


async def states_of(
    store: SessionStore, owners: set[tuple[str, str | None]]
) -> AsyncIterator[list[StoredState]]:
    """The states of certain apps and users."""
    ordered = sorted(owners, key=lambda owner: (owner[0], owner[1] is not None, owner[1] or ""))
    for start in range(0, len(ordered), _BATCH):
        yield await store.state_of(ordered[start : start + _BATCH])


def in_parts(batch: Sequence[SessionSummary]) -> list[list[SessionSummary]]:
    """Sessions in parts that are read in one go: a document may have megabytes."""
    parts: list[list[SessionSummary]] = []
    size = _BATCH_BYTES
    for summary in batch:
        if size + summary.size_bytes > _BATCH_BYTES or len(parts[-1]) == _BATCH:
            parts.append([])
            size = 0
        parts[-1].append(summary)
        size += summary.size_bytes
    return parts
