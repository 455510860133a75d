"""The work of `adksess list`: choose, sort, cut, print."""

import asyncio
import csv
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adksess.cli.commands._list_options import STATE_COLUMN, ListOutput, SortBy
from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.json_output import write_json, write_json_array
from adksess.cli.render.session_table import session_table
from adksess.cli.render.text import safe_text
from adksess.cli.runner import with_store
from adksess.cli.selection import Filters, SelectedSessions, by_filter, path
from adksess.store.document import json_bytes
from adksess.store.models import SessionSummary
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

FIELDS = (
    "key",
    "app_name",
    "user_id",
    "session_id",
    "title",
    "event_count",
    "size_bytes",
    "created_at",
    "updated_at",
    "ttl_seconds",
)
"""What JSON, NDJSON and CSV say of a session, in this order; columns follow."""

_WARNINGS_SHOWN = 5


@dataclass(frozen=True)
class ListOptions:
    """What was asked for. A `limit` of 0 is none; `columns` are keys of the session's state."""

    settings: Settings
    filters: Filters
    sort: SortBy
    reverse: bool
    limit: int
    columns: Sequence[str]
    output: ListOutput

    def arrange(self, sessions: Iterable[SessionSummary]) -> list[SessionSummary]:
        """The sessions in the order asked for: newest, most or longest first."""
        return sorted(sessions, key=_ORDER[self.sort], reverse=not self.reverse)


def print_sessions(request: ListOptions) -> None:
    """Print the sessions on stdout, and on stderr what else there is to say."""
    chosen = with_store(request.settings, lambda store: by_filter(store, request.filters))
    found = request.arrange(chosen.sessions)
    shown = found[: request.limit] if request.limit else found
    if request.output is ListOutput.IDS:
        _print_ids(shown, found)
    elif request.output is not ListOutput.TABLE:
        _print_rows(request, shown)
    elif shown:
        console = stdout()
        # an id that is longer than the line goes on in the next: soft_wrap cuts nothing
        console.print(session_table(shown, request.columns, width=console.width), soft_wrap=True)
    _talk(request.filters, chosen, len(shown))


def watch_sessions(request: ListOptions, seconds: float) -> None:
    """Show the table anew until Ctrl-C. An error ends it, with the error's exit code."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    console = stdout()
    if request.output is not ListOutput.TABLE or not console.is_terminal:
        raise UsageProblem("--watch shows a table on a terminal: leave it out in a script.")

    async def refresh(store: SessionStore) -> None:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                found = request.arrange((await by_filter(store, request.filters)).sessions)
                rows = min(request.limit or len(found), max(1, console.height - 4))
                line = f"{len(found):,} sessions at {time.strftime('%H:%M:%S')}, Ctrl-C quits"
                table = session_table(found[:rows], request.columns, width=console.width)
                live.update(Group(Text(line, style="dim"), table), refresh=True)
                await asyncio.sleep(seconds)

    with_store(request.settings, refresh)


def _print_rows(request: ListOptions, shown: Sequence[SessionSummary]) -> None:
    rows = (_row(session, request.columns) for session in shown)
    if request.output is ListOutput.JSON:
        write_json_array(rows)
    elif request.output is ListOutput.NDJSON:
        for row in rows:
            write_json(row, indent=None)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*FIELDS, *(STATE_COLUMN + name for name in request.columns)])
        writer.writerows([_cell(value) for value in row.values()] for row in rows)


def _print_ids(shown: Sequence[SessionSummary], found: Sequence[SessionSummary]) -> None:
    """An id to a line; the full name where two users have the same id.

    An id with a slash or colon could be read as the full name of another session: it is written
    as its whole key, which cannot.
    """
    same_id = Counter(session.ref.session_id for session in found)
    for session in shown:
        ref = session.ref
        name = ref.session_id if same_id[ref.session_id] == 1 else path(ref)
        if "/" in "".join(ref) or ":" in ref.session_id:
            name = session.key
        sys.stdout.write(safe_text(name) + "\n")


def _row(session: SessionSummary, columns: Sequence[str]) -> dict[str, Any]:
    ref, tail = session.ref, session.tail
    assert tail is not None  # the unreadable ones were set aside
    row = {
        "key": session.key,
        "app_name": ref.app_name,
        "user_id": ref.user_id,
        "session_id": ref.session_id,
        "title": session.title,
        "event_count": tail.event_count,
        "size_bytes": session.size_bytes,
        "created_at": tail.created_at,
        "updated_at": tail.updated_at,
        "ttl_seconds": None if session.ttl_seconds is None else round(session.ttl_seconds),
    }
    for name in columns:
        row[STATE_COLUMN + name] = tail.state.get(name)
    return row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return safe_text(value if isinstance(value, str) else json_bytes(value).decode())


def _talk(filters: Filters, chosen: SelectedSessions, shown: int) -> None:
    console = stderr()
    for session in chosen.unreadable[:_WARNINGS_SHOWN]:
        console.print(message("warning", f"{path(session.ref)} is left out: {session.problem}."))
    if more := len(chosen.unreadable[_WARNINGS_SHOWN:]):
        console.print(message("warning", f"{more:,} more cannot be read."))
    if found := len(chosen.sessions):
        if shown < found:
            console.print(f"{shown:,} of {found:,} sessions; -n 0 shows all.", style="dim")
    elif chosen.unreadable:
        return
    elif filters.given:
        console.print("No session fits these filters.", style="dim")
    else:
        console.print("No sessions yet: start one with adksess serve --demo", style="dim")


_ORDER: dict[SortBy, Callable[[SessionSummary], Any]] = {
    SortBy.UPDATED: lambda s: (s.tail.updated_at if s.tail else "", s.key),
    SortBy.CREATED: lambda s: (s.tail.created_at if s.tail else "", s.key),
    SortBy.EVENTS: lambda s: (s.tail.event_count if s.tail else 0, s.key),
    SortBy.SIZE: lambda s: (s.size_bytes, s.key),
    SortBy.TTL: lambda s: (float("inf") if s.ttl_seconds is None else s.ttl_seconds, s.key),
}
