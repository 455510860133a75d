"""`adksess list`: the stored sessions, as a table, JSON, NDJSON, CSV or ids."""

from typing import Annotated

import typer

from adksess.cli.command import StoreCommand, command
from adksess.cli.commands.list.options import DEFAULT_LIMIT, ListOptions, ListOutput, SortBy
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import FilterOptions, UtcOption

_WATCH_SECONDS = 2.0


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
        SortBy,
        typer.Option(
            "--sort",
            metavar="ORDER",
            help="updated, created, events, size, ttl or status: newest, most, longest or most "
            "urgent first.",
        ),
    ] = SortBy.UPDATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of sessions to show; 0 for all.")
    ] = DEFAULT_LIMIT,
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
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="CURSOR", help="Continue after a page that ended at CURSOR."
        ),
    ] = None,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read every key instead of the indexes.")
    ] = False,
    output: Annotated[
        ListOutput,
        typer.Option("--output", "-o", metavar="FORMAT", help="table, json, ndjson, csv or ids."),
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
    from adksess.cli.filters import Filters
    from adksess.cli.render.session_table import parse_columns, parse_paths
    from adksess.store.cursor import Cursor

    if before is not None and sort is not SortBy.UPDATED:
        raise UsageProblem("--before continues a list by last update: leave out --sort.")
    chosen = None if columns is None else parse_columns(columns)
    extra = list(dict.fromkeys(column or ()))
    settings = connection.settings()
    options = ListOptions(
        settings=settings,
        server=str(connection.target(settings)),
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
        connection=connection.words(),
        before=None if before is None else Cursor.parse(before),
        use_scan=scan,
    )
    if watch is None:
        from adksess.cli.commands.list.output import print_sessions

        print_sessions(options)
    else:
        from adksess.cli.commands.list.watch import watch_sessions

        watch_sessions(options, watch)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
