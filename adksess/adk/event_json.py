"""Write ADK's events as lines of JSON, and read them."""

from contextlib import suppress

from google.adk.events.event import Event
from google.adk.sessions.session import Session
from google.adk.sessions.state import State
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from adksess.adk import fast_validator
from adksess.store.document import json_bytes, parse_json, unreadable
from adksess.store.keys import SessionRef
from adksess.store.models import StoredSession
from adksess.store.state import merge_scopes

# Validators of ADK 2.13 and google-genai raise these, not ValidationError, for some values.
_RAW = (AttributeError, TypeError)
FAST_VALIDATOR = fast_validator.build()
"""None where events have to be read with Event.model_validate."""


def write_event(event: Event) -> bytes:
    """Return the line that is stored for an event: compact JSON without None fields."""
    try:
        return event.model_dump_json(exclude_none=True).encode()
    except PydanticSerializationError:  # a lone surrogate
        return json_bytes(event.model_dump(mode="json", exclude_none=True))


def without_temp_state(event: Event) -> Event:
    """Return the event without `temp:` keys in its state delta; the caller's event is unchanged."""
    delta = event.actions.state_delta
    kept = {key: delta[key] for key in delta if not key.startswith(State.TEMP_PREFIX)}
    if len(kept) == len(delta):
        return event
    actions = event.actions.model_copy(update={"state_delta": kept})
    return event.model_copy(update={"actions": actions})


def read_event(line: bytes, ref: SessionRef, number: int) -> Event:
    """Read one event; `number` counts from 1.

    Raises SessionUnreadable, which names the event and the invalid fields, never their content.
    """
    if FAST_VALIDATOR:
        with suppress(ValidationError, *_RAW):  # otherwise report ADK's own error
            event: Event = FAST_VALIDATOR.validate_json(line)
            return event
    try:
        return Event.model_validate(parse_json(line))
    except ValidationError as exc:
        fields = ", ".join(".".join(map(str, error["loc"])) for error in exc.errors())
        why = f"this version of ADK does not accept {fields or 'it'}"
    except ValueError:
        why = "it is not JSON"
    except _RAW:
        why = "this version of ADK does not accept it"
    raise unreadable(ref, f"event {number}: {why}") from None


def read_session(stored: StoredSession) -> Session:
    """Read a session with the events that were read. Raises SessionUnreadable."""
    document = stored.document
    session = Session(
        app_name=document.ref.app_name,
        user_id=document.ref.user_id,
        id=document.ref.session_id,
        state=merge_scopes(document.tail.state, stored.app_state, stored.user_state),
        last_update_time=document.tail.last_update_time,
    )
    first = document.tail.event_count - len(document.events) + 1
    for number, line in enumerate(document.events, first):
        session.events.append(read_event(line, document.ref, number))
    return session
