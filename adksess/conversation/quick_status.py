"""The status of a simple conversation, from its last message."""

from adksess.conversation.history import BASELINE_PREFIX, content_parts
from adksess.conversation.status import Status
from adksess.store.document import event_lines, parse_json

_UNUSUAL = (
    *(b"error", b"rewind", b"compaction", b"ranscription", b"ong_running", b"ongRunning"),
    *(b"unction", b'"output"'),  # of function calls and responses
    BASELINE_PREFIX.encode(),
)
"""Fields of events that need the full rules of session_status()."""


def quick_status(history: bytes) -> Status | None:
    """Return the status if the last events hold nothing but messages, else None.

    `history` is the end of a history as the store writes it, an event per line. Mostly one event
    is parsed: a listing of a million sessions takes a third of the time of session_status().
    """
    for mark in _UNUSUAL:
        if mark in history:
            return None
    for line in reversed(event_lines(history)):
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict) and content_parts(event.get("content")):
            return Status.UNANSWERED if event.get("author") == "user" else Status.OK
    return Status.OK
