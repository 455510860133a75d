"""`adksess list`: the sessions that are stored."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.core import TyperCommand

from adksess.cli.errors import UsageProblem
from adksess.cli.options import (
    AppOption,
    IdleOption,
    NoTtlOption,
    PrefixOption,
    RedisUrlOption,
    SinceOption,
    UserOption,
    settings_from,
)

STATE_COLUMN = "state."
_WATCH_SECONDS = 2.0


class ListOutput(StrEnum):
    """What `list` prints."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    IDS = "ids"


class SortBy(StrEnum):
    """What `list` sorts by; each starts with the newest, the most or the longest."""

    UPDATED = "updated"
    CREATED = "created"
    EVENTS = "events"
    SIZE = "size"
    TTL = "ttl"


class Watchable(TyperCommand):
    """A command whose --watch may stand without its number of seconds."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        words: list[str] = []
        for position, word in enumerate(args):
            words.append(word)
            following = args[position + 1 : position + 2]
            if word in ("--watch", "-w") and not (following and _is_number(following[0])):
                words.append(str(_WATCH_SECONDS))
        return super().parse_args(ctx, words)


def list_sessions(
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    sort: Annotated[
        SortBy, typer.Option("--sort", help="Newest, most or longest first.")
    ] = SortBy.UPDATED,
    reverse: Annotated[bool, typer.Option("--reverse", help="Turn the order round.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Show that many sessions; 0 for all.")
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
        ListOutput, typer.Option("--output", "-o", help="How to print them.")
    ] = ListOutput.TABLE,
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            "-w",
            min=0.1,
            metavar="[SECONDS]",
            help="Show the list anew every so often (2 seconds), until Ctrl-C.",
        ),
    ] = None,
) -> None:
    """List the sessions, newest first."""
    from adksess.cli.commands.list import ListOptions, print_sessions, watch_sessions
    from adksess.cli.selection import Filters

    request = ListOptions(
        settings=settings_from(redis_url, prefix=prefix),
        filters=Filters.parse(app, user, since, idle, no_ttl),
        sort=sort,
        reverse=reverse,
        limit=limit,
        columns=[_state_key(name) for name in column or []],
        output=output,
    )
    if watch is None:
        print_sessions(request)
    else:
        watch_sessions(request, watch)


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
