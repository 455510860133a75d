"""Sessions as rows of a table, fitted to the width there is."""

import time
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from adksess.cli.output import human_size, relative_time, safe_text
from adksess.store.document import json_bytes
from adksess.store.durations import format_duration, short_duration
from adksess.store.records import SessionSummary

_WIDE = 110
_LONGEST_VALUE = 50


def session_table(
    sessions: Sequence[SessionSummary], columns: Sequence[str] = (), *, width: int
) -> Table:
    """A row for each session. The id is never cut; in a narrow table the rest gives way."""
    is_wide = width >= _WIDE
    gap = 2 if is_wide else 1
    names = ["TITLE", "APP", "USER", *map(safe_text, columns)]
    figures = ["EVENTS", "SIZE", "UPDATED", "TTL"] if is_wide else ["EVENTS", "AGE", "TTL"]
    rows = [
        (Text(safe_text(s.ref.session_id), style="cyan"), _texts(s, columns), _figures(s, is_wide))
        for s in sessions
    ]
    ids = max([len("SESSION"), *(row[0].cell_len for row in rows)])
    wanted = [
        max([len(name), *(row[1][n].cell_len for row in rows)]) for n, name in enumerate(names)
    ]
    needed = [
        max([len(name), *(row[2][n].cell_len for row in rows)]) for n, name in enumerate(figures)
    ]
    room = width - sum(needed) - gap * (len(names) + len(figures))
    ids = min(ids, max(room - 4 * len(names), 10))

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column("SESSION", overflow="fold", width=ids)
    for name, share in zip(names, _shares(wanted, room - ids), strict=True):
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=share)
    for name, size in zip(figures, needed, strict=True):
        table.add_column(name, no_wrap=True, justify="right", width=size)
    for session_id, texts, numbers in rows:
        table.add_row(session_id, *texts, *numbers)
    return table


def _texts(session: SessionSummary, columns: Sequence[str]) -> list[Text]:
    state = session.tail.state if session.tail else {}
    title = Text(safe_text(session.title)[: 2 * _LONGEST_VALUE])
    if session.is_evaluation:
        title = Text.assemble(("eval ", "magenta"), title)
    values = [session.ref.app_name, session.ref.user_id, *(_value(state.get(c)) for c in columns)]
    return [title, *(Text(safe_text(value)) for value in values)]


def _figures(session: SessionSummary, is_wide: bool) -> list[Text]:
    events = Text(f"{session.tail.event_count:,}" if session.tail else "?")
    duration = format_duration if is_wide else short_duration
    ttl = Text("never", style="yellow")
    if session.ttl_seconds is not None:
        ttl = Text(duration(session.ttl_seconds))
    if not is_wide:
        return [events, Text(short_duration(time.time() - session.updated)), ttl]
    size = Text(human_size(session.size_bytes))
    return [events, size, Text(relative_time(session.updated)), ttl]


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Widths for columns that want so much each: the modest get all they want first."""
    shares = list(wanted)
    left = max(room, 0)
    by_size = sorted(range(len(wanted)), key=wanted.__getitem__)
    for position, column in enumerate(by_size):
        shares[column] = max(1, min(wanted[column], left // (len(wanted) - position)))
        left -= shares[column]
    return shares


def _value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json_bytes(value).decode()
