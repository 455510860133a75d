"""The fast validator is used only if it reads the same events as ADK."""

import logging
from typing import Any

import pytest
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions

from adksess.adk import event_json, fast_validator
from adksess.adk.event_json import read_event, write_event
from adksess.store.keys import SessionRef
from tests.adk.test_event_json import needs_fast_validator

REF = SessionRef("demo", "ada", "s1")


def _skips_a_field(schema: Any) -> Any:
    """Drop a field from the schema, as an update of pydantic might."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_skips_a_field, schema))
    if not isinstance(schema, dict):
        return schema
    return {
        key: part if key in ("metadata", "serialization") else _skips_a_field(part)
        for key, part in schema.items()
        if key != "escalate"
    }


@needs_fast_validator
def test_it_is_switched_off_when_it_reads_another_event(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert fast_validator.build()
    schema = fast_validator.event_schema()
    # a reader that loses a field without an error
    schema = _skips_a_field(schema)
    _ignore_extra(schema)
    monkeypatch.setattr(fast_validator, "event_schema", lambda: schema)
    with caplog.at_level(logging.DEBUG, "adksess.adk.fast_validator"):
        assert fast_validator.build() is None
    assert "reads another event" in caplog.text


def _ignore_extra(schema: Any) -> None:
    if isinstance(schema, list | tuple):
        for part in schema:
            _ignore_extra(part)
    elif isinstance(schema, dict):
        if schema.get("type") == "model-fields":
            schema["extra_behavior"] = "ignore"
        if isinstance(schema.get("config"), dict):
            schema["config"] = schema["config"] | {"extra_fields_behavior": "ignore"}
        for key, part in schema.items():
            if key not in ("metadata", "serialization"):
                _ignore_extra(part)


@pytest.mark.parametrize("schema", [None, {}, {"type": "nothing"}, {"type": "any"}], ids=str)
def test_another_schema_only_costs_speed(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Event, "__pydantic_core_schema__", schema)
    assert fast_validator.build() is None
    monkeypatch.setattr(event_json, "FAST_VALIDATOR", fast_validator.build())
    event = Event(id="e", author="user", timestamp=1.5, actions=EventActions(escalate=True))
    assert read_event(write_event(event), REF, 1) == event
