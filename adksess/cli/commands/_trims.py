"""The work of `adksess trim`: find out what would go, ask, replace each document in one step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adksess.cli.prompts import confirm
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.progress import Meter
from adksess.cli.render.text import counted, human_size
from adksess.cli.runner import with_store
from adksess.cli.selection import SelectedSessions, path
from adksess.store.document import decode, find_tail
from adksess.store.errors import SessionUnreadable
from adksess.store.models import SessionSummary, StoredValue
from adksess.store.settings import Settings
from adksess.store.store import SessionStore
from adksess.transfer.exporter import in_parts
from adksess.transfer.trim import trim

_TRIES = 10
_SHOWN = 5


@dataclass
class _Tally:
    sessions: int = 0
    invocations: int = 0
    events: int = 0
    freed: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return (
            f"{counted(self.invocations, 'invocation')} ({counted(self.events, 'event')}, "
            f"{human_size(max(0, self.freed))}) of {counted(self.sessions, 'session')}"
        )


def trim_sessions(
    settings: Settings, chosen: SelectedSessions, keep_last: int, *, yes: bool, dry_run: bool
) -> bool:
    """Ask and trim, and say on stdout what was dropped. False when a session could not be."""
    # an invocation has one event at least: a session of few events has nothing to drop
    long = [s for s in chosen.sessions if s.tail and s.tail.event_count > keep_last]
    if dry_run or not yes:
        plan = with_store(settings, lambda store: _trim(store, long, keep_last, write=False))
        if plan.sessions and dry_run:
            stdout().print(f"Would drop {plan.words}.", markup=False)
        if dry_run or not plan.sessions:
            if not plan.sessions:
                stdout().print("Nothing to drop.")
            return _report(plan)
        confirm(f"drop {plan.words} in {settings.redacted}", yes=yes)
    done = with_store(settings, lambda store: _trim(store, long, keep_last, write=True))
    stdout().print(f"Dropped {done.words}." if done.sessions else "Nothing to drop.", markup=False)
    return _report(done)


async def _trim(
    store: SessionStore, sessions: Sequence[SessionSummary], keep_last: int, *, write: bool
) -> _Tally:
    tally = _Tally()
    with Meter("Trimming" if write else "Reading sessions", len(sessions)) as meter:
        for part in in_parts(sessions):
            found = {stored.ref: stored for stored in await store.values([s.ref for s in part])}
            for session in part:
                if stored := found.get(session.ref):
                    try:
                        await _trim_one(store, session, stored, keep_last, tally, write=write)
                    except (SessionUnreadable, ValueError, TypeError, AttributeError):
                        name = path(session.ref)
                        tally.problems.append(f"{name} is left alone: it cannot be read.")
            meter.advance(len(part))
    return tally


async def _trim_one(
    store: SessionStore,
    session: SessionSummary,
    stored: StoredValue,
    keep_last: int,
    tally: _Tally,
    *,
    write: bool,
) -> None:
    for _ in range(_TRIES):
        result = trim(decode(stored.value, stored.ref), keep_last)
        if result is None:
            return
        if not write or await store.replace_if_unchanged(stored, result.document):
            if write and find_tail(stored.value) is None:
                await store.index_session(session)  # another tool's document is ours now
            tally.sessions += 1
            tally.invocations += result.dropped_invocations
            tally.events += result.dropped_events
            tally.freed += result.freed_bytes
            return
        again = await store.values([session.ref])  # somebody appended meanwhile
        if not again:
            return
        stored = again[0]
    tally.problems.append(
        f"{path(session.ref)} is left alone: it is being written all the time. Try again later."
    )


def _report(tally: _Tally) -> bool:
    for sentence in tally.problems[:_SHOWN]:
        stderr().print(message("warning", sentence))
    if more := len(tally.problems[_SHOWN:]):
        stderr().print(message("warning", f"{more:,} more are left alone."))
    return not tally.problems
