"""Print the events that are appended to a session, as they arrive."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from adksess.cli.commands.show.options import ShowOptions, ShowOutput
from adksess.cli.commands.show.read import ShownSession, is_wanted
from adksess.cli.render.event_log import EventPrinter, EventView
from adksess.cli.render.json_output import write_json
from adksess.cli.render.live import poll, report_outage, say_waiting
from adksess.conversation.redaction import redact_event
from adksess.store.document import parse_events
from adksess.store.errors import SessionNotFound
from adksess.store.store import SessionStore

_POLL_SECONDS = 0.5


async def follow(
    store: SessionStore, options: ShowOptions, session: ShownSession, printer: EventPrinter
) -> None:
    """Print new events until `q` or Ctrl-C. After an outage, reported on stderr, it continues.

    Raises SessionNotFound when the session is deleted or expires.
    """
    ref, seen = session.summary.ref, session.event_count
    sys.stdout.flush()

    async def step() -> None:
        nonlocal seen
        found = await store.summaries([ref])
        if not found:
            raise SessionNotFound(f"Session {ref.path} was deleted or has expired.")
        tail = found[0].tail
        if tail is None:
            return
        seen = min(seen, tail.event_count)  # a trim has dropped some
        if tail.event_count == seen:
            return
        stored = await store.read(ref, last=tail.event_count - seen)
        if stored is None:
            return
        # events that were appended since the summary are printed by the next poll
        new = parse_events(stored.document)[: tail.event_count - seen]
        first = stored.document.tail.event_count - len(stored.document.events)
        seen = first + len(new)
        _print([event for event in new if is_wanted(event, options)], options, printer, seen)

    say_waiting(options.server)
    outage = report_outage(options.settings, utc=options.utc)
    await poll(step, _POLL_SECONDS, outage=outage, answered=True)


def _print(
    events: Sequence[Mapping[str, Any]], options: ShowOptions, printer: EventPrinter, count: int
) -> None:
    if options.redact:
        events = [redact_event(event) for event in events]
    if options.output is ShowOutput.PRETTY:
        printer.print(EventView(events, count), range(len(events)))
        return
    for event in events:
        write_json(event, indent=None)
    sys.stdout.flush()
