"""The work of `adksess show`: read the session, or the end of it, and print it."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from adksess.cli.commands._show_options import ShowOutput
from adksess.cli.render.console import stderr, stdout
from adksess.cli.render.event_log import EventPrinter
from adksess.cli.render.json_output import json_text, write_json
from adksess.cli.render.text import human_size, relative_time, safe_text
from adksess.cli.runner import with_store
from adksess.cli.selection import path, the_one
from adksess.store.document import as_dict, parse_events
from adksess.store.durations import format_duration
from adksess.store.errors import SessionNotFound
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary, StoredSession
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class ShowOptions:
    """What was asked for. `last` is a number of events, None for all."""

    settings: Settings
    name: str
    last: int | None
    state_only: bool
    follow: bool
    output: ShowOutput


def show_session(request: ShowOptions) -> None:
    """Print the session on stdout, then what is appended while `follow` lasts.

    Raises SessionNotFound, AmbiguousSession, SessionUnreadable.
    """

    async def read(store: SessionStore) -> tuple[SessionSummary, StoredSession]:
        summary = await the_one(store, request.name)
        last = 0 if request.state_only else request.last
        stored = await store.read(summary.ref, last=last)
        if stored is None:
            raise SessionNotFound(f"Session {path(summary.ref)} has just gone.")
        return summary, stored

    summary, stored = with_store(request.settings, read)
    printer = EventPrinter(stdout())
    if request.output is ShowOutput.PRETTY:
        _print_pretty(stdout(), request, summary, stored, printer)
    elif request.state_only:
        write_json(_whole_state(stored))
    elif request.output is ShowOutput.JSON:
        write_json(as_dict(stored.document))
    else:
        _print_lines(parse_events(stored.document))
    if request.follow:
        with_store(
            request.settings,
            lambda store: _follow(
                store, summary.ref, stored.document.event_count, request, printer
            ),
        )


async def _follow(
    store: SessionStore, ref: SessionRef, seen: int, request: ShowOptions, printer: EventPrinter
) -> None:
    while True:
        (*found,) = await store.summaries([ref])
        if not found:
            raise SessionNotFound(f"Session {path(ref)} was deleted or has expired.")
        tail = found[0].tail
        if tail is not None:
            seen = min(seen, tail.event_count)  # a trim has dropped some
        if tail is not None and tail.event_count > seen:
            stored = await store.read(ref, last=tail.event_count - seen)
            if stored is not None:
                # more may have come since: then the last ones follow in the next round
                new = parse_events(stored.document)[: tail.event_count - seen]
                seen = stored.document.event_count - len(stored.document.events) + len(new)
                if request.output is ShowOutput.PRETTY:
                    printer.print(new)
                else:
                    _print_lines(new)
        await asyncio.sleep(_POLL_SECONDS)


def _print_lines(events: Sequence[Mapping[str, Any]]) -> None:
    for event in events:
        write_json(event, indent=None)
    sys.stdout.flush()


def _print_pretty(
    console: Console,
    request: ShowOptions,
    summary: SessionSummary,
    stored: StoredSession,
    printer: EventPrinter,
) -> None:
    document = stored.document
    if request.state_only:
        console.print(_highlighted(_whole_state(stored)))
        return
    console.print(_header(summary))
    console.print()
    console.print(Text("State", style="bold"))
    console.print(_highlighted(document.state))
    console.print()
    shown, total = len(document.events), document.event_count
    heading = f"Events, the last {shown:,} of {total:,}" if shown < total else f"Events ({total:,})"
    console.print(Text(heading, style="bold"))
    printer.print(parse_events(document))
    if shown < total:
        stderr().print("--events all shows the whole history.", style="dim")


def _highlighted(value: Any) -> Text:
    # not rich.json.JSON, which parses and so unescapes what json_text() has escaped
    return JSONHighlighter()(Text(json_text(value)))


def _whole_state(stored: StoredSession) -> dict[str, Any]:
    return {
        **stored.document.state,
        **{f"app:{key}": value for key, value in stored.app_state.items()},
        **{f"user:{key}": value for key, value in stored.user_state.items()},
    }


def _header(summary: SessionSummary) -> Table:
    ref, tail = summary.ref, summary.tail
    assert tail is not None  # it could be read
    expires = Text("never", style="yellow")
    if summary.ttl_seconds is not None:
        expires = Text(f"in {format_duration(summary.ttl_seconds)}")
    kind = " (an evaluation of ADK's)" if summary.is_evaluation else ""
    rows = {
        "Session": Text(safe_text(ref.session_id) + kind, style="bold cyan"),
        "Title": Text(safe_text(summary.title)),
        "App": Text(safe_text(ref.app_name)),
        "User": Text(safe_text(ref.user_id)),
        "Created": _moment(tail.created_at),
        "Updated": _moment(tail.updated_at),
        "Expires": expires,
        "Events": Text(f"{tail.event_count:,}"),
        "Size": Text(human_size(summary.size_bytes)),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value.plain:
            table.add_row(name, value)
    return table


def _moment(iso: str) -> Text:
    moment = datetime.fromisoformat(iso).astimezone()
    return Text(f"{moment:%Y-%m-%d %H:%M:%S} ({relative_time(moment.timestamp())})")
