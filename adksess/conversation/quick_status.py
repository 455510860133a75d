"""The status of a simple conversation, from its last message."""

import re
from collections.abc import Iterator

from adksess.conversation.history import BASELINE_PREFIX, Event
from adksess.conversation.status import Status, conversation_events, event_error, is_answer
from adksess.store.document import parse_json

_CALLS_AND_REWINDS = (b"unction", b"rewind")
"""Parts of names in events that concern others: their status needs all that were read."""

_MESSAGE = re.compile(
    rb"""\{
    (?: "model_version":"[^"\\]*", )?
    "content":\{"parts":\[\{"text":"[^"\\]++(?:\\.[^"\\]*+)*+"\}\],"role":"\w*"\},
    (?: "finish_reason":"STOP", )?
    (?: "usage_metadata":\{[^{}]*\}, )?
    "invocation_id":"(?!%b)[^"\\]*",
    "author":"([^"\\]*)","""
    % BASELINE_PREFIX.encode(),
    re.VERBOSE,
)
"""The beginning of an event with a text, as the store writes it. Group 1 is the author."""

_UNUSUAL = (b"error", b"compaction", b"ranscription", b'"output"')
"""Parts of names in the rest of an event that need the full rules."""


def quick_status(history: bytes) -> Status | None:
    """Return the status if the last events hold nothing but messages, else None.

    `history` is the end of a history as the store writes it, an event per line. A plain
    message is not parsed: that takes a quarter of the time of parsing and session_status().
    """
    for mark in _CALLS_AND_REWINDS:
        if mark in history:
            return None
    for line in _last_lines(history):
        message = _MESSAGE.match(line)
        rest = line[message.end() :] if message else b""
        if message and not any(map(rest.__contains__, _UNUSUAL)):
            return Status.UNANSWERED if message[1] == b"user" else Status.OK
        for event in conversation_events(_parsed(line)):
            if event_error(event):
                return None
            if event.get("author") == "user":
                return Status.UNANSWERED
            return Status.OK if is_answer(event) else None
    return Status.OK


def _last_lines(history: bytes) -> Iterator[bytes]:
    """The events from the last one back. The first, which may be cut, is left out."""
    end = len(history)
    while (start := history.rfind(b"\n", 0, end)) >= 0:
        yield history[start + 1 : end]
        end = start - 1 if history[start - 1 : start] == b"," else start


def _parsed(line: bytes) -> list[Event]:
    try:
        event = parse_json(line)
    except ValueError:
        return []
    return [event] if isinstance(event, dict) else []
