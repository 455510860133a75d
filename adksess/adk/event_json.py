"""ADK's events as lines of JSON, each way."""

from contextlib import suppress
from typing import Any

from google.adk.events.event import Event
from google.adk.sessions.state import State
from google.genai import types
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator

from adksess.store.document import json_bytes, parse_json, unreadable
from adksess.store.keys import SessionRef

# What validators of ADK and google-genai raise of some values without looking at their type.
_RAW = (AttributeError, TypeError)
_FOR_PYTHON_ONLY = ("_check_field_type_mismatches", "_accept_convenience_kwargs")


def write_event(event: Event) -> bytes:
    """The line that is stored for an event."""
    try:
        return event.model_dump_json(exclude_none=True).encode()
    except PydanticSerializationError:  # a lone surrogate
        return json_bytes(event.model_dump(mode="json", exclude_none=True))


def without_temp_state(event: Event) -> Event:
    """The event as it is stored; the caller's own keeps its `temp:` delta until it is."""
    delta = event.actions.state_delta
    kept = {key: delta[key] for key in delta if not key.startswith(State.TEMP_PREFIX)}
    if len(kept) == len(delta):
        return event
    actions = event.actions.model_copy(update={"state_delta": kept})
    return event.model_copy(update={"actions": actions})


def read_event(line: bytes, ref: SessionRef, number: int) -> Event:
    """Read one event. Raises SessionUnreadable, which names it and the fields at fault, never
    their content.
    """
    if _lines:
        with suppress(ValidationError, *_RAW):  # what ADK itself says of it, counts
            event: Event = _lines.validate_json(line)
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


def _line_validator() -> SchemaValidator | None:
    """ADK's own schema of an event, less what serves Python code alone and takes most of the time:
    warnings of instances of a wrong class, and arguments that stand for nested fields. A field that
    it does not know may be such an argument, and is refused. An explicit null in a part counts as
    set, which it does not in ADK.

    None where pydantic does not take it, as before 2.13. Half the time of copying an event in
    memory.
    """
    try:
        schema = _for_json(Event.__pydantic_core_schema__)
        fields = schema
        while fields["type"] != "model-fields":
            fields = fields["schema"]
        fields["extra_behavior"] = "forbid"
        return SchemaValidator(schema, _use_prebuilt=False)
    except Exception:  # it is an internal of pydantic, which may change
        return None


def _for_json(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(map(_for_json, schema))
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "function-before":
        function = schema["function"]["function"]
        if getattr(function, "__name__", "") in _FOR_PYTHON_ONLY:
            named = {"ref": schema["ref"]} if "ref" in schema else {}
            return _for_json(schema["schema"] | named)
    # Part's own __init__ takes a text or a file too, and else hands on what it gets
    skipped = {"custom_init"} if schema.get("cls") is types.Part else set()
    return {
        key: part if key in ("metadata", "serialization") else _for_json(part)
        for key, part in schema.items()
        if key not in skipped
    }


_lines = _line_validator()
