"""The status of a simple conversation, from its last message."""

import re
from collections.abc import Iterator

from adksess.conversation.history import BASELINE_PREFIX, content_parts
from adksess.conversation.status import Status, is_answer
from adksess.store.document import parse_json

_CALLS_AND_REWINDS = (b"unction", b"rewind")
"""Fields that need the full rules of session_status() wherever they are."""

_UNUSUAL = (b"error", b"compaction", b"ranscription", b'"output"', BASELINE_PREFIX.encode())
"""Fields that need the full rules in the last message and after it."""

_MESSAGE = re.compile(rb'\{(?:"model_version":"[^"\\]*",)?"content":\{"parts":\[\{"text":"[^"]')
"""The beginning of an event with text, as the store writes it."""

_AUTHOR = b'"author":"'


def quick_status(history: bytes) -> Status | None:
    """Return the status if the last events hold nothing but messages, else None.

    `history` is the end of a history as the store writes it, an event per line. Mostly none
    is parsed: a listing of a million sessions takes a quarter of the time of session_status().
    """
    for mark in _CALLS_AND_REWINDS:
        if mark in history:
            return None
    for line in _last_lines(history):
        for mark in _UNUSUAL:
            if mark in line:
                return None
        if _MESSAGE.match(line) and line.count(_AUTHOR) == 1 and b'"thought":' not in line:
            return Status.UNANSWERED if b'"author":"user"' in line else Status.OK
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict) and content_parts(event.get("content")):
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
