"""Print sessions: as a table, as records, or batch by batch while they are read."""

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adksess.cli.commands.list.options import DEFAULT_LIMIT, ListOptions, ListOutput
from adksess.cli.commands.list.read import Listing, read_listing
from adksess.cli.render.console import is_terminal, message, stderr, stdout
from adksess.cli.render.json_output import JsonArray, write_json_lines
from adksess.cli.render.session_table import (
    TableOptions,
    field_names,
    session_fields,
    session_table,
)
from adksess.cli.render.styles import MUTED
from adksess.cli.render.text import counted, safe_text, value_text
from adksess.cli.render.times import moment
from adksess.cli.runner import with_store
from adksess.cli.selection import exact_name, keep_statuses
from adksess.conversation.overview import STATUS_BYTES, SessionOverview, read_overviews
from adksess.conversation.status import SessionStatus
from adksess.store.cursor import Cursor
from adksess.store.durations import format_duration
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.query import Plan, Source
from adksess.store.store import SessionStore

_WARNINGS_SHOWN = 5
_SOON = 6 * 3_600  # seconds


def print_sessions(options: ListOptions) -> None:
    """Print the sessions on stdout, and warnings and the count on stderr."""
    if options.is_streamed and with_store(options.settings, lambda s: stream(s, options)):
        return
    listing = with_store(options.settings, lambda store: read_listing(store, options))
    if options.output is ListOutput.IDS:
        _print_ids(listing.page.sessions)
    elif options.output is not ListOutput.TABLE:
        array = JsonArray()
        _print_fields(options, listing.rows, array)
        if options.output is ListOutput.JSON:
            array.close()
    elif listing.rows:
        # soft_wrap: an id that is longer than the line wraps instead of being cut
        stdout().print(listing_table(options, listing), soft_wrap=True)
    _print_notes(options, listing)


async def stream(store: SessionStore, options: ListOptions) -> bool:
    """Print all sessions batch by batch. False if nothing was printed.

    Memory does not grow with the number of sessions. They are sorted only where the recency index
    is read; a pass over all keys prints them as it finds them, with a note, but never as one JSON
    array.
    """
    only = options.filters.at(await store.now())
    plan = await store.plan(only, use_scan=options.use_scan)
    is_json = options.output is ListOutput.JSON
    if plan.source is Source.USER_INDEX or plan.state.is_small:
        return False
    if plan.source is Source.SCAN:
        if is_json:
            return False
        stderr().print(message("note", "The sessions are not sorted: every key is read, in turn."))
    wanted = options.filters.statuses
    headers, is_printed, array = options.headers, False, JsonArray()
    unreadable: list[SessionSummary] = []
    history = 0 if options.output is ListOutput.IDS and not wanted else STATUS_BYTES
    batches = store.query(
        plan,
        only,
        before=options.before,
        reverse=options.reverse,
        history_bytes=history,
    )
    async for batch in batches:
        statuses: dict[SessionRef, SessionStatus] = {}
        sessions = [session for session in batch if session.tail]
        unreadable += [session for session in batch if not session.tail]
        if wanted:
            sessions = await keep_statuses(store, sessions, wanted, statuses)
        if not sessions:
            continue
        is_printed = True
        if options.output is ListOutput.IDS:
            _print_ids(sessions, is_all=False)
            continue
        known = statuses if wanted else None
        rows = await read_overviews(store, sessions, paths=options.paths, statuses=known)
        _print_fields(replace(options, headers=headers), rows, array)
        headers = False
    if not is_printed:
        return False
    if is_json:
        array.close()
    _warn_of_unreadable(unreadable, plan)
    began = options.before.began if options.before else None
    if began is not None and await store.has_updates(plan, only, began):
        _print_command("Updated meanwhile", _update_command(options, began))
    return True


def listing_table(options: ListOptions, listing: Listing) -> Any:
    """Return a table of the sessions, laid out for stdout."""
    console = stdout()
    layout = TableOptions(
        width=console.width,
        columns=options.columns,
        extra=options.extra,
        headers=options.headers,
        is_terminal=is_terminal(),
        full_ids=options.full_ids,
        utc=options.utc,
    )
    ids = [session.ref.session_id for session in listing.page.sessions]
    return session_table(listing.rows, layout, ids)


def _print_fields(options: ListOptions, rows: Sequence[SessionOverview], array: JsonArray) -> None:
    """Print records. `array` is what JSON output is added to, and is not closed."""
    fields = (session_fields(row, options.columns) for row in rows)
    if options.output is ListOutput.JSON:
        array.write(fields)
    elif options.output is ListOutput.NDJSON:
        write_json_lines(fields)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if options.headers:
            writer.writerow(field_names(options.columns, options.extra))
        writer.writerows(
            [safe_text(value_text(value)) for value in item.values()] for item in fields
        )


def _print_ids(sessions: Sequence[SessionSummary], *, is_all: bool = True) -> None:
    """Print one name per line: an id, or app/user/id where two sessions have the same id.

    If these are not all sessions of the listing, another one may have the id: always app/user/id.
    """
    same_id = Counter(session.ref.session_id for session in sessions)
    for session in sessions:
        is_unique = is_all and same_id[session.ref.session_id] == 1
        name = exact_name(session.ref, session.key, is_unique=is_unique)
        sys.stdout.write(name + "\n")


def _print_notes(options: ListOptions, listing: Listing) -> None:
    console, page = stderr(), listing.page
    _warn_of_unreadable(page.unreadable, page.plan)
    shown = len(page.sessions)
    if page.total is None and page.next:
        console.print(f"{shown:,} sessions ({page.plan.source.value}).", style=MUTED)
    elif page.total is not None and shown < page.total:
        of = f"{shown:,} of {page.total:,} sessions ({page.plan.source.value})"
        console.print(f"{of}; -n 0 shows all.", style=MUTED)
    if page.next:
        _print_command("Next", _next_command(options, page.next))
    if page.updated_since is not None:
        _print_command("Updated meanwhile", _update_command(options, page.updated_since))
    if options.output is ListOutput.TABLE and is_terminal():
        _warn_of_expiry(page.sessions)
    if listing.explanation:
        console.print(safe_text(listing.explanation), style=MUTED, markup=False)


def _warn_of_unreadable(unreadable: Sequence[SessionSummary], plan: Plan) -> None:
    """Say which sessions are not listed, and why more was read than necessary."""
    console = stderr()
    for session in unreadable[:_WARNINGS_SHOWN]:
        console.print(message("warning", f"{session.ref.path} is not listed: {session.problem}."))
    if more := len(unreadable[_WARNINGS_SHOWN:]):
        console.print(message("warning", f"{more:,} more cannot be read."))
    if plan.advice:
        console.print(message("note", plan.advice))


def _warn_of_expiry(sessions: Sequence[SessionSummary]) -> None:
    """Say when the first sessions expire, if that is soon, and how to keep them."""
    soon = [s.ttl_seconds for s in sessions if s.ttl_seconds is not None and s.ttl_seconds < _SOON]
    if soon:
        what = counted(len(soon), "session expires", "sessions expire")
        sentence = (
            f"{what} within 6 hours, the first in {format_duration(min(soon))}. To keep one: "
            "adksess ttl ID --persist. To keep new ones longer: adksess serve --ttl 30d."
        )
        stderr().print(message("note", sentence))


def _print_command(label: str, command: str) -> None:
    """Print a command on one line, to be copied."""
    stderr().print(f"{label}: {command}", style=MUTED, markup=False, soft_wrap=True)


def _next_command(options: ListOptions, cursor: Cursor) -> str:
    """The command that shows the next page."""
    return _list_command(options, f"--before {cursor}")


def _update_command(options: ListOptions, began: float) -> str:
    """The command that shows the sessions which were updated while pages were read."""
    return _list_command(options, f"--since {moment(began).replace(tzinfo=None):%Y-%m-%dT%H:%M:%S}")


def _list_command(options: ListOptions, option: str) -> str:
    words = ["adksess list", options.filters.typed, option, options.connection]
    if options.limit != DEFAULT_LIMIT:
        words.append(f"-n {options.limit}")
    if options.reverse:
        words.append("--reverse")
    if options.output is not ListOutput.TABLE:
        words.append(f"-o {options.output}")
    return " ".join(word for word in words if word)
