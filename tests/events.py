"""Events for the tests."""

from typing import Any

from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.genai import types


def event(text: str = "hello", *, author: str = "user", **fields: Any) -> Event:
    """An event with a text; `state` is its state delta."""
    actions = EventActions(state_delta=fields.pop("state", {}))
    fields.setdefault("actions", actions)
    content = types.Content(role=author, parts=[types.Part(text=text)])
    return Event(author=author, content=content, **fields)


def texts(session: Any) -> list[str]:
    """The texts of a session's events, in order."""
    return [e.content.parts[0].text for e in session.events]
