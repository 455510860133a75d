"""`adksess list`: the stored sessions, as a table, JSON, NDJSON, CSV or ids."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import StoreCommand, command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import FilterOptions, UtcOption

if TYPE_CHECKING:
    from adksess.cli.selection import Filters, SelectedSessions
    from adksess.store.keys import SessionRef
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore
    from adksess.transfer.overview import SessionOverview
    from adksess.transfer.state_path import StatePath
    from adksess.transfer.status import SessionStatus

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
    """The sort keys of `list`; each starts with the newest, the most, the longest or the worst."""

    UPDATED = "updated"
    CREATED = "created"
    EVENTS = "events"
    SIZE = "size"
    TTL = "ttl"
    STATUS = "status"


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
    """Options of `list`. A `limit` of 0 means no limit.

    `columns` are the columns to show, None for the default ones with those of `extra`; `paths`
    are the state values among them.
    """

    settings: "Settings"
    filters: "Filters"
    sort: SortBy
    reverse: bool
    limit: int
    columns: Sequence[str] | None
    extra: Sequence[str]
    paths: "Sequence[StatePath]"
    output: ListOutput
    headers: bool
    full_ids: bool
    utc: bool


@dataclass(frozen=True)
class Listing:
    """The sessions that were found, in order, and overviews of those that are shown."""

    selected: "SelectedSessions"
    sessions: "Sequence[SessionSummary]"
    rows: "Sequence[SessionOverview]" = field(default_factory=list)


@command(
    "adksess list --app demo --since 2h",
    "adksess list --status failed --status waiting --since 1h",
    "adksess list --column state.topic --watch",
    "adksess list -o json -n 0 | jq '.[].session_id'",
    kind=Watchable,
)
def list_sessions(
    *,
    filters: FilterOptions,
    sort: Annotated[
        SortBy, typer.Option("--sort", help="Newest, most, longest or most urgent first.")
    ] = SortBy.UPDATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of sessions to show; 0 for all.")
    ] = 50,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAME,…",
            help="Show these columns: id, title, status, app, user, events, size, created, "
            "updated, age, ttl, waiting, key, or state values as in --column.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="state.KEY",
            help="Add a value of the state as a column: state.topic, state.cart.0.sku, "
            "user:plan, app:mode; repeatable.",
        ),
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no header line.")] = False,
    full_ids: Annotated[
        bool, typer.Option("--full-ids", help="Do not shorten ids on a terminal.")
    ] = False,
    utc: UtcOption = False,
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
            help="Refresh every SECONDS (default 2), until q or Ctrl-C.",
        ),
    ] = None,
    connection: ConnectionOptions,
) -> None:
    """List sessions, newest first."""
    from adksess.cli.render.session_table import parse_columns, parse_paths
    from adksess.cli.selection import Filters

    chosen = None if columns is None else parse_columns(columns)
    extra = list(dict.fromkeys(column or ()))
    options = ListOptions(
        settings=connection.settings(),
        filters=Filters.parse(filters),
        sort=sort,
        reverse=reverse,
        limit=limit,
        columns=None if chosen is None else [*chosen, *extra],
        extra=extra,
        paths=parse_paths([*(chosen or ()), *extra]),
        output=output,
        headers=not no_headers,
        full_ids=full_ids,
        utc=utc,
    )
    if watch is None:
        print_sessions(options)
    else:
        watch_sessions(options, watch)


async def read_listing(store: "SessionStore", options: ListOptions) -> Listing:
    """Find the sessions, sort them, and read what the shown ones need."""
    from adksess.cli.selection import by_filter
    from adksess.transfer.overview import read_overviews, read_statuses

    selected = await by_filter(store, options.filters)
    statuses = selected.statuses
    if options.sort is SortBy.STATUS and statuses is None:
        statuses = await read_statuses(store, [session.ref for session in selected.sessions])
    sessions = arrange(selected.sessions, options.sort, statuses or {}, reverse=options.reverse)
    shown = sessions[: options.limit] if options.limit else sessions
    if options.output is ListOutput.IDS:
        return Listing(selected, sessions)
    rows = await read_overviews(store, shown, paths=options.paths, statuses=statuses)
    return Listing(selected, sessions, rows)


def arrange(
    sessions: "Iterable[SessionSummary]",
    sort: SortBy,
    statuses: "Mapping[SessionRef, SessionStatus]",
    *,
    reverse: bool = False,
) -> "list[SessionSummary]":
    """Sort the sessions: newest, most, longest or most urgent first, unless reversed."""
    if sort is not SortBy.STATUS:
        return sorted(sessions, key=_ORDER[sort], reverse=not reverse)
    from adksess.transfer.status import Status

    urgency = {status: -position for position, status in enumerate(Status)}

    def order(session: "SessionSummary") -> Any:
        found = statuses.get(session.ref)
        return (urgency[found.status if found else Status.OK], *_ORDER[SortBy.UPDATED](session))

    return sorted(sessions, key=order, reverse=not reverse)


def print_sessions(options: ListOptions) -> None:
    """Print the sessions on stdout, and warnings and the count on stderr."""
    from adksess.cli.render.console import stdout
    from adksess.cli.runner import with_store

    async def read(store: "SessionStore") -> tuple[Listing, str]:
        listing = await read_listing(store, options)
        if listing.sessions or listing.selected.unreadable:
            return listing, ""
        from adksess.cli.empty import explain_empty

        return listing, await explain_empty(store, options.filters)

    listing, explanation = with_store(options.settings, read)
    shown = listing.sessions[: options.limit] if options.limit else listing.sessions
    if options.output is ListOutput.IDS:
        _print_ids(shown, listing.sessions)
    elif options.output is not ListOutput.TABLE:
        _print_fields(options, listing.rows)
    elif listing.rows:
        # soft_wrap: an id that is longer than the line wraps instead of being cut
        stdout().print(_table(options, listing), soft_wrap=True)
    _print_notes(listing, len(shown), explanation)


def watch_sessions(options: ListOptions, seconds: float) -> None:
    """Redraw the table until `q` or Ctrl-C. An outage is shown below the last view."""
    import time
    from dataclasses import replace

    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.live import poll
    from adksess.cli.render.styles import ERROR, MUTED
    from adksess.cli.render.times import moment, zone
    from adksess.cli.runner import with_store

    console = stdout()
    if options.output is not ListOutput.TABLE or not console.is_terminal:
        raise UsageProblem("--watch needs a terminal and -o table: omit it in a script.")
    rows = max(1, console.height - 4)
    options = replace(options, limit=min(options.limit or rows, rows))

    async def refresh(store: "SessionStore") -> None:
        view: Group | Text = Text()
        with Live(console=console, screen=True, auto_refresh=False) as live:

            async def step() -> None:
                nonlocal view
                listing = await read_listing(store, options)
                now = f"{moment(time.time(), utc=options.utc):%H:%M:%S} {zone(utc=options.utc)}"
                line = f"{len(listing.sessions):,} sessions at {now}, q quits"
                view = Group(Text(line, style=MUTED), _table(options, listing))
                live.update(view, refresh=True)

            def outage(since: float | None) -> None:
                if since is not None:
                    when = f"{moment(since, utc=options.utc):%H:%M:%S}"
                    line = f"No answer from {options.settings.redacted} since {when}; retrying."
                    live.update(Group(Text(line, style=ERROR), view), refresh=True)

            await poll(step, seconds, outage=outage)

    with_store(options.settings, refresh)


def _table(options: ListOptions, listing: Listing) -> Any:
    from adksess.cli.render.console import stdout
    from adksess.cli.render.session_table import TableOptions, session_table

    console = stdout()
    layout = TableOptions(
        width=console.width,
        columns=options.columns,
        extra=options.extra,
        headers=options.headers,
        is_terminal=console.is_terminal,
        full_ids=options.full_ids,
        utc=options.utc,
    )
    ids = [session.ref.session_id for session in listing.sessions]
    return session_table(listing.rows, layout, ids)


def _print_fields(options: ListOptions, rows: "Sequence[SessionOverview]") -> None:
    import csv
    import sys

    from adksess.cli.render.json_output import write_json, write_json_array
    from adksess.cli.render.session_table import field_names, session_fields
    from adksess.cli.render.text import safe_text, value_text

    fields = (session_fields(row, options.columns) for row in rows)
    if options.output is ListOutput.JSON:
        write_json_array(fields)
    elif options.output is ListOutput.NDJSON:
        for item in fields:
            write_json(item, indent=None)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if options.headers:
            writer.writerow(field_names(options.columns, options.extra))
        writer.writerows(
            [safe_text(value_text(value)) for value in item.values()] for item in fields
        )


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


def _print_notes(listing: Listing, shown: int, explanation: str) -> None:
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.styles import MUTED
    from adksess.cli.render.text import safe_text

    console, unreadable = stderr(), listing.selected.unreadable
    for session in unreadable[:_WARNINGS_SHOWN]:
        console.print(message("warning", f"{session.ref.path} is not listed: {session.problem}."))
    if more := len(unreadable[_WARNINGS_SHOWN:]):
        console.print(message("warning", f"{more:,} more cannot be read."))
    if shown < (total := len(listing.sessions)):
        console.print(f"{shown:,} of {total:,} sessions; -n 0 shows all.", style=MUTED)
    if explanation:
        console.print(safe_text(explanation), style=MUTED, markup=False)


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
