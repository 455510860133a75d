"""`adksess show`: one session, its state and its events."""

from typing import Annotated

import typer

from adksess.cli.candidates import complete_id
from adksess.cli.command import command
from adksess.cli.commands.show.options import LAST_EVENTS, LATEST, ShowOptions, ShowOutput
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import AppsOption, UtcOption


@command(
    "adksess show 8e42",
    "adksess show latest --app demo --follow",
    "adksess show demo/ada/chat-1 --events all -v",
    "adksess show 8e42 -o html --redact > chat.html",
    "adksess show 8e42 -o json | jq .state",
)
def show(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="A session id, a prefix of one (4 characters or more), app/user/id, the whole "
            "key, latest, or - for names from stdin. On a terminal: without ID, a menu.",
            show_default=False,
            autocompletion=complete_id,
        ),
    ] = None,
    *,
    app: AppsOption = None,
    events: Annotated[
        str | None,
        typer.Option(
            "--events",
            metavar="N|all",
            help="Show the last N events, or all.",
            show_default=f"{LAST_EVENTS}; all with -o json, md, html",
        ),
    ] = None,
    invocation: Annotated[
        str | None, typer.Option("--invocation", metavar="ID", help="Only events of this turn.")
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Only events of this author.")
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Show only the state, with `app:` and `user:` state.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Add invocation ids, seconds between events, model and tokens.",
        ),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Do not cut texts, values and state.")
    ] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Mask what looks like a credential.")
    ] = False,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Print new events as they arrive, until q or Ctrl-C."),
    ] = False,
    no_pager: Annotated[
        bool, typer.Option("--no-pager", help="Do not page what is longer than the screen.")
    ] = False,
    utc: UtcOption = False,
    output: Annotated[
        ShowOutput,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="pretty for people, json for the whole document, ndjson for one event per line, "
            "md or html for a transcript.",
        ),
    ] = ShowOutput.PRETTY,
    connection: ConnectionOptions,
) -> None:
    """Show a session's metadata, state and latest events."""
    _check(session, app, follow=follow, state=state, output=output)
    whole = output in (ShowOutput.JSON, ShowOutput.MARKDOWN, ShowOutput.HTML)
    default = None if whole or invocation is not None else LAST_EVENTS
    settings = connection.settings()
    options = ShowOptions(
        settings=settings,
        server=str(connection.target(settings)),
        last=default if events is None else _number_of_events(events),
        state_only=state,
        follow=follow,
        output=output,
        apps=tuple(app or ()),
        invocation=invocation,
        author=author,
        verbose=verbose,
        full=full,
        redact=redact,
        pager=not no_pager,
        utc=utc,
    )
    from adksess.cli.commands.show.output import show_sessions

    show_sessions(options, None if session is None else session.strip())


def _check(
    session: str | None,
    app: list[str] | None,
    *,
    follow: bool,
    state: bool,
    output: ShowOutput,
) -> None:
    """Raise UsageProblem for options that exclude each other."""
    if follow and output not in (ShowOutput.PRETTY, ShowOutput.NDJSON):
        raise UsageProblem(f"--follow cannot end a document of -o {output}: use -o ndjson.")
    if follow and state:
        raise UsageProblem("--follow prints events and --state prints none: omit one of them.")
    if follow and session == "-":
        raise UsageProblem("--follow follows one session: name it.")
    if state and output in (ShowOutput.MARKDOWN, ShowOutput.HTML):
        raise UsageProblem("--state is not part of a transcript: use -o json.")
    if app and session not in (None, LATEST):
        raise UsageProblem("--app is for `show latest`: an ID already names one session.")


def _number_of_events(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageProblem(f"--events {text!r} is neither a number nor all.")
    return int(text)
