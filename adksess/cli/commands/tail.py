"""`adksess tail`: the events of all sessions as they arrive."""

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.options import AppsOption, StatusOption, UsersOption, UtcOption

if TYPE_CHECKING:
    from adksess.conversation.status import Status
    from adksess.conversation.tail import NewEvent
    from adksess.store.filters import SessionFilter
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_POLL_SECONDS = 0.5


class TailOutput(StrEnum):
    """The output formats of `tail`."""

    PRETTY = "pretty"
    NDJSON = "ndjson"


@dataclass(frozen=True)
class TailOptions:
    """Options of `tail`. `since` is in seconds: earlier events are printed first.

    `server` is the server's name and address, as messages show it.
    """

    settings: "Settings"
    server: str
    only: "SessionFilter"
    statuses: "tuple[Status, ...]"
    since: float
    output: TailOutput
    utc: bool


@command(
    "adksess tail",
    "adksess tail --app support --since 10m",
    "adksess tail --status failed -o ndjson | jq .event.error_message",
)
def tail(
    *,
    app: AppsOption = None,
    user: UsersOption = None,
    status: StatusOption = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="AGO", help="Begin with the events of the last 10m, 2h."),
    ] = None,
    utc: UtcOption = False,
    output: Annotated[
        TailOutput, typer.Option("--output", "-o", help="Output format.")
    ] = TailOutput.PRETTY,
    connection: ConnectionOptions,
) -> None:
    """Print the events of all sessions as they arrive, until q or Ctrl-C."""
    from adksess.store.durations import parse_duration
    from adksess.store.filters import SessionFilter

    settings = connection.settings()
    follow_events(
        TailOptions(
            settings=settings,
            server=str(connection.target(settings)),
            only=SessionFilter(apps=tuple(app or ()), users=tuple(user or ())),
            statuses=tuple(status or ()),
            since=0.0 if since is None else parse_duration(since),
            output=output,
            utc=utc,
        )
    )


def follow_events(options: TailOptions) -> None:
    """Print events as they arrive. After an outage, reported on stderr, it continues."""
    from adksess.cli.render.live import poll, report_outage, say_waiting
    from adksess.cli.runner import with_store
    from adksess.conversation.tail import Tail

    async def follow(store: "SessionStore") -> None:
        events = Tail(store, options.only, options.statuses)
        _print(await events.start(options.since), options)

        async def step() -> None:
            _print(await events.poll(), options)

        say_waiting(options.server)
        outage = report_outage(options.settings, utc=options.utc)
        await poll(step, _POLL_SECONDS, outage=outage, answered=True)

    with_store(options.settings, follow)


def _print(events: "list[NewEvent]", options: TailOptions) -> None:
    from adksess.cli.render.console import is_terminal, stdout
    from adksess.cli.render.event_lines import event_line
    from adksess.cli.render.json_output import write_json

    console = stdout()
    for new in events:
        if options.output is TailOutput.NDJSON:
            names = {"key": new.key, **new.ref._asdict(), "event_number": new.number}
            write_json({**names, "event": new.event}, indent=None)
        else:
            width = console.width if is_terminal() else None
            line = event_line(new, utc=options.utc, width=width)
            console.print(line, soft_wrap=True)
    sys.stdout.flush()
