"""`adksess list`: the stored sessions, as a table, JSON, NDJSON, CSV or ids."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import StoreCommand, command
from adksess.cli.errors import UsageProblem
from adksess.cli.options import ConnectionOptions, FilterOptions

if TYPE_CHECKING:
    from adksess.cli.selection import Filters, SelectedSessions
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

STATE_COLUMN = "state."
_WATCH_SECONDS = 2.0
_WARNINGS_SHOWN = 5


class ListOutput(StrEnum):
    """The output formats of `list`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    IDS = "ids"


class SortBy(StrEnum):
    """The sort keys of `list`; each starts with the newest, the most or the longest."""

    UPDATED = "updated"
    CREATED = "created"
    EVENTS = "events"
    SIZE = "size"
    TTL = "ttl"


class Watchable(StoreCommand):
    """A command whose --watch may be given without a number of seconds."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        words: list[str] = []
        for position, word in enumerate(args):
            words.append(word)
            following = args[position + 1 : position + 2]
            if word in ("--watch", "-w") and not (following and _is_number(following[0])):
                words.append(str(_WATCH_SECONDS))
        return super().parse_args(ctx, words)


@dataclass(frozen=True)
class ListOptions:
    """Options of `list`. A `limit` of 0 means no limit; `columns` are keys of session state."""

    settings: "Settings"
    filters: "Filters"
    sort: SortBy
    reverse: bool
    limit: int
    columns: Sequence[str]
    output: ListOutput

    def arrange(self, sessions: "Iterable[SessionSummary]") -> "list[SessionSummary]":
        """Sort the sessions: newest, most or longest first, unless reversed."""
        return sorted(sessions, key=_ORDER[self.sort], reverse=not self.reverse)


@command(
    "adksess list --app demo --since 2h",
    "adksess list --column state.topic --watch",
    "adksess list -o json -n 0 | jq '.[].session_id'",
    kind=Watchable,
)
def list_sessions(
    *,
    filters: FilterOptions,
    sort: Annotated[
        SortBy, typer.Option("--sort", help="Newest, most or longest first.")
    ] = SortBy.UPDATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of sessions to show; 0 for all.")
    ] = 50,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="state.KEY",
            help="Show a value of the state as a column; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        ListOutput, typer.Option("--output", "-o", help="Output format.")
    ] = ListOutput.TABLE,
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            "-w",
            min=0.1,
            metavar="[SECONDS]",
            help="Refresh every SECONDS (default 2), until Ctrl-C.",
        ),
    ] = None,
    connection: ConnectionOptions,
) -> None:
    """List sessions, newest first."""
    from adksess.cli.runner import settings_from
    from adksess.cli.selection import Filters

    options = ListOptions(
        settings=settings_from(connection),
        filters=Filters.parse(filters),
        sort=sort,
        reverse=reverse,
        limit=limit,
        columns=[_state_key(name) for name in column or []],
        output=output,
    )
    if watch is None:
        print_sessions(options)
    else:
        watch_sessions(options, watch)


def print_sessions(options: ListOptions) -> None:
    """Print the sessions on stdout, and warnings and the count on stderr."""
    from adksess.cli.render.console import stdout
    from adksess.cli.render.session_table import session_table
    from adksess.cli.runner import with_store
    from adksess.cli.selection import by_filter

    selected = with_store(options.settings, lambda store: by_filter(store, options.filters))
    sessions = options.arrange(selected.sessions)
    shown = sessions[: options.limit] if options.limit else sessions
    if options.output is ListOutput.IDS:
        _print_ids(shown, sessions)
    elif options.output is not ListOutput.TABLE:
        _print_rows(options, shown)
    elif shown:
        console = stdout()
        # soft_wrap: an id that is longer than the line wraps instead of being cut
        console.print(session_table(shown, options.columns, width=console.width), soft_wrap=True)
    _print_notes(options.filters, selected, len(shown))


def watch_sessions(options: ListOptions, seconds: float) -> None:
    """Redraw the table until Ctrl-C or an error."""
    import asyncio
    import time

    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.session_table import session_table
    from adksess.cli.runner import with_store
    from adksess.cli.selection import by_filter

    console = stdout()
    if options.output is not ListOutput.TABLE or not console.is_terminal:
        raise UsageProblem("--watch needs a terminal and -o table: omit it in a script.")

    async def refresh(store: "SessionStore") -> None:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                sessions = options.arrange((await by_filter(store, options.filters)).sessions)
                rows = min(options.limit or len(sessions), max(1, console.height - 4))
                line = f"{len(sessions):,} sessions at {time.strftime('%H:%M:%S')}, Ctrl-C quits"
                table = session_table(sessions[:rows], options.columns, width=console.width)
                live.update(Group(Text(line, style="dim"), table), refresh=True)
                await asyncio.sleep(seconds)

    with_store(options.settings, refresh)


def _print_rows(options: ListOptions, shown: "Sequence[SessionSummary]") -> None:
    import csv
    import sys

    from adksess.cli.render.json_output import write_json, write_json_array
    from adksess.cli.render.session_table import FIELDS, session_row
    from adksess.cli.render.text import safe_text, value_text

    rows = (session_row(session, options.columns) for session in shown)
    if options.output is ListOutput.JSON:
        write_json_array(rows)
    elif options.output is ListOutput.NDJSON:
        for row in rows:
            write_json(row, indent=None)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*FIELDS, *(STATE_COLUMN + name for name in options.columns)])
        writer.writerows([safe_text(value_text(value)) for value in row.values()] for row in rows)


def _print_ids(shown: "Sequence[SessionSummary]", sessions: "Sequence[SessionSummary]") -> None:
    """Print one id per line, or app/user/id where two users have the same id.

    An id with a slash or colon could be read as the path of another session: the whole key is
    printed instead.
    """
    import sys
    from collections import Counter

    from adksess.cli.render.text import safe_text

    same_id = Counter(session.ref.session_id for session in sessions)
    for session in shown:
        ref = session.ref
        name = ref.session_id if same_id[ref.session_id] == 1 else ref.path
        if "/" in "".join(ref) or ":" in ref.session_id:
            name = session.key
        sys.stdout.write(safe_text(name) + "\n")


def _print_notes(filters: "Filters", selected: "SelectedSessions", shown: int) -> None:
    from adksess.cli.render.console import message, stderr

    console = stderr()
    for session in selected.unreadable[:_WARNINGS_SHOWN]:
        console.print(message("warning", f"{session.ref.path} is not listed: {session.problem}."))
    if more := len(selected.unreadable[_WARNINGS_SHOWN:]):
        console.print(message("warning", f"{more:,} more cannot be read."))
    if total := len(selected.sessions):
        if shown < total:
            console.print(f"{shown:,} of {total:,} sessions; -n 0 shows all.", style="dim")
    elif selected.unreadable:
        return
    elif filters.given:
        console.print("No session fits these filters.", style="dim")
    else:
        console.print("No sessions yet: start one with adksess serve --demo", style="dim")


def _state_key(name: str) -> str:
    if not name.startswith(STATE_COLUMN) or name == STATE_COLUMN:
        raise UsageProblem(f"--column {name!r} is not of the form state.KEY, such as state.topic.")
    return name.removeprefix(STATE_COLUMN)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_ORDER: "dict[SortBy, Callable[[SessionSummary], Any]]" = {
    SortBy.UPDATED: lambda s: (s.tail.updated_at if s.tail else "", s.key),
    SortBy.CREATED: lambda s: (s.tail.created_at if s.tail else "", s.key),
    SortBy.EVENTS: lambda s: (s.tail.event_count if s.tail else 0, s.key),
    SortBy.SIZE: lambda s: (s.size_bytes, s.key),
    SortBy.TTL: lambda s: (float("inf") if s.ttl_seconds is None else s.ttl_seconds, s.key),
}
