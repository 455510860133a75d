"""Sessions as table rows, fitted to the width of the console, and as JSON or CSV rows."""

import time
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from adksess.cli.render.text import human_size, relative_time, safe_text, value_text
from adksess.store.durations import format_duration, short_duration
from adksess.store.models import SessionSummary

FIELDS = (
    "key",
    "app_name",
    "user_id",
    "session_id",
    "title",
    "event_count",
    "size_bytes",
    "created_at",
    "updated_at",
    "ttl_seconds",
)
"""Fields of a session in JSON, NDJSON and CSV, in this order; state columns follow."""

_WIDE_COLUMNS = 110
_MAX_TITLE = 100
_MIN_TEXT_WIDTH = 4


def session_table(
    sessions: Sequence[SessionSummary], columns: Sequence[str] = (), *, width: int
) -> Text:
    """Return a table with one row per session. Ids are never cut; other columns shrink to fit.

    Laid out here, not by rich.table, which takes most of a millisecond per row.
    """
    is_wide = width >= _WIDE_COLUMNS
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
    ids = min(ids, max(room - _MIN_TEXT_WIDTH * len(names), 10))
    shares = [ids, *_shares(wanted, room - ids)]
    for (session_id, *texts), numbers in rows:
        session_id.pad_right(max(0, ids - session_id.cell_len))
        for text, share in zip(texts, shares[1:], strict=True):
            text.truncate(share, overflow="ellipsis", pad=True)
        for number, size in zip(numbers, needed, strict=True):
            number.align("right", size)
    return Text("\n").join(gap.join([*texts, *numbers]) for texts, numbers in rows)


def session_row(session: SessionSummary, columns: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields of a readable session, and `state.KEY` for each of the columns."""
    tail = session.tail
    assert tail is not None  # unreadable sessions are reported separately
    row: dict[str, Any] = {
        "key": session.key,
        **session.ref._asdict(),
        "title": session.title,
        "event_count": tail.event_count,
        "size_bytes": session.size_bytes,
        "created_at": tail.created_at,
        "updated_at": tail.updated_at,
        "ttl_seconds": None if session.ttl_seconds is None else round(session.ttl_seconds),
    }
    return row | {f"state.{name}": tail.state.get(name) for name in columns}


def _bold(words: Sequence[str]) -> list[Text]:
    return [Text(word, style="bold") for word in words]


def _texts(session: SessionSummary, columns: Sequence[str]) -> list[Text]:
    state = session.tail.state if session.tail else {}
    title = Text(safe_text(session.title)[:_MAX_TITLE])
    if session.is_evaluation:
        title = Text.assemble(("eval ", "magenta"), title)
    values = [
        session.ref.app_name,
        session.ref.user_id,
        *(value_text(state.get(c)) for c in columns),
    ]
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
    """Share the width: narrow columns get their full width first."""
    shares = list(wanted)
    left = max(room, 0)
    by_size = sorted(range(len(wanted)), key=wanted.__getitem__)
    for position, column in enumerate(by_size):
        shares[column] = max(1, min(wanted[column], left // (len(wanted) - position)))
        left -= shares[column]
    return shares
