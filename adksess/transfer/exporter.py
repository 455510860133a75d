"""Export sessions and states as lines of JSON, a few at a time."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from adksess.store.models import SessionSummary, StoredState
from adksess.store.store import SessionStore
from adksess.transfer.ndjson import session_line, state_line

_BATCH = 500
_BATCH_BYTES = 4_000_000
_MAX_REPORTED = 20

Owner = tuple[str, str | None]
"""The owner of a state: an app, or a user of one."""

Write = Callable[[bytes], object]


@dataclass
class ExportReport:
    """What was exported. `unreadable` counts all, `skipped` are the first of them.

    `longest_line` is in bytes.
    """

    sessions: int = 0
    states: int = 0
    unreadable: int = 0
    longest_line: int = 0
    skipped: list[SessionSummary] = field(default_factory=list)


async def export_sessions(
    store: SessionStore,
    batches: AsyncIterable[Sequence[SessionSummary]],
    write: Write,
    report: ExportReport,
    *,
    collect_owners: bool,
) -> set[Owner]:
    """Write the sessions of each batch, except those that were deleted in the meantime.

    Returns their apps and users, if `collect_owners`.
    """
    owners: set[Owner] = set()
    async for batch in batches:
        readable = [summary for summary in batch if summary.tail]
        unreadable = [summary for summary in batch if not summary.tail]
        report.unreadable += len(unreadable)
        report.skipped += unreadable[: _MAX_REPORTED - len(report.skipped)]
        for part in in_parts(readable):
            for stored in await store.values([summary.ref for summary in part]):
                line = session_line(stored)
                write(line)
                report.sessions += 1
                report.longest_line = max(report.longest_line, len(line))
        if collect_owners:
            owners |= {(summary.ref.app_name, None) for summary in readable}
            owners |= {(summary.ref.app_name, summary.ref.user_id) for summary in readable}
    return owners


async def export_listed(
    store: SessionStore, sessions: Sequence[SessionSummary], write: Write
) -> list[SessionSummary]:
    """Write the sessions that exist and can be read, and return them as they were passed."""
    written: list[SessionSummary] = []
    for part in in_parts([summary for summary in sessions if summary.tail]):
        by_ref = {summary.ref: summary for summary in part}
        for stored in await store.values(list(by_ref)):
            write(session_line(stored))
            written.append(by_ref[stored.ref])
    return written


async def export_states(
    batches: AsyncIterable[Sequence[StoredState]], write: Write, report: ExportReport
) -> None:
    """Write the states of each batch."""
    async for batch in batches:
        for state in batch:
            write(state_line(state))
            report.states += 1


async def states_of(store: SessionStore, owners: set[Owner]) -> AsyncIterator[list[StoredState]]:
    """Yield the states of some apps and users."""
    ordered = sorted(owners, key=lambda owner: (owner[0], owner[1] is not None, owner[1] or ""))
    for start in range(0, len(ordered), _BATCH):
        yield await store.state_of(ordered[start : start + _BATCH])


def in_parts(batch: Sequence[SessionSummary]) -> list[list[SessionSummary]]:
    """Split sessions into parts of a few megabytes, each of which is read in one round trip."""
    parts: list[list[SessionSummary]] = []
    size = _BATCH_BYTES
    for summary in batch:
        if size + summary.size_bytes > _BATCH_BYTES or len(parts[-1]) == _BATCH:
            parts.append([])
            size = 0
        parts[-1].append(summary)
        size += summary.size_bytes
    return parts
