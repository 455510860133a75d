"""The title of a session: the one of ADK's web UI, or its first user message."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json

from adksess.conversation.history import Event, content_parts, get_object
from adksess.store.models import TITLE_KEY

MAX_TITLE = 50
"""Characters of a message that become a title, as in ADK's web UI."""

HEAD_BYTES = 2_048
"""Bytes of a document in which the first message is searched for."""

_EVENTS_OPEN = b'"events":['


def display_name(state: Mapping[str, Any]) -> str:
    """Return the title that ADK's web UI shows, which is in the state; empty without one."""
    metadata = state.get(TITLE_KEY)
    title = metadata.get("displayName") if isinstance(metadata, Mapping) else None
    return title if isinstance(title, str) else ""


def title_of(text: str) -> str:
    """Return a text as a title: one line of at most 50 characters."""
    return " ".join(text.split())[:MAX_TITLE].rstrip()


def first_message(events: Iterable[Event]) -> str:
    """Return the first user message, typed or spoken, as a title; empty without one."""
    for event in events:
        # ADK writes the content before the author: an event that was cut may have none
        if event.get("author", "user") != "user":
            continue
        texts = [
            part["text"]
            for part in content_parts(event.get("content"))
            if isinstance(part.get("text"), str) and not part.get("thought")
        ]
        spoken = get_object(event, "input_transcription").get("text")
        if isinstance(spoken, str):
            texts.append(spoken)
        if title := title_of(" ".join(texts)):
            return title
    return ""


def title_from_head(head: bytes) -> str:
    """Return the first user message in the beginning of a document, as a title.

    The document may be cut anywhere. Empty if the message is not in this part.
    """
    start = head.find(_EVENTS_OPEN)
    if start < 0 and b'"events"' not in head:
        return ""
    text = b"{" + head[start:] if start >= 0 else head
    # a cut in the middle of a character would make the text unreadable
    text = text.decode("utf-8", "ignore").encode()
    try:
        fields = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return ""
    events = fields.get("events") if isinstance(fields, dict) else None
    if not isinstance(events, list):
        return ""
    return first_message(event for event in events if isinstance(event, dict))
