"""`adksess show`: one session, its state and its events."""

from enum import StrEnum
from typing import Annotated

import typer

from adksess.cli.errors import UsageProblem
from adksess.cli.options import IdArgument, PrefixOption, RedisUrlOption, settings_from

_LAST_EVENTS = 20


class ShowOutput(StrEnum):
    """What `show` prints."""

    PRETTY = "pretty"
    JSON = "json"
    NDJSON = "ndjson"


def show(
    session: IdArgument,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
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
        bool, typer.Option("--state", help="Show the state alone, with `app:` and `user:` state.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new events as they arrive.")
    ] = False,
    output: Annotated[
        ShowOutput,
        typer.Option(
            "--output",
            "-o",
            help="pretty for people, json for the whole document, ndjson for an event to a line.",
        ),
    ] = ShowOutput.PRETTY,
) -> None:
    """Show a session: what it is, its state, and the last of its events."""
    from adksess.cli.commands.show import ShowOptions, show_session

    if follow and output is ShowOutput.JSON:
        raise UsageProblem("--follow has no end, and a JSON document needs one: use -o ndjson.")
    if follow and state:
        raise UsageProblem("--follow shows events, --state shows none: leave out one of them.")
    default = None if output is ShowOutput.JSON else _LAST_EVENTS
    show_session(
        ShowOptions(
            settings=settings_from(redis_url, prefix=prefix),
            name=session.strip(),
            last=default if events is None else _number_of_events(events),
            state_only=state,
            follow=follow,
            output=output,
        )
    )


def _number_of_events(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageProblem(f"--events {text!r} is neither a number nor all.")
    return int(text)
