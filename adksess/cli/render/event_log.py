"""Events as people read them: who said what, which tool was called, what changed, what failed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adksess.cli.render.text import human_size, safe_text
from adksess.store.document import json_bytes
from adksess.transfer.history import (
    compacted_positions,
    content_parts,
    get_field,
    get_object,
    rewound_positions,
    timestamp,
)

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
        for part in content_parts(content):
            yield from _part(part)
    if code := get_field(event, "error_code"):
        message = get_field(event, "error_message") or ""
        yield Text(safe_text(f"error {code}: {message}", multiline=True), style="red")
    actions = event.get("actions")
    if isinstance(actions, Mapping):
        yield from _actions(actions)
    if event.get("output") is not None:
        yield Text.assemble(("output ", "magenta"), _short(event["output"]))


def _part(part: Mapping[str, Any]) -> Iterator[Text]:
    if text := part.get("text"):
        is_thought = bool(part.get("thought"))
        shown = safe_text(str(text), multiline=True)
        yield Text(
            f"(thought) {shown}" if is_thought else shown, style="italic" if is_thought else ""
        )
    if call := get_object(part, "function_call"):
        arguments = _pairs(call.get("args") or {}, "=")
        yield Text.assemble(
            ("→ ", "magenta"), (safe_text(str(call.get("name"))), "magenta"), f"({arguments})"
        )
    if answer := get_object(part, "function_response"):
        name = safe_text(str(answer.get("name")))
        yield Text.assemble(
            ("← ", "magenta"), (name, "magenta"), " ", _short(answer.get("response"))
        )
    if blob := get_object(part, "inline_data"):
        size = human_size(len(str(blob.get("data") or "")) * 3 // 4)
        yield Text(f"<{_mime(blob)}, {size}>", style="cyan")
    if file := get_object(part, "file_data"):
        uri = get_field(file, "file_uri") or ""
        yield Text(safe_text(f"<{_mime(file)}, {uri}>"), style="cyan")
    if code := get_object(part, "executable_code"):
        yield Text(safe_text(str(code.get("code")), multiline=True), style="cyan")
    if result := get_object(part, "code_execution_result"):
        yield Text.assemble(("= ", "cyan"), safe_text(str(result.get("output")), multiline=True))


def _actions(actions: Mapping[str, Any]) -> Iterator[Text]:
    if delta := get_field(actions, "state_delta"):
        yield Text.assemble(("state ", "yellow"), _pairs(delta, " = "))
    if delta := get_field(actions, "artifact_delta"):
        yield Text.assemble(("artifact ", "yellow"), _pairs(delta, " version "))
    if agent := get_field(actions, "transfer_to_agent"):
        yield Text.assemble(("transfer to ", "yellow"), safe_text(str(agent)))
    if actions.get("escalate"):
        yield Text("escalate", style="yellow")
    if invocation := get_field(actions, "rewind_before_invocation_id"):
        yield Text.assemble(("rewind to before ", "yellow"), safe_text(str(invocation)))
    if compaction := actions.get("compaction"):
        summary = get_field(compaction, "compacted_content") or {}
        yield Text("compaction of the events before:", style="yellow")
        for part in content_parts(summary):
            yield from _part(part)


def _marks(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return `rewound`, `compacted` or nothing for each event: ADK keeps them in the history."""
    marks = [""] * len(events)
    for position in compacted_positions(events):
        marks[position] = "compacted"
    for position in rewound_positions(events):
        marks[position] = "rewound"
    return marks


def _moment(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromtimestamp(timestamp(event)).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def _mime(blob: Mapping[str, Any]) -> str:
    return safe_text(str(get_field(blob, "mime_type") or "data"))


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
