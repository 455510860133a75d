"""What lists say of sessions beyond their summaries: title and status, from bounded reads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adksess.store.document import parse_json
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.transfer.history import Event
from adksess.transfer.status import SessionStatus, session_status
from adksess.transfer.titles import HEAD_BYTES, title_from_head

if TYPE_CHECKING:
    from adksess.store.parts import SessionEnd
    from adksess.store.store import SessionStore

_STATUS_BYTES = 8_192
"""Bytes of the history in which the last events are searched for first."""

_MAX_STATUS_BYTES = 131_072
_STATUS_EVENTS = 4
"""Events that a status needs: a call, its first response, a text, and one more."""

_GROWTH = 4


async def read_statuses(
    store: "SessionStore", refs: Sequence[SessionRef]
) -> dict[SessionRef, SessionStatus]:
    """Return the status of each session that exists and can be read, from its last events.

    Reads the last 8 kB of a history, and more only while that holds fewer than four events: up
    to 128 kB, or until the last event is whole.
    """
    found: dict[SessionRef, SessionStatus] = {}
    left, size = list(refs), _STATUS_BYTES
    while left:
        again = []
        for end in await store.read_ends(left, history_bytes=size):
            if _is_enough(end, size):
                found[end.ref] = session_status(parsed(end.events), is_whole=end.is_whole)
            else:
                again.append(end.ref)
        left, size = again, size * _GROWTH
    return found


async def read_titles(
    store: "SessionStore", sessions: Sequence[SessionSummary]
) -> dict[SessionRef, str]:
    """Return the first user message of each session, as a title, from the head of its document."""
    refs = [session.ref for session in sessions if session.tail and session.tail.event_count]
    heads = await store.read_heads(refs, size=HEAD_BYTES)
    return {
        ref: title
        for ref, head in zip(refs, heads, strict=True)
        if (title := title_from_head(head))
    }


def parsed(lines: Sequence[bytes]) -> list[Event]:
    """Return the events that are JSON objects."""
    events: list[Event] = []
    for line in lines:
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _is_enough(end: "SessionEnd", size: int) -> bool:
    if end.is_whole or len(end.events) >= min(_STATUS_EVENTS, end.event_count):
        return True
    return size >= _MAX_STATUS_BYTES and bool(end.events)
