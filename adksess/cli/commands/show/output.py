"""Print a session: for people, as JSON, or as a transcript."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from adksess.cli.commands.show.follow import follow
from adksess.cli.commands.show.options import ShowOptions, ShowOutput
from adksess.cli.commands.show.read import (
    ShownSession,
    choose,
    find,
    read_session,
    require_terminal,
)
from adksess.cli.errors import ExitCode
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.event_log import EventLayout, EventPrinter, EventView
from adksess.cli.render.json_output import write_json
from adksess.cli.render.pager import paged
from adksess.cli.render.session_header import (
    highlighted_json,
    session_header,
    state_lines,
    usage_line,
)
from adksess.cli.render.styles import MUTED
from adksess.cli.runner import with_store
from adksess.conversation.overview import SessionOverview, read_overviews
from adksess.conversation.transcript import Transcript, to_html, to_markdown
from adksess.store.document import as_dict
from adksess.store.models import SessionSummary
from adksess.store.store import SessionStore


def show_sessions(options: ShowOptions, name: str | None) -> None:
    """Print the sessions that a name means; without a name, one that is chosen from a menu.

    Raises SessionNotFound, AmbiguousSession, SessionUnreadable.
    """
    if name is None:
        require_terminal()
        name = _chosen(options).key

    layout = EventLayout(verbose=options.verbose, full=options.full, utc=options.utc)
    printer = EventPrinter(stdout(), layout)

    async def work(store: SessionStore) -> tuple[list[ShownSession], Sequence[str]]:
        summaries, missing = await find(store, options, name)
        sessions = [await read_session(store, options, one) for one in summaries]
        if options.follow:  # in one event loop: Ctrl-C between two would print a traceback
            _print(options, sessions[0], printer)
            await follow(store, options, sessions[0], printer)
        return sessions, missing

    sessions, missing = with_store(options.settings, work)
    for number, session in enumerate(() if options.follow else sessions):
        if number and options.output is ShowOutput.PRETTY:
            stdout().print()
        _print(options, session, printer)
    for sentence in missing:
        stderr().print(message("error", sentence))
    if missing:
        raise typer.Exit(ExitCode.NOT_FOUND)


def _chosen(options: ShowOptions) -> SessionSummary:
    async def newest(store: SessionStore) -> list[SessionOverview]:
        summaries, _ = await find(store, options, None)
        return await read_overviews(store, summaries)

    return choose(with_store(options.settings, newest))


def _print(options: ShowOptions, session: ShownSession, printer: EventPrinter) -> None:
    if options.output is ShowOutput.PRETTY:
        with paged(stdout(), is_wanted=options.pager and not options.follow) as console:
            _print_pretty(console, options, session, printer)
        is_part = len(session.shown) < session.event_count and not options.selects_events
        if is_part and not options.state_only:
            stderr().print("--events all shows the whole history.", style=MUTED)
    elif options.state_only:
        write_json(whole_state(session))
    elif options.output is ShowOutput.JSON:
        shown = [session.events[position] for position in session.shown]
        write_json({**as_dict(session.stored.document), "events": shown})
    elif options.output is ShowOutput.NDJSON:
        print_lines([session.events[position] for position in session.shown])
    else:
        render = to_markdown if options.output is ShowOutput.MARKDOWN else to_html
        sys.stdout.write(render(_transcript(options, session)))


def print_lines(events: Sequence[Mapping[str, Any]]) -> None:
    """Print one event per line."""
    for event in events:
        write_json(event, indent=None)
    sys.stdout.flush()


def whole_state(session: ShownSession) -> dict[str, Any]:
    """Return the state of a session with that of its app and user."""
    stored = session.stored
    return {
        **stored.document.tail.state,
        **{f"app:{key}": value for key, value in stored.app_state.items()},
        **{f"user:{key}": value for key, value in stored.user_state.items()},
    }


def _print_pretty(
    console: Console, options: ShowOptions, session: ShownSession, printer: EventPrinter
) -> None:
    if options.state_only:
        console.print(highlighted_json(whole_state(session)))
        return
    view = EventView(session.events, session.event_count)
    console.print(session_header(session.overview, utc=options.utc))
    if options.verbose:
        console.print(usage_line(session.events, session.event_count))
    console.print()
    if state := session.stored.document.tail.state:
        console.print(Text("State", style="bold"))
        console.print(state_lines(state, full=options.full, width=console.width), soft_wrap=True)
        console.print()
    shown, total = len(session.shown), session.event_count
    part = "" if options.selects_events else "the last "
    heading = f"Events, {part}{shown:,} of {total:,}" if shown < total else f"Events ({total:,})"
    console.print(Text(heading, style="bold"))
    printer.print(view, session.shown, console=console)


def _transcript(options: ShowOptions, session: ShownSession) -> Transcript:
    tail = session.stored.document.tail
    return Transcript(
        ref=session.summary.ref,
        title=session.overview.title,
        created_at=tail.created_at,
        updated_at=tail.updated_at,
        events=[session.events[position] for position in session.shown],
        event_count=session.event_count,
        **({} if options.utc else {"zone": None}),
    )
