"""Reading an event skips google-genai's checks of dicts; what comes out must not differ."""

import pytest
from google.adk.events.event import Event
from pydantic import ValidationError

from adksess.adk.service import _without_genai_checks
from adksess.store.document import json_bytes, parse_json

GOOD = [
    None,
    {},
    {"role": "user"},
    {"parts": None},
    {"parts": []},
    {"parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "AP8="}}]},
    {"parts": [{"functionCall": {"name": "f", "args": {"a": [1, {}]}, "id": "1"}}]},
    {"parts": [{"function_response": {"name": "f", "response": {"n": 2**70}}}]},
    {"parts": [{"thought": True, "text": "x", "thought_signature": "AAEC"}], "role": "model"},
    {"parts": [{"text": "x", "thought": None}]},
]
BAD = [
    "x",
    [1],
    {"parts": "x"},
    {"parts": {"text": "x"}},
    {"parts": ["x", 1, None]},
    {"parts": [{"nope": 1}]},
    {"parts": [{"text": 1}]},
    {"parts": [{"value": "x"}]},
    {"parts": [{"functionCall": {"nope": 1}}]},
    {"parts": [], "nope": 1},
]


@pytest.mark.parametrize("content", GOOD, ids=str)
def test_the_event_is_the_same(content):
    line = json_bytes({"id": "1", "author": "u", "timestamp": 1.0, "content": content})
    expected = Event.model_validate(parse_json(line))
    event = Event.model_validate(_without_genai_checks(parse_json(line)))
    assert event == expected
    assert event.model_dump_json(exclude_none=True) == expected.model_dump_json(exclude_none=True)


@pytest.mark.parametrize("content", BAD, ids=str)
def test_the_error_names_the_same_fields(content):
    line = json_bytes({"id": "1", "author": "u", "timestamp": 1.0, "content": content})
    with pytest.raises(ValidationError) as expected:
        Event.model_validate(parse_json(line))
    with pytest.raises(ValidationError) as error:
        Event.model_validate(_without_genai_checks(parse_json(line)))
    assert [e["loc"] for e in error.value.errors()] == [e["loc"] for e in expected.value.errors()]


@pytest.mark.parametrize("fields", [None, "x", [], 1], ids=str)
def test_what_is_no_event_stays_what_it_is(fields):
    assert _without_genai_checks(fields) == fields
