"""The rules for rewinds, compactions and invocations, compared with ADK's own functions."""

from typing import Any

import pytest
from google.adk.events._rewind_events import _apply_rewinds
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions, EventCompaction
from google.adk.flows.llm_flows.context._compaction import _process_compaction_events
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from adksess.conversation.history import (
    call_ids,
    compacted_positions,
    get_field,
    get_object,
    invocations,
    live_positions,
    outline,
    rewound_positions,
)
from adksess.conversation.status import open_calls

_NAMES = ["", "i1", "i2", "i3", "i4"]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events with few invocation ids, many rewinds and overlapping compactions."""
    events: list[Event] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["text", "text", "rewind", "compaction"]))
        actions = EventActions()
        if kind == "rewind":
            target = draw(st.sampled_from([*_NAMES[1:], "i9"]))
            actions = EventActions(rewind_before_invocation_id=target)
        elif kind == "compaction":
            start, end = draw(st.integers(-2, 14)), draw(st.integers(-2, 14))
            actions = EventActions(
                compaction=EventCompaction(
                    start_timestamp=start,
                    end_timestamp=end,
                    compacted_content=types.Content(parts=[types.Part(text="summary")]),
                )
            )
        events.append(
            Event(
                id=f"e{number}",
                author=draw(st.sampled_from(["user", "agent"])),
                invocation_id=draw(st.sampled_from(_NAMES)),
                timestamp=draw(st.integers(0, 12)),
                actions=actions,
            )
        )
    return events


def _stored(events: list[Event], *, by_alias: bool = False) -> list[dict[str, Any]]:
    return [e.model_dump(mode="json", by_alias=by_alias, exclude_none=True) for e in events]


@given(histories(), st.booleans())
def test_rewinds_leave_what_adk_sends_to_the_model(events: list[Event], by_alias: bool) -> None:
    expected = [event.id for event in _apply_rewinds(events)]
    stored = _stored(events, by_alias=by_alias)
    assert [events[position].id for position in live_positions(stored)] == expected


@given(histories(), st.booleans())
def test_compactions_replace_what_adk_replaces(events: list[Event], by_alias: bool) -> None:
    live = _apply_rewinds(events)
    sent = _process_compaction_events(live)
    # ADK makes a new event of a summary; it keeps the actions object
    kept = {event.id for event in sent} | {
        event.id for event in live if any(event.actions is other.actions for other in sent)
    }
    replaced = compacted_positions(_stored(events, by_alias=by_alias))
    assert {events[p].id for p in replaced} == {event.id for event in live} - kept


@given(histories(), st.booleans())
def test_an_outline_gives_the_same_answers(events: list[Event], by_alias: bool) -> None:
    stored = _stored(events, by_alias=by_alias)
    short = [outline(event) for event in stored]
    assert rewound_positions(short) == rewound_positions(stored)
    assert compacted_positions(short) == compacted_positions(stored)
    assert invocations(short) == invocations(stored)


def test_an_outline_keeps_the_calls_and_no_content() -> None:
    call = {"functionCall": {"id": "c", "name": "f", "args": {"a": "x" * 100}}}
    pending = {"function_response": {"id": "c", "response": {"status": "pending", "a": "x"}}}
    events = [
        {"author": "agent", "longRunningToolIds": ["c"], "content": {"parts": [call]}},
        {"author": "agent", "content": {"parts": [pending, {"text": "x" * 100}]}},
    ]
    short = [outline(event) for event in events]
    assert [open_call.call_id for open_call in open_calls(short)] == ["c"]
    assert "xx" not in str(short)
    assert [call_ids(event) for event in short] == [{"c"}, {"c"}]


def _event(invocation: str, **actions: Any) -> dict[str, Any]:
    return {"invocation_id": invocation, "author": "agent", "timestamp": 1.0, "actions": actions}


def test_a_rewind_of_a_rewind_makes_the_events_live_again() -> None:
    events = [
        _event("i1"),
        _event("i2"),
        _event("r1", rewind_before_invocation_id="i2"),
        _event("r2", rewind_before_invocation_id="r1"),
    ]
    assert rewound_positions(events) == {2}
    assert live_positions(events) == [0, 1]
    assert invocations(events) == [[0], [1]]
    assert rewound_positions(events[:3]) == {1}


def test_fields_are_read_in_both_spellings() -> None:
    assert get_field({"invocationId": "a"}, "invocation_id") == "a"
    assert get_field({"invocation_id": None, "invocationId": "a"}, "invocation_id") == "a"
    assert get_field("text", "invocation_id") is None
    assert get_object({"stateDelta": [1]}, "state_delta") == {}
    part = {"functionCall": {"id": "1"}}, {"function_response": {"id": "2"}}, {"functionCall": 7}
    event = {"content": {"parts": [*part, "text"]}}
    assert call_ids(event) == {"1", "2"}
    assert call_ids(event, "function_call") == {"1"}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"actions": 1},
        {"actions": {"compaction": True, "rewind_before_invocation_id": 5}},
        {"actions": {"compaction": {"startTimestamp": "x"}}},
        {"timestamp": 10**400, "content": {"parts": {"a": 1}}, "invocation_id": 7},
        {"timestamp": True, "content": []},
    ],
    ids=str,
)
def test_fields_of_another_type_count_as_missing(event: dict[str, Any]) -> None:
    events = [_event("i1"), event, _event("i2")]
    assert rewound_positions(events) == set()
    assert 0 not in compacted_positions(events)
    assert [0] in [positions[:1] for positions in invocations(events)]
