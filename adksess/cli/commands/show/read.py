"""Find the session to show, and read it, or the end of it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adksess.cli.commands.show.options import LATEST, ShowOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import is_terminal, stderr, stdout
from adksess.cli.selection import Selection, resolve_one
from adksess.conversation.history import invocation_id
from adksess.conversation.overview import SessionOverview, read_overviews
from adksess.conversation.redaction import redact, redact_event
from adksess.store.document import parse_events
from adksess.store.errors import SessionNotFound
from adksess.store.filters import SessionFilter
from adksess.store.models import SessionSummary, StoredSession
from adksess.store.store import SessionStore

_MENU = 20


@dataclass(frozen=True)
class ShownSession:
    """A session with the events that are shown, and those that were read.

    Events are parsed; `shown` holds positions in `events`, the last of the history.
    """

    overview: SessionOverview
    stored: StoredSession
    events: Sequence[dict[str, Any]]
    shown: Sequence[int]

    @property
    def summary(self) -> SessionSummary:
        """The names of the session."""
        return self.overview.summary

    @property
    def event_count(self) -> int:
        """The number of events in the session."""
        return self.stored.document.tail.event_count


async def read_session(
    store: SessionStore, options: ShowOptions, summary: SessionSummary
) -> ShownSession:
    """Read a session. Raises SessionNotFound, SessionUnreadable."""
    last = 0 if options.state_only else None if options.selects_events else options.last
    stored = await store.read(summary.ref, last=last)
    if stored is None:
        raise SessionNotFound(f"Session {summary.ref.path} was deleted or has expired.")
    (overview,) = await read_overviews(store, [summary])
    events = parse_events(stored.document)
    shown = [position for position, event in enumerate(events) if is_wanted(event, options)]
    if options.last is not None:
        shown = shown[-options.last :] if options.last else []
    if options.redact:
        events = [redact_event(event) for event in events]
        document = stored.document
        tail = document.tail._replace(state=redact(document.tail.state))
        stored = StoredSession(
            replace(document, tail=tail), redact(stored.app_state), redact(stored.user_state)
        )
        overview = overview._replace(title=redact(overview.title))
    return ShownSession(overview, stored, events, shown)


def is_wanted(event: dict[str, Any], options: ShowOptions) -> bool:
    """Return whether an event is of the author and the invocation that are asked for."""
    if options.author is not None and event.get("author") != options.author:
        return False
    return options.invocation is None or invocation_id(event).startswith(options.invocation)


async def find(
    store: SessionStore, options: ShowOptions, name: str | None
) -> tuple[list[SessionSummary], Sequence[str]]:
    """Return the sessions that a name means, and a sentence for each missing one.

    Raises SessionNotFound or AmbiguousSession for a name that was typed.
    """
    if name == "-":
        names = tuple(dict.fromkeys(line.strip() for line in sys.stdin if line.strip()))
        selection = Selection.from_names(names)
        selected = await selection.resolve(store)
        return selected.sessions, selected.missing
    if name == LATEST or name is None:
        page = await store.page(SessionFilter(apps=options.apps), limit=1 if name else _MENU)
        if not page.sessions:
            where = f"app {' or '.join(options.apps)} of " if options.apps else ""
            raise SessionNotFound(f"There are no sessions in {where}{store.settings.redacted}.")
        return page.sessions, ()
    return [await resolve_one(store, name)], ()


def choose(rows: Sequence[SessionOverview]) -> SessionSummary:
    """Print a menu of sessions and return the one whose number is typed. Raises UsageProblem."""
    from adksess.cli.render.session_table import TableOptions, session_table

    console = stdout()
    width = console.width - 3
    table = session_table(rows, TableOptions(width=width, is_terminal=True))
    for number, line in enumerate(table.split("\n")):
        line.pad_left(0)
        prefix = f"{number:>2} " if number else "   "
        console.print(prefix, end="")
        console.print(line, soft_wrap=True)
    stderr().print(f"Session [1-{len(rows)}, Enter for 1]: ", end="", markup=False)
    sys.stderr.flush()
    typed = sys.stdin.readline().strip() or "1"
    if not typed.isdecimal() or not 1 <= int(typed) <= len(rows):
        raise UsageProblem(f"{typed!r} is not a number from 1 to {len(rows)}.")
    return rows[int(typed) - 1].summary


def require_terminal() -> None:
    """Raise UsageProblem unless a menu can be shown and answered."""
    if not (sys.stdin.isatty() and is_terminal()):
        raise UsageProblem("show needs an ID, or latest: see them with adksess list.")
