"""Rules for the history of a session: invocations, rewinds, compactions, tool calls.

Events are parsed JSON, with ADK's field names or in the camelCase that other tools store. Stored
events may be anything, so every function accepts fields that are missing or of another type.
The rules for rewinds and compactions are those of ADK 2.13 (`events/_rewind_events.py`,
`apps/compaction.py`), against which the tests compare them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import isnan
from sys import intern
from typing import Any, NamedTuple

BASELINE_PREFIX = "adksess-trim-"
"""Invocation id of the event that holds the state changes of events that a trim dropped."""

Event = Mapping[str, Any]


class Compaction(NamedTuple):
    """A summary: position of its event, first and last timestamp that it covers (Unix seconds)."""

    position: int
    start: float
    end: float


def get_field(fields: Any, name: str) -> Any:
    """Return a field by its snake_case name, or by the camelCase of it; None if there is none."""
    if not isinstance(fields, dict):
        return None
    value = fields.get(name)
    return fields.get(_camel_case(name)) if value is None else value


def get_object(fields: Any, name: str) -> Mapping[str, Any]:
    """Return a field that is a JSON object; empty for anything else."""
    value = get_field(fields, name)
    return value if isinstance(value, dict) else {}


def event_actions(event: Event) -> Mapping[str, Any]:
    """Return the actions of an event, empty when it has none."""
    return get_object(event, "actions")


def content_parts(content: Any) -> list[Mapping[str, Any]]:
    """Return the parts of a content that are JSON objects."""
    parts = get_field(content, "parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def part_fields(event: Event, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield what the parts of an event hold of one kind, such as `function_call`."""
    for part in content_parts(event.get("content")):
        if value := get_object(part, kind):
            yield value


def invocation_id(event: Event) -> str:
    """Return the invocation id of an event, empty when it has none."""
    value = get_field(event, "invocation_id")
    return value if isinstance(value, str) else ""


def timestamp(event: Event) -> float:
    """Return the time of an event in Unix seconds, 0 when it has none."""
    value = _number(event.get("timestamp"))
    return 0.0 if value is None else value


def rewind_target(event: Event) -> str:
    """Return the invocation before which an event rewinds; empty for any other event."""
    value = get_field(event_actions(event), "rewind_before_invocation_id")
    return value if isinstance(value, str) else ""


def is_compaction(event: Event) -> bool:
    """Return whether an event is a summary of others."""
    return get_field(event_actions(event), "compaction") is not None


def is_baseline(event: Event) -> bool:
    """Return whether an event holds the state changes of events that a trim dropped."""
    return invocation_id(event).startswith(BASELINE_PREFIX)


def rewound_positions(events: Sequence[Event]) -> set[int]:
    """Return the positions of the events that a rewind removed from the conversation.

    A rewind that a later one removed has no effect: the events before it are live again.
    """
    first: dict[str, int] = {}
    for position, event in enumerate(events):
        if name := invocation_id(event):
            first.setdefault(name, position)
    rewound: set[int] = set()
    position = len(events) - 1
    while position >= 0:
        target = first.get(rewind_target(events[position]), position)
        if target < position:
            rewound.update(range(target, position))
        position = min(target, position) - 1
    return rewound


def live_positions(events: Sequence[Event]) -> list[int]:
    """Return the positions of the events that are left after all rewinds, rewinds not included."""
    rewound = rewound_positions(events)
    return [
        position
        for position, event in enumerate(events)
        if position not in rewound and not rewind_target(event)
    ]


def compactions(events: Sequence[Event], positions: Sequence[int]) -> list[Compaction]:
    """Return the summaries among `positions` that no other one contains.

    Of two with the same range the later one counts.
    """
    found = [item for position in positions if (item := _compaction(events[position], position))]
    comparable = [item for item in found if not (isnan(item.start) or isnan(item.end))]
    comparable.sort(key=lambda item: (item.start, -item.end, -item.position))
    contained: set[int] = set()
    latest_end: float | None = None
    for item in comparable:
        if latest_end is None or item.end > latest_end:
            latest_end = item.end
        else:
            contained.add(item.position)
    return [item for item in found if item.position not in contained]


def compacted_positions(events: Sequence[Event]) -> set[int]:
    """Return the positions of live events that a summary replaces in the model's prompt."""
    live = live_positions(events)
    summaries = compactions(events, live)
    counted = {item.position for item in summaries}
    return {
        position
        for position in live
        if (
            position not in counted
            if is_compaction(events[position])
            else _is_covered(timestamp(events[position]), summaries)
        )
    }


def invocations(events: Sequence[Event]) -> list[list[int]]:
    """Return the positions of the events of each live invocation, the oldest invocation first.

    An invocation is one turn: the events that share an invocation id, or, where events have
    none, those from one message of the user to the next. Summaries and baselines are not counted,
    nor are changes of state by hand: a rename in ADK's web UI is an event of its own invocation.
    """
    groups: dict[str, list[int]] = {}
    current = ""
    for position in live_positions(events):
        event = events[position]
        if is_baseline(event) or is_compaction(event):
            continue
        name = invocation_id(event)
        if not name:
            starts = event.get("author") == "user" and not any(
                part_fields(event, "function_response")
            )
            name = f"\0{position}" if starts or not current else current
        current = name
        groups.setdefault(name, []).append(position)
    turns = (
        positions
        for positions in groups.values()
        if not all(_is_state_change(events[position]) for position in positions)
    )
    return sorted(turns, key=lambda positions: positions[0])


def _is_state_change(event: Event) -> bool:
    return event.get("author") == "user" and not content_parts(event.get("content"))


def call_ids(event: Event, *kinds: str) -> set[str]:
    """Return the ids of the tool calls that an event makes or answers, or only does one of both."""
    return {
        value["id"]
        for kind in kinds or ("function_call", "function_response")
        for value in part_fields(event, kind)
        if isinstance(value.get("id"), str)
    }


def outline(event: Any) -> Event:
    """Return the fields of an event that the rules for histories read, in ADK's spelling.

    For a whole history of hundreds of megabytes. Raises ValueError if it is not a JSON object.
    """
    if not isinstance(event, dict):
        raise ValueError("an event is not a JSON object")
    actions = event_actions(event)
    fields: dict[str, Any] = {}
    for name in ("invocation_id", "author", "timestamp", "long_running_tool_ids"):
        if (value := get_field(event, name)) is not None:
            fields[name] = intern(value) if isinstance(value, str) else value
    kept: dict[str, Any] = {}
    if target := rewind_target(event):
        kept["rewind_before_invocation_id"] = target
    if compaction := get_object(actions, "compaction"):
        has_content = get_field(compaction, "compacted_content") is not None
        kept["compaction"] = {
            "start_timestamp": get_field(compaction, "start_timestamp"),
            "end_timestamp": get_field(compaction, "end_timestamp"),
            "compacted_content": {} if has_content else None,
        }
    elif is_compaction(event):
        kept["compaction"] = {}
    if kept:
        fields["actions"] = kept
    if parts := [*map(_outline_part, content_parts(event.get("content")))]:
        fields["content"] = {"parts": parts}
    return fields


def _outline_part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if call := get_object(part, "function_call"):
        return {"function_call": {"id": call.get("id"), "name": call.get("name")}}
    if response := get_object(part, "function_response"):
        content = get_object(response, "response")
        kept = {name: content[name] for name in _RESPONSE_FIELDS if name in content}
        return {"function_response": {"id": response.get("id"), "response": kept}}
    return _NO_CALL


_RESPONSE_FIELDS = ("status", "state", "error", "isError")
_NO_CALL: Mapping[str, Any] = {}


@cache
def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _compaction(event: Event, position: int) -> Compaction | None:
    fields = get_object(event_actions(event), "compaction")
    start = _number(get_field(fields, "start_timestamp"))
    end = _number(get_field(fields, "end_timestamp"))
    if start is None or end is None or get_field(fields, "compacted_content") is None:
        return None
    return Compaction(position, start, end)


def _is_covered(moment: float, summaries: Sequence[Compaction]) -> bool:
    return any(item.start <= moment <= item.end for item in summaries)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number else None
    except OverflowError:
        return None
