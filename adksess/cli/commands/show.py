"""`adksess show`: one session, its state and its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import IdArgument

if TYPE_CHECKING:
    from adksess.cli.render.event_log import EventPrinter
    from adksess.store.keys import SessionRef
    from adksess.store.models import SessionSummary, StoredSession
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_LAST_EVENTS = 20
_POLL_SECONDS = 0.5


class ShowOutput(StrEnum):
    """The output formats of `show`."""

    PRETTY = "pretty"
    JSON = "json"
    NDJSON = "ndjson"


@dataclass(frozen=True)
class ShowOptions:
    """Options of `show`. `last` is a number of events, None for all."""

    settings: "Settings"
    name: str
    last: int | None
    state_only: bool
    follow: bool
    output: ShowOutput


@command(
    "adksess show 8e42",
    "adksess show demo/ada/chat-1 --events all --follow",
    "adksess show 8e42 -o json | jq .state",
)
def show(
    session: IdArgument,
    *,
    events: Annotated[
        str | None,
        typer.Option(
            "--events",
            metavar="N|all",
            help="Show the last N events, or all.",
            show_default=f"{_LAST_EVENTS}; all with -o json",
        ),
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Show only the state, with `app:` and `user:` state.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new events as they arrive.")
    ] = False,
    output: Annotated[
        ShowOutput,
        typer.Option(
            "--output",
            "-o",
            help="pretty for people, json for the whole document, ndjson for one event per line.",
        ),
    ] = ShowOutput.PRETTY,
    connection: ConnectionOptions,
) -> None:
    """Show a session's metadata, state and latest events."""
    if follow and output is ShowOutput.JSON:
        raise UsageProblem("--follow cannot end a JSON document: use -o ndjson.")
    if follow and state:
        raise UsageProblem("--follow prints events and --state prints none: omit one of them.")
    default = None if output is ShowOutput.JSON else _LAST_EVENTS
    show_session(
        ShowOptions(
            settings=connection.settings(),
            name=session.strip(),
            last=default if events is None else _number_of_events(events),
            state_only=state,
            follow=follow,
            output=output,
        )
    )


def show_session(options: ShowOptions) -> None:
    """Print the session on stdout and, with `follow`, the events that are appended later.

    Raises SessionNotFound, AmbiguousSession, SessionUnreadable.
    """
    from adksess.cli.render.console import stdout
    from adksess.cli.render.event_log import EventPrinter
    from adksess.cli.render.json_output import write_json
    from adksess.cli.runner import with_store
    from adksess.cli.selection import resolve_one
    from adksess.store.document import as_dict, parse_events
    from adksess.store.errors import SessionNotFound

    async def read(store: "SessionStore") -> "tuple[SessionSummary, StoredSession]":
        summary = await resolve_one(store, options.name)
        last = 0 if options.state_only else options.last
        stored = await store.read(summary.ref, last=last)
        if stored is None:
            raise SessionNotFound(f"Session {summary.ref.path} was deleted or has expired.")
        return summary, stored

    summary, stored = with_store(options.settings, read)
    printer = EventPrinter(stdout())
    if options.output is ShowOutput.PRETTY:
        _print_pretty(options, summary, stored, printer)
    elif options.state_only:
        write_json(_whole_state(stored))
    elif options.output is ShowOutput.JSON:
        write_json(as_dict(stored.document))
    else:
        _print_lines(parse_events(stored.document))
    if options.follow:
        count = stored.document.tail.event_count
        with_store(
            options.settings, lambda store: _follow(store, summary.ref, count, options, printer)
        )


async def _follow(
    store: "SessionStore",
    ref: "SessionRef",
    seen: int,
    options: ShowOptions,
    printer: "EventPrinter",
) -> None:
    """Print events after the first `seen` ones, as they are appended."""
    import asyncio

    from adksess.store.document import parse_events
    from adksess.store.errors import SessionNotFound

    while True:
        (*found,) = await store.summaries([ref])
        if not found:
            raise SessionNotFound(f"Session {ref.path} was deleted or has expired.")
        tail = found[0].tail
        if tail is not None:
            seen = min(seen, tail.event_count)  # a trim has dropped some
        if tail is not None and tail.event_count > seen:
            stored = await store.read(ref, last=tail.event_count - seen)
            if stored is not None:
                # events that were appended since the summary are printed by the next poll
                new = parse_events(stored.document)[: tail.event_count - seen]
                seen = stored.document.tail.event_count - len(stored.document.events) + len(new)
                if options.output is ShowOutput.PRETTY:
                    printer.print(new)
                else:
                    _print_lines(new)
        await asyncio.sleep(_POLL_SECONDS)


def _print_lines(events: Sequence[Mapping[str, Any]]) -> None:
    import sys

    from adksess.cli.render.json_output import write_json

    for event in events:
        write_json(event, indent=None)
    sys.stdout.flush()


def _print_pretty(
    options: ShowOptions,
    summary: "SessionSummary",
    stored: "StoredSession",
    printer: "EventPrinter",
) -> None:
    from rich.text import Text

    from adksess.cli.render.console import stderr, stdout
    from adksess.cli.render.session_header import highlighted_json, session_header
    from adksess.store.document import parse_events

    console, document = stdout(), stored.document
    if options.state_only:
        console.print(highlighted_json(_whole_state(stored)))
        return
    console.print(session_header(summary))
    console.print()
    console.print(Text("State", style="bold"))
    console.print(highlighted_json(document.tail.state))
    console.print()
    shown, total = len(document.events), document.tail.event_count
    heading = f"Events, the last {shown:,} of {total:,}" if shown < total else f"Events ({total:,})"
    console.print(Text(heading, style="bold"))
    printer.print(parse_events(document))
    if shown < total:
        stderr().print("--events all shows the whole history.", style="dim")


def _whole_state(stored: "StoredSession") -> dict[str, Any]:
    return {
        **stored.document.tail.state,
        **{f"app:{key}": value for key, value in stored.app_state.items()},
        **{f"user:{key}": value for key, value in stored.user_state.items()},
    }


def _number_of_events(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageProblem(f"--events {text!r} is neither a number nor all.")
    return int(text)
