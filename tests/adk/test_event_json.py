"""Stored events are read as ADK reads them, with the fast validator and without it."""

import pydantic
import pytest
from google.adk.events.event import Event, NodeInfo
from google.adk.events.event_actions import EventActions, EventCompaction
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from adksess.adk import event_json
from adksess.adk.event_json import read_event, write_event
from adksess.store.document import json_bytes, parse_json
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from tests.contract.strategies import states, text, values

REF = SessionRef("demo", "ada", "s1")
needs_fast_validator = pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 13),
    reason="pydantic before 2.13 does not take a schema that differs from its model's",
)
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
    {"parts": [{"text": "half an emoji \ud83d"}]},
    {"parts": [{"functionCall": {"name": "f", "args": {"message": "x", "state": {"a": 1}}}}]},
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


def line_with(content: object) -> bytes:
    return json_bytes({"id": "1", "author": "u", "timestamp": 1.0, "content": content})


def assert_read_as_adk_reads_it(line: bytes) -> None:
    expected = Event.model_validate(parse_json(line))
    event = read_event(line, REF, 1)
    assert event == expected
    assert event.model_dump() == expected.model_dump()
    assert [type(part) for part in (event.content and event.content.parts) or ()] == [
        type(part) for part in (expected.content and expected.content.parts) or ()
    ]


@needs_fast_validator
def test_the_fast_validator_works_with_this_adk_and_pydantic() -> None:
    line = line_with({"parts": [{"text": "x"}]})
    assert event_json.FAST_VALIDATOR
    assert event_json.FAST_VALIDATOR.validate_json(line) == Event.model_validate(parse_json(line))


@needs_fast_validator
def test_the_fast_validator_calls_none_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise AssertionError("ADK validated the event")

    monkeypatch.setattr(Event, "model_validate", slow)
    monkeypatch.setattr(types.Part, "__init__", slow)
    assert read_event(line_with({"parts": [{"text": "x"}]}), REF, 1).content


@pytest.mark.parametrize("content", GOOD, ids=ascii)
@pytest.mark.parametrize("fast", [True, False])
def test_the_event_is_the_same(
    content: object, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:  # as with a pydantic that rejects the schema
        monkeypatch.setattr(event_json, "FAST_VALIDATOR", None)
    assert_read_as_adk_reads_it(line_with(content))


@pytest.mark.parametrize("content", BAD, ids=str)
def test_the_error_names_the_event_and_the_fields_that_adk_names(content: object) -> None:
    line = line_with(content)
    with pytest.raises(ValueError, match="validation error") as expected:
        Event.model_validate(parse_json(line))
    names = {".".join(map(str, error["loc"])) for error in expected.value.errors()}  # type: ignore[attr-defined]
    with pytest.raises(SessionUnreadable, match="event 7: this version of ADK") as error:
        read_event(line, REF, 7)
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize(
    "fields",
    [{"finishReason": 1}, {"actions": {"requestedAuthConfigs": {"b": {"self": 1}}}}],
    ids=str,
)
def test_an_event_that_breaks_a_validator_is_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(SessionUnreadable, match="event 2: this version of ADK"):
        read_event(json_bytes({"id": "1", "author": "u"} | fields), REF, 2)


@pytest.mark.parametrize("line", [b"null", b'"x"', b"[]", b"1", b"{", b""])
def test_a_line_that_is_not_an_event_is_unreadable(line: bytes) -> None:
    with pytest.raises(SessionUnreadable, match="event 3"):
        read_event(line, REF, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "hello"},
        {"state": {"a": 1}},
        {"route": "next"},
        {"node_path": "wf/A@1"},
        {"nodePath": "no field of ours"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_shortcuts_for_nested_fields_are_read_as_adk_reads_them(fields: dict[str, object]) -> None:
    assert_read_as_adk_reads_it(json_bytes({"id": "1", "author": "u", "timestamp": 1.0} | fields))


@pytest.mark.parametrize("name", ['"message" ', '"m\\u0065ssage"'])
def test_a_key_with_blanks_or_escapes_is_read(name: str) -> None:
    line = f'{{"id":"1","timestamp":1.0,{name}:"hi"}}'.encode()
    assert read_event(line, REF, 1).content
    assert_read_as_adk_reads_it(line)


def test_an_event_with_everything() -> None:
    part = types.Part
    event = Event(
        id="e1",
        invocation_id="i1",
        author="agent",
        timestamp=1795609252.2886112,
        branch="a.b",
        content=types.Content(
            role="model",
            parts=[
                part(text="hi", thought=True, thought_signature=b"\x00\xff"),
                part(inline_data=types.Blob(mime_type="image/png", data=b"\x89PNG\x00\xff")),
                part(file_data=types.FileData(file_uri="gs://a/b", mime_type="text/plain")),
                part(function_call=types.FunctionCall(id="1", name="f", args={"a": [1.0, 2**60]})),
                part(function_response=types.FunctionResponse(name="f", response={"a": None})),
                part(executable_code=types.ExecutableCode(code="1", language="PYTHON")),
                part(code_execution_result=types.CodeExecutionResult(outcome="OUTCOME_OK")),
            ],
        ),
        actions=EventActions(
            state_delta={"a": [], "user:b": {"c": 1}},
            artifact_delta={"file": 3},
            transfer_to_agent="other",
            escalate=True,
            compaction=EventCompaction(
                start_timestamp=1.1,
                end_timestamp=2.2,
                compacted_content=types.Content(parts=[part(text="summary")]),
            ),
        ),
        node_info=NodeInfo(path="wf/A@1", output_for=["wf"]),
        long_running_tool_ids={"1", "2"},
        usage_metadata=types.GenerateContentResponseUsageMetadata(
            prompt_token_count=1, candidates_token_count=2, total_token_count=3
        ),
        grounding_metadata=types.GroundingMetadata(web_search_queries=["q"]),
        citation_metadata=types.CitationMetadata(citations=[types.Citation(title="t")]),
        finish_reason=types.FinishReason.STOP,
        error_code="E",
        error_message="oops",
        custom_metadata={"k": {"deep": [1, None]}},
        turn_complete=True,
        interrupted=False,
    )
    assert read_event(write_event(event), REF, 1) == event
    assert_read_as_adk_reads_it(write_event(event))


@given(
    said=st.lists(text, max_size=3), args=st.dictionaries(text, values, max_size=3), state=states
)
def test_any_text_arguments_and_state(
    said: list[str], args: dict[str, object], state: dict[str, object]
) -> None:
    call = {"functionCall": {"name": "f", "args": args}}
    assert_read_as_adk_reads_it(
        json_bytes(
            {
                "id": "1",
                "author": "u",
                "timestamp": 1.5,
                "content": {"parts": [*({"text": one} for one in said), call]},
                "actions": {"state_delta": state},
            }
        )
    )
