"""Events as people read them: who said what, which tool was called, what changed, what failed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adksess.cli.render.text import human_size, safe_text
from adksess.store.document import json_bytes

_VALUE_LENGTH = 200
_LONGEST_AUTHOR = 20
_AUTHOR_STYLES = {"user": "bold green"}


class EventPrinter:
    """Prints events as they come, with a line for each new day."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._day = ""
        self._author_width = 0

    def print(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Print some events, marking those that a rewind or a compaction among them undid."""
        marks = _marks(events)
        longest = max((len(_author(event)) for event in events), default=0)
        self._author_width = min(_LONGEST_AUTHOR, max(self._author_width, longest))
        for event, mark in zip(events, marks, strict=True):
            moment = _moment(event)
            if (day := f"{moment:%Y-%m-%d}") != self._day:
                self._console.print(Text(day, style="dim"))
                self._day = day
            self._console.print(_row(event, moment, mark, self._author_width))


def _row(event: Mapping[str, Any], moment: datetime, mark: str, author_width: int) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", width=author_width)
    table.add_column(overflow="fold")
    author = _author(event)
    content = Text("\n").join(_lines(event)) or Text("(nothing)", style="dim")
    if mark:
        content = Text.assemble((f"[{mark}] ", "yellow"), content)
        content.stylize("dim")
    style = _AUTHOR_STYLES.get(author, "bold blue")
    table.add_row(f"{moment:%H:%M:%S}", Text(author, style=style), content)
    return table


def _author(event: Mapping[str, Any]) -> str:
    return safe_text(str(event.get("author") or "?"))


def _lines(event: Mapping[str, Any]) -> Iterator[Text]:
    content = event.get("content")
    if isinstance(content, Mapping):
        for part in _parts(content):
            yield from _part(part)
    if code := _get(event, "error_code", "errorCode"):
        message = _get(event, "error_message", "errorMessage") or ""
        yield Text(safe_text(f"error {code}: {message}", multiline=True), style="red")
    actions = event.get("actions")
    if isinstance(actions, Mapping):
        yield from _actions(actions)
    if event.get("output") is not None:
        yield Text.assemble(("output ", "magenta"), _short(event["output"]))


def _part(part: Any) -> Iterator[Text]:
    if not isinstance(part, Mapping):
        return
    if text := part.get("text"):
        is_thought = bool(part.get("thought"))
        shown = safe_text(str(text), multiline=True)
        yield Text(
            f"(thought) {shown}" if is_thought else shown, style="italic" if is_thought else ""
        )
    if call := _mapping(part, "function_call", "functionCall"):
        arguments = _pairs(call.get("args") or {}, "=")
        yield Text.assemble(
            ("→ ", "magenta"), (safe_text(str(call.get("name"))), "magenta"), f"({arguments})"
        )
    if answer := _mapping(part, "function_response", "functionResponse"):
        name = safe_text(str(answer.get("name")))
        yield Text.assemble(
            ("← ", "magenta"), (name, "magenta"), " ", _short(answer.get("response"))
        )
    if blob := _mapping(part, "inline_data", "inlineData"):
        size = human_size(len(str(blob.get("data") or "")) * 3 // 4)
        yield Text(f"<{_mime(blob)}, {size}>", style="cyan")
    if file := _mapping(part, "file_data", "fileData"):
        uri = _get(file, "file_uri", "fileUri") or ""
        yield Text(safe_text(f"<{_mime(file)}, {uri}>"), style="cyan")
    if code := _mapping(part, "executable_code", "executableCode"):
        yield Text(safe_text(str(code.get("code")), multiline=True), style="cyan")
    if result := _mapping(part, "code_execution_result", "codeExecutionResult"):
        yield Text.assemble(("= ", "cyan"), safe_text(str(result.get("output")), multiline=True))


def _actions(actions: Mapping[str, Any]) -> Iterator[Text]:
    if delta := _get(actions, "state_delta", "stateDelta"):
        yield Text.assemble(("state ", "yellow"), _pairs(delta, " = "))
    if delta := _get(actions, "artifact_delta", "artifactDelta"):
        yield Text.assemble(("artifact ", "yellow"), _pairs(delta, " version "))
    if agent := _get(actions, "transfer_to_agent", "transferToAgent"):
        yield Text.assemble(("transfer to ", "yellow"), safe_text(str(agent)))
    if actions.get("escalate"):
        yield Text("escalate", style="yellow")
    if invocation := _rewind(actions):
        yield Text.assemble(("rewind to before ", "yellow"), safe_text(invocation))
    if compaction := actions.get("compaction"):
        summary = _get(compaction, "compacted_content", "compactedContent") or {}
        yield Text("compaction of the events before:", style="yellow")
        for part in _parts(summary):
            yield from _part(part)


def _marks(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each event `rewound`, `compacted`, or nothing. ADK keeps such events in the history."""
    marks = [""] * len(events)
    for position, event in enumerate(events):
        actions = event.get("actions")
        if not isinstance(actions, Mapping):
            continue
        if invocation := _rewind(actions):
            ids = [_get(e, "invocation_id", "invocationId") for e in events[:position]]
            if invocation in ids:
                first = ids.index(invocation)
                marks[first:position] = ["rewound"] * (position - first)
        if isinstance(compaction := actions.get("compaction"), Mapping):
            start = _get(compaction, "start_timestamp", "startTimestamp")
            end = _get(compaction, "end_timestamp", "endTimestamp")
            for earlier, other in enumerate(events[:position]):
                if _is_number(start) and _is_number(end) and start <= _timestamp(other) <= end:
                    marks[earlier] = marks[earlier] or "compacted"
    return marks


def _rewind(actions: Mapping[str, Any]) -> str:
    value = _get(actions, "rewind_before_invocation_id", "rewindBeforeInvocationId")
    return str(value) if value else ""


def _get(fields: Any, *names: str) -> Any:
    """The first of some names that is there: other tools write camelCase."""
    if not isinstance(fields, Mapping):
        return None
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _mapping(fields: Any, *names: str) -> Mapping[str, Any]:
    """Likewise, empty where it is no object: what is stored may be anything."""
    value = _get(fields, *names)
    return value if isinstance(value, Mapping) else {}


def _parts(content: Any) -> list[Any]:
    parts = _get(content, "parts")
    return parts if isinstance(parts, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _timestamp(event: Mapping[str, Any]) -> float:
    value = event.get("timestamp")
    return float(value) if isinstance(value, int | float) else 0.0


def _moment(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromtimestamp(_timestamp(event)).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def _mime(blob: Mapping[str, Any]) -> str:
    return safe_text(str(_get(blob, "mime_type", "mimeType") or "data"))


def _pairs(values: Any, between: str) -> str:
    if not isinstance(values, Mapping):
        return _short(values)
    return ", ".join(f"{safe_text(str(k))}{between}{_short(v)}" for k, v in values.items())


def _short(value: Any) -> str:
    """A value as JSON, cut to a readable length."""
    text = json_bytes(value).decode()
    if len(text) > _VALUE_LENGTH:
        text = f"{text[:_VALUE_LENGTH]}… ({len(text):,} characters)"
    return safe_text(text)
