"""Every kind of event has a description."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adksess.conversation.event_text import Item, Kind, describe


def _parts(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"author": "helper", "content": {"parts": list(parts)}} | fields


def _call(name: str, args: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"function_call": {"id": "c1", "name": name, "args": args or {}}}


def _response(name: str, response: Any) -> dict[str, Any]:
    return {"function_response": {"id": "c1", "name": name, "response": response}}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (_parts({"text": "hi"}), Item(Kind.TEXT, "hi")),
        (_parts({"text": "hm", "thought": True}), Item(Kind.THOUGHT, "hm")),
        ({"input_transcription": {"text": "hello"}}, Item(Kind.VOICE, "hello")),
        ({"outputTranscription": {"text": "yes"}}, Item(Kind.VOICE, "yes")),
        ({"interrupted": True}, Item(Kind.NOTE, "interrupted")),
        ({"turn_complete": True}, Item(Kind.NOTE, "turn complete")),
        ({"go_away": {"time_left": "5s"}}, Item(Kind.NOTE, "server ends the connection in 5s")),
        (
            {"live_session_resumption_update": {"new_handle": "x"}},
            Item(Kind.NOTE, "live session can be resumed"),
        ),
        (_parts(_call("add", {"n": 1})), Item(Kind.CALL, "(n=1)", "add", is_open=True)),
        (
            _parts(_call("wait"), long_running_tool_ids=["c1"]),
            Item(Kind.CALL, "() long-running", "wait", is_open=True),
        ),
        (
            _parts(
                _call(
                    "adk_request_confirmation",
                    {
                        "originalFunctionCall": {"name": "pay", "args": {"eur": 5}},
                        "toolConfirmation": {"hint": "Pay?"},
                    },
                )
            ),
            Item(Kind.REQUEST, "pay(eur=5): Pay?", "confirmation", is_open=True),
        ),
        (
            _parts(_call("adk_request_credential", {"auth_config": {"client_secret": "s"}})),
            Item(Kind.REQUEST, "(hidden)", "credential", is_open=True),
        ),
        (
            _parts(_call("adk_request_input", {"message": "Which one?"})),
            Item(Kind.REQUEST, "Which one?", "input", is_open=True),
        ),
        (
            _parts(_response("adk_request_confirmation", {"confirmed": False})),
            Item(Kind.RESULT, "rejected", "confirmation"),
        ),
        (
            _parts(_response("adk_request_credential", {"access_token": "s"})),
            Item(Kind.RESULT, "(hidden)", "credential"),
        ),
        (_parts(_response("add", {"sum": 3})), Item(Kind.RESULT, '{"sum":3}', "add")),
        (
            _parts(_response("add", {"error": "no"})),
            Item(Kind.TOOL_ERROR, '{"error":"no"}', "add"),
        ),
        ({"error_code": "429", "error_message": "slow"}, Item(Kind.ERROR, "429: slow")),
        ({"finish_reason": "MAX_TOKENS"}, Item(Kind.NOTE, "finish reason MAX_TOKENS")),
        ({"output": [1]}, Item(Kind.ACTION, "output [1]")),
        ({"actions": {"state_delta": {"a": 1}}}, Item(Kind.STATE, "a = 1")),
        ({"actions": {"artifact_delta": {"f": 2}}}, Item(Kind.ARTIFACT, "f version 2")),
        (
            {"actions": {"transfer_to_agent": "b", "transfer_reason": "knows"}},
            Item(Kind.ACTION, "transfer to b: knows"),
        ),
        ({"actions": {"escalate": True}}, Item(Kind.ACTION, "escalate")),
        ({"actions": {"agent_state": {"n": 1}}}, Item(Kind.ACTION, 'agent state {"n":1}')),
        ({"actions": {"endOfAgent": True}}, Item(Kind.ACTION, "end of agent")),
        (
            {"actions": {"rewind_before_invocation_id": "i1"}},
            Item(Kind.ACTION, "rewind to before i1"),
        ),
        (
            {"usage_metadata": {"total_token_count": 3}},
            Item(Kind.NOTE, "event with usage_metadata"),
        ),
        ({"author": "x"}, Item(Kind.NOTE, "empty event")),
    ],
)
def test_each_thing_that_happens_is_named(event: dict[str, Any], expected: Item) -> None:
    assert describe(event, {"c1"}) == [expected]


def test_long_values_are_cut_unless_all_is_wanted() -> None:
    event = _parts(_response("read", {"text": "x" * 1_000}))
    (item,) = describe(event)
    assert item.text.endswith("… (1,011 characters)")
    (item,) = describe(event, longest=None)
    assert len(item.text) == 1_011


_NAMES = st.sampled_from(
    [
        *("content", "parts", "text", "function_call", "function_response", "args", "response"),
        *("name", "id", "actions", "state_delta", "compaction", "error_code", "go_away", "output"),
        *("input_transcription", "long_running_tool_ids", "inline_data", "executable_code"),
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_events_may_be_anything(event: dict[str, Any]) -> None:
    assert describe(event, {"c1"})
