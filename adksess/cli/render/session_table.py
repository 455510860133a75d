"""Sessions as rows of a table, fitted to the width there is."""

import time
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from adksess.cli.render.text import human_size, relative_time, safe_text
from adksess.store.document import json_bytes
from adksess.store.durations import format_duration, short_duration
from adksess.store.models import SessionSummary

_WIDE = 110
_LONGEST_VALUE = 50
_LEAST = 4


def session_table(
    sessions: Sequence[SessionSummary], columns: Sequence[str] = (), *, width: int
) -> Text:
    """A row for each session. The id is never cut; in a narrow table the rest gives way.

    Laid out here, not by rich.table, which takes most of a millisecond for each row.
    """
    is_wide = width >= _WIDE
    gap = Text("  " if is_wide else " ")
    names = ["TITLE", "APP", "USER", *map(safe_text, columns)]
    figures = ["EVENTS", "SIZE", "UPDATED", "TTL"] if is_wide else ["EVENTS", "AGE", "TTL"]
    rows = [
        (_bold(["SESSION", *names]), _bold(figures)),
        *((_texts(session, columns), _figures(session, is_wide)) for session in sessions),
    ]
    ids, *wanted = (max(row[0][n].cell_len for row in rows) for n in range(len(names) + 1))
    needed = [max(row[1][n].cell_len for row in rows) for n in range(len(figures))]
    room = width - sum(needed) - len(gap) * (len(names) + len(figures))
    ids = min(ids, max(room - _LEAST * len(names), 10))
    shares = [ids, *_shares(wanted, room - ids)]
    for (session_id, *texts), numbers in rows:
        session_id.pad_right(max(0, ids - session_id.cell_len))
        for text, share in zip(texts, shares[1:], strict=True):
            text.truncate(share, overflow="ellipsis", pad=True)
        for number, size in zip(numbers, needed, strict=True):
            number.align("right", size)
    return Text("\n").join(gap.join([*texts, *numbers]) for texts, numbers in rows)


def _bold(words: Sequence[str]) -> list[Text]:
    return [Text(word, style="bold") for word in words]


def _texts(session: SessionSummary, columns: Sequence[str]) -> list[Text]:
    state = session.tail.state if session.tail else {}
    title = Text(safe_text(session.title)[: 2 * _LONGEST_VALUE])
    if session.is_evaluation:
        title = Text.assemble(("eval ", "magenta"), title)
    values = [session.ref.app_name, session.ref.user_id, *(_value(state.get(c)) for c in columns)]
    session_id = Text(safe_text(session.ref.session_id), style="cyan")
    return [session_id, title, *(Text(safe_text(value)) for value in values)]


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
