"""What happens in an event, in words: a list of items that any output can render.

Events are parsed JSON, as in `history.py`; they may be anything. Text is not escaped.
"""

from collections.abc import Iterator, Mapping, Set
from enum import StrEnum
from typing import Any, NamedTuple

from rich.filesize import decimal

from adksess.conversation.history import (
    Event,
    content_parts,
    event_actions,
    get_field,
    get_object,
    rewind_target,
)
from adksess.conversation.redaction import is_token_cache
from adksess.conversation.status import REQUESTS, event_error, tool_error
from adksess.store.document import json_bytes

MAX_VALUE = 200
"""Characters of a value that are shown, unless all of it is wanted."""

_HIDDEN = "(hidden)"


class Kind(StrEnum):
    """What an item is."""

    TEXT = "text"
    THOUGHT = "thought"
    VOICE = "voice"
    CALL = "call"
    RESULT = "result"
    TOOL_ERROR = "tool error"
    ERROR = "error"
    REQUEST = "request"
    MEDIA = "media"
    CODE = "code"
    CODE_RESULT = "code result"
    STATE = "state"
    ARTIFACT = "artifact"
    ACTION = "action"
    NOTE = "note"


class Item(NamedTuple):
    """One thing that happened. A call, a request or a result names its `tool`.

    `is_open` marks a long-running call or a request without an answer.
    """

    kind: Kind
    text: str
    tool: str = ""
    is_open: bool = False


def describe(
    event: Event, open_ids: Set[str] = frozenset(), *, longest: int | None = MAX_VALUE
) -> list[Item]:
    """Return what happens in an event, at least one item.

    `open_ids` are the calls that wait for an answer. Values longer than `longest` characters are
    cut; None cuts nothing.
    """
    items = [*_content(event, open_ids, longest), *_speech(event), *_outcome(event, longest)]
    items += _actions(event_actions(event), longest)
    return items or [Item(Kind.NOTE, _other_fields(event))]


def short_json(value: Any, longest: int | None = MAX_VALUE) -> str:
    """Return a value as compact JSON, cut to a readable length."""
    text = json_bytes(value).decode()
    if longest is not None and len(text) > longest:
        return f"{text[:longest]}… ({len(text):,} characters)"
    return text


def media_text(part: Mapping[str, Any]) -> str:
    """Return `image/png, 1.2 kB` or `text/csv, gs://…` for a part with a file; else empty."""
    if blob := get_object(part, "inline_data"):
        size = len(str(blob.get("data") or "")) * 3 // 4
        return f"{get_field(blob, 'mime_type') or 'data'}, {decimal(size)}"
    if file := get_object(part, "file_data"):
        return f"{get_field(file, 'mime_type') or 'file'}, {get_field(file, 'file_uri') or ''}"
    return ""


def _content(event: Event, open_ids: Set[str], longest: int | None) -> Iterator[Item]:
    long_running = get_field(event, "long_running_tool_ids")
    ids = long_running if isinstance(long_running, list) else []
    for part in content_parts(event.get("content")):
        if text := part.get("text"):
            yield Item(Kind.THOUGHT if part.get("thought") else Kind.TEXT, str(text))
        for name in ("function_call", "tool_call"):
            if call := get_object(part, name):
                yield _call(call, ids, open_ids, longest)
        for name in ("function_response", "tool_response"):
            if response := get_object(part, name):
                yield _response(response, longest)
        if media := media_text(part):
            yield Item(Kind.MEDIA, media)
        if code := get_object(part, "executable_code"):
            yield Item(Kind.CODE, str(code.get("code") or ""))
        if result := get_object(part, "code_execution_result"):
            yield Item(Kind.CODE_RESULT, str(result.get("output") or result.get("outcome") or ""))


def _call(
    call: Mapping[str, Any], long_running: list[Any], open_ids: Set[str], longest: int | None
) -> Item:
    name, call_id = str(get_field(call, "name") or "?"), get_field(call, "id")
    arguments, is_open = get_object(call, "args"), call_id in open_ids
    request = REQUESTS.get(name)
    if request == "confirmation":
        original = get_object(arguments, "original_function_call")
        asked = str(original.get("name") or "a tool")
        hint = get_object(arguments, "tool_confirmation").get("hint")
        text = f"{asked}({_pairs(get_object(original, 'args'), '=', longest)})"
        return Item(Kind.REQUEST, f"{text}: {hint}" if hint else text, "confirmation", is_open)
    if request == "credential":
        # the arguments may hold client secrets
        return Item(Kind.REQUEST, _HIDDEN, "credential", is_open)
    if request == "input":
        return Item(Kind.REQUEST, str(arguments.get("message") or ""), "input", is_open)
    text = f"({_pairs(arguments, '=', longest)})"
    if call_id in long_running:
        text += " long-running"
    return Item(Kind.CALL, text, name, is_open)


def _response(response: Mapping[str, Any], longest: int | None) -> Item:
    name, content = str(get_field(response, "name") or "?"), get_field(response, "response")
    request = REQUESTS.get(name)
    if request == "credential":
        return Item(Kind.RESULT, _HIDDEN, request)
    if request == "confirmation":
        confirmed = get_field(content, "confirmed")
        answers = {True: "confirmed", False: "rejected"}
        text = answers.get(confirmed) if isinstance(confirmed, bool) else None
        return Item(Kind.RESULT, text or short_json(content, longest), request)
    kind = Kind.TOOL_ERROR if tool_error(response) else Kind.RESULT
    return Item(kind, short_json(content, longest), request or name)


def _speech(event: Event) -> Iterator[Item]:
    for name in ("input_transcription", "output_transcription"):
        if text := get_object(event, name).get("text"):
            yield Item(Kind.VOICE, str(text))
    if event.get("interrupted"):
        yield Item(Kind.NOTE, "interrupted")
    if get_field(event, "turn_complete"):
        reason = get_field(event, "turn_complete_reason")
        yield Item(Kind.NOTE, f"turn complete: {reason}" if reason else "turn complete")
    if (gone := get_field(event, "go_away")) is not None:
        left = get_field(gone, "time_left")
        yield Item(Kind.NOTE, f"server ends the connection in {left}" if left else "go away")
    if get_field(event, "live_session_resumption_update") is not None:
        yield Item(Kind.NOTE, "live session can be resumed")


def _outcome(event: Event, longest: int | None) -> Iterator[Item]:
    if error := event_error(event):
        yield Item(Kind.ERROR, error)
    reason = get_field(event, "finish_reason")
    if reason and reason not in ("STOP", "FINISH_REASON_UNSPECIFIED"):
        yield Item(Kind.NOTE, f"finish reason {reason}")
    if event.get("output") is not None:
        yield Item(Kind.ACTION, f"output {short_json(event['output'], longest)}")


def _actions(actions: Mapping[str, Any], longest: int | None) -> Iterator[Item]:
    if delta := get_field(actions, "state_delta"):
        yield Item(Kind.STATE, _pairs(_without_tokens(delta), " = ", longest))
    if delta := get_field(actions, "artifact_delta"):
        yield Item(Kind.ARTIFACT, _pairs(delta, " version ", longest))
    if agent := get_field(actions, "transfer_to_agent"):
        reason = get_field(actions, "transfer_reason")
        yield Item(Kind.ACTION, f"transfer to {agent}" + (f": {reason}" if reason else ""))
    if actions.get("escalate"):
        yield Item(Kind.ACTION, "escalate")
    if get_field(actions, "end_of_agent"):
        yield Item(Kind.ACTION, "end of agent")
    if state := get_field(actions, "agent_state"):
        yield Item(Kind.ACTION, f"agent state {short_json(state, longest)}")
    if (route := actions.get("route")) is not None:
        yield Item(Kind.ACTION, f"route {short_json(route, longest)}")
    if target := rewind_target({"actions": actions}):
        yield Item(Kind.ACTION, f"rewind to before {target}")
    if compaction := get_object(actions, "compaction"):
        parts = content_parts(get_field(compaction, "compacted_content"))
        summary = "\n".join(str(part["text"]) for part in parts if part.get("text"))
        yield Item(Kind.ACTION, f"compaction of the events before: {summary}")


def _without_tokens(delta: Any) -> Any:
    if not isinstance(delta, Mapping):
        return delta
    return {k: _HIDDEN if is_token_cache(str(k)) else v for k, v in delta.items()}


def _other_fields(event: Event) -> str:
    """Name the fields of an event that have no description here."""
    known = {"id", "invocation_id", "invocationId", "author", "timestamp", "content", "actions"}
    names = sorted(str(name) for name, value in event.items() if value and name not in known)
    return f"event with {', '.join(names)}" if names else "empty event"


def _pairs(values: Any, between: str, longest: int | None) -> str:
    if not isinstance(values, Mapping):
        return short_json(values, longest)
    return ", ".join(f"{k}{between}{short_json(v, longest)}" for k, v in values.items())
