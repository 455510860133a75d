"""Events for people: who said what, which tool was called, what changed, what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adksess.cli.render.event_items import author_style, item_text
from adksess.cli.render.styles import MUTED, WARNING
from adksess.cli.render.text import safe_text
from adksess.cli.render.times import moment
from adksess.conversation.event_text import MAX_VALUE, describe
from adksess.conversation.history import (
    Event,
    compacted_positions,
    get_field,
    get_object,
    invocation_id,
    rewound_positions,
    timestamp,
)
from adksess.conversation.status import open_calls

_LONGEST_AUTHOR = 20
_MAX_LINES = 20
"""Lines of one text that are shown, unless all of it is wanted."""


@dataclass(frozen=True)
class EventLayout:
    """How events are shown. `full` cuts nothing, `verbose` adds invocation, time and tokens."""

    verbose: bool = False
    full: bool = False
    utc: bool = False


@dataclass(frozen=True)
class EventView:
    """The last events of a session as they were read, and how many the session has.

    Marks and times depend on all of them, even if only some are shown.
    """

    events: Sequence[Event]
    event_count: int

    @cached_property
    def open_ids(self) -> set[str]:
        """The calls that wait for an answer."""
        return {call.call_id for call in open_calls(self.events)}

    @cached_property
    def _rewound(self) -> set[int]:
        return rewound_positions(self.events)

    @cached_property
    def _compacted(self) -> set[int]:
        return compacted_positions(self.events)

    def mark(self, position: int) -> str:
        """Return `rewound`, `compacted`, or nothing. ADK keeps such events in the history."""
        if position in self._rewound:
            return "rewound"
        return "compacted" if position in self._compacted else ""

    def number(self, position: int) -> int:
        """Return the number of an event in its session, from 1."""
        return self.event_count - len(self.events) + position + 1

    def seconds_since_previous(self, position: int) -> float | None:
        """Return the seconds between an event and the one before; None for the first."""
        if position == 0:
            return None
        return timestamp(self.events[position]) - timestamp(self.events[position - 1])


class EventPrinter:
    """Prints events as they come, with a line for each new day."""

    def __init__(self, console: Console, layout: EventLayout = EventLayout()) -> None:
        self._console, self._layout = console, layout
        self._day = ""
        self._author_width = 0

    def print(
        self, view: EventView, positions: Sequence[int], *, console: Console | None = None
    ) -> None:
        """Print the events at some positions of a view."""
        out = console or self._console
        authors = {position: _author(view.events[position]) for position in positions}
        longest = max(map(len, authors.values()), default=0)
        self._author_width = min(_LONGEST_AUTHOR, max(self._author_width, longest))
        for position, author in authors.items():
            when = moment(timestamp(view.events[position]), utc=self._layout.utc)
            if (day := f"{when:%Y-%m-%d}") != self._day:
                out.print(Text(day, style=MUTED))
                self._day = day
            out.print(self._row(view, position, f"{when:%H:%M:%S}", author, out.width))

    def _row(self, view: EventView, position: int, time: str, author: str, width: int) -> Table:
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(style=MUTED, no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", width=self._author_width)
        table.add_column(overflow="fold")
        event, mark = view.events[position], view.mark(position)
        room = max(20, width - len(time) - self._author_width - 2)
        longest = None if self._layout.full else MAX_VALUE
        lines = [
            folded(item_text(item), None if self._layout.full else room)
            for item in describe(event, view.open_ids, longest=longest)
        ]
        content = Text("\n").join(lines)
        if mark:
            content = Text.assemble((f"[{mark}] ", WARNING), (content.plain, MUTED))
        if self._layout.verbose:
            content = Text("\n").join([Text(_details(view, position), style=MUTED), content])
        table.add_row(time, Text(author, style=author_style(author)), content)
        return table


def folded(text: Text, width: int | None) -> Text:
    """Return the first 20 lines of a text as wrapped to `width`, and how long it is.

    None for `width` cuts nothing.
    """
    if width is None or (
        len(text) <= _MAX_LINES * width // 2 and text.plain.count("\n") < _MAX_LINES
    ):
        return text
    shown, left = Text(), _MAX_LINES
    for line in text.split("\n"):
        needed = max(1, -(-line.cell_len // width))
        if needed > left:
            line.truncate(left * width)
        if left <= 0:
            break
        shown = line if left == _MAX_LINES else Text("\n").join([shown, line])
        left -= needed
    if len(shown) == len(text):
        return text
    more = Text(f"… {len(text):,} characters; --full shows all", style=MUTED)
    return Text("\n").join([shown, more])


def _details(view: EventView, position: int) -> str:
    """Return `#4 · invocation i-1 · +1.2 s · gemini-2.5-flash · 120 tokens (100 in, 20 out)`."""
    event = view.events[position]
    parts = [f"#{view.number(position)}"]
    if name := invocation_id(event):
        parts.append(f"invocation {name}")
    if (seconds := view.seconds_since_previous(position)) is not None:
        parts.append(f"{seconds:+.1f} s")
    if model := get_field(event, "model_version"):
        parts.append(str(model))
    if tokens := token_text(get_object(event, "usage_metadata")):
        parts.append(tokens)
    return safe_text(" · ".join(parts))


def token_text(usage: Any) -> str:
    """Return `120 tokens (100 in, 20 out)` for the usage metadata of an event, or a sum of it."""
    counts = {
        name: value
        for name in ("total", "prompt", "cached_content", "thoughts", "candidates")
        if isinstance(value := get_field(usage, f"{name}_token_count"), int) and value
    }
    if not counts:
        return ""
    names = {
        "prompt": "in",
        "cached_content": "cached",
        "thoughts": "thoughts",
        "candidates": "out",
    }
    parts = ", ".join(f"{counts[key]:,} {name}" for key, name in names.items() if key in counts)
    total = counts.get("total", sum(counts.get(n, 0) for n in ("prompt", "thoughts", "candidates")))
    return f"{total:,} tokens" + (f" ({parts})" if parts else "")


def _author(event: Event) -> str:
    return safe_text(str(event.get("author") or "?"))
