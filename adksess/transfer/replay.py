"""The state of a session at an earlier moment, from its events.

State that was given at creation has no event. What no event has ever set is as it was given; of
what an event has set, the value before the first of those events is unknown.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from adksess.conversation.history import Event, event_actions, get_object
from adksess.store.document import Document, each_event
from adksess.store.state import APP, TEMP, USER


class PastState(NamedTuple):
    """The state of a session at a moment: known values, and keys that may have had another."""

    known: dict[str, Any]
    unknown: list[str]


def initial_state(document: Document) -> PastState:
    """Return the state that a whole session was created with. Raises SessionUnreadable."""
    return state_before(document, 0)


def state_before(document: Document, count: int) -> PastState:
    """Return the state after the first `count` events of a whole session.

    Events are applied in their order, including those that a rewind removed: the rewind itself is
    an event that restores the state before them, as ADK's does. Raises SessionUnreadable.
    """
    events = each_event(document)  # one at a time: parsed they take five times the memory
    state, later = own_delta(islice(events, count)), own_delta(events)
    known = {
        key: state.get(key, value)
        for key, value in document.tail.state.items()
        if key in state or key not in later
    }
    # a key that a document of another tool does not hold although an event has set it
    known.update((key, value) for key, value in state.items() if key not in known)
    return PastState(known, [key for key in later if key not in known])


def own_delta(events: Iterable[Event]) -> dict[str, Any]:
    """Return the changes that events make to the state of their session."""
    delta: dict[str, Any] = {}
    for event in events:
        changes: Mapping[str, Any] = get_object(event_actions(event), "state_delta")
        for key, value in changes.items():
            if not key.startswith((APP, USER, TEMP)):
                delta[key] = value
    return delta
