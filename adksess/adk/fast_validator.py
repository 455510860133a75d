"""A validator for stored events that takes half the time of `Event.model_validate`.

ADK's models check what only Python code can get wrong: instances of a wrong class, and keyword
arguments that stand for nested fields. Those two checks take most of the time of reading an event
from JSON. Here they are removed from a copy of pydantic's schema of Event.

The schema is an internal of pydantic, and the checks are internals of ADK, so an update of either
may change them. That can cost speed, but never change a result: the validator is compared with
`Event.model_validate` on an event with all kinds of fields, and not used when they differ.
"""

import logging
from typing import Any

from google.adk.events.event import Event
from google.genai import types
from pydantic_core import SchemaValidator

from adksess.store.document import json_bytes

_FOR_PYTHON_ONLY = ("_check_field_type_mismatches", "_accept_convenience_kwargs")

_SAMPLE: dict[str, Any] = {
    "id": "e1",
    "invocation_id": "i1",
    "author": "agent",
    "timestamp": 1795609252.2886112,
    "branch": "a.b",
    "content": {
        "role": "model",
        "parts": [
            {"text": "hi", "thought": True, "thought_signature": "AP8="},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
            {"file_data": {"file_uri": "gs://a/b", "mime_type": "text/plain"}},
            {"function_call": {"id": "c1", "name": "f", "args": {"message": "x", "n": [1.0, 2]}}},
            {"function_response": {"id": "c1", "name": "f", "response": {"a": None}}},
            {"executable_code": {"code": "1", "language": "PYTHON"}},
            {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "1"}},
        ],
    },
    "actions": {
        "state_delta": {"a": [], "user:b": {"c": 1}},
        "artifactDelta": {"file": 3},
        "transfer_to_agent": "other",
        "escalate": True,
        "rewind_before_invocation_id": "i0",
        "compaction": {
            "start_timestamp": 1.1,
            "end_timestamp": 2.2,
            "compacted_content": {"parts": [{"text": "summary"}]},
        },
    },
    "long_running_tool_ids": ["c1", "c2"],
    "usage_metadata": {"prompt_token_count": 1, "candidates_token_count": 2},
    "grounding_metadata": {"web_search_queries": ["q"]},
    "citation_metadata": {"citations": [{"title": "t"}]},
    "finish_reason": "STOP",
    "error_code": "E",
    "error_message": "oops",
    "custom_metadata": {"k": {"deep": [1, None]}},
    "turn_complete": True,
    "interrupted": False,
}

_logger = logging.getLogger(__name__)


def build() -> SchemaValidator | None:
    """Return the validator, whose `validate_json` returns an Event; None if it cannot be used.

    It rejects unknown fields, since they may be keyword arguments of ADK's models; the caller then
    uses Event.model_validate. pydantic before 2.13 does not accept the changed schema.
    """
    try:
        validator = SchemaValidator(event_schema(), _use_prebuilt=False)
        difference = _difference(validator)
    except Exception as exc:  # internals of other versions may raise anything
        difference = f"{type(exc).__name__}: {exc}"
    if difference:
        _logger.debug("events are read with Event.model_validate: %s", difference)
        return None
    return validator


def event_schema() -> Any:
    """Return the schema of Event without the checks that only Python code needs."""
    schema = _without_checks(Event.__pydantic_core_schema__)
    fields = schema
    while fields["type"] != "model-fields":
        fields = fields["schema"]
    fields["extra_behavior"] = "forbid"
    return schema


def _without_checks(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(map(_without_checks, schema))
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "function-before":
        function = schema["function"]["function"]
        if getattr(function, "__name__", "") in _FOR_PYTHON_ONLY:
            named = {"ref": schema["ref"]} if "ref" in schema else {}
            return _without_checks(schema["schema"] | named)
    # Part.__init__ also accepts a text or a file; other arguments are unchanged
    skipped = {"custom_init"} if schema.get("cls") is types.Part else set()
    return {
        key: part if key in ("metadata", "serialization") else _without_checks(part)
        for key, part in schema.items()
        if key not in skipped
    }


def _difference(validator: SchemaValidator) -> str:
    """Return what differs from ADK's own reading of the sample, empty when nothing does."""
    event, expected = validator.validate_json(json_bytes(_SAMPLE)), Event.model_validate(_SAMPLE)
    if type(event) is not type(expected) or event != expected:
        return "the fast validator reads another event"
    if repr(event) != repr(expected):  # names the class of every nested model
        return "the fast validator reads fields of another type"
    return ""
