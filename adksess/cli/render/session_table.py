"""Sessions as a table for people, and as rows of JSON or CSV."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from adksess.cli.errors import UsageProblem
from adksess.cli.render.cells import MAX_NAME, short_id, unique_prefixes
from adksess.cli.render.styles import ACCENT, ERROR, ID, WARNING
from adksess.cli.render.table import WIDE, Column, Room, least_width, table
from adksess.cli.render.text import human_size, safe_text, value_text
from adksess.cli.render.times import clock_time, zone
from adksess.conversation.overview import SessionOverview
from adksess.conversation.state_path import StatePath
from adksess.conversation.status import OpenCall, Status
from adksess.store.document import iso_time
from adksess.store.durations import format_duration, short_duration
from adksess.store.errors import InvalidName

FIELDS = {
    "key": "key",
    "app_name": "app",
    "user_id": "user",
    "session_id": "id",
    "title": "title",
    "title_source": "",
    "status": "status",
    "waiting_for": "waiting",
    "event_count": "events",
    "size_bytes": "size",
    "created_at": "created",
    "updated_at": "updated",
    "ttl_seconds": "ttl",
}
"""The fields of JSON, NDJSON and CSV in their order, each with the column that shows it."""

COLUMNS = (
    *("id", "title", "status", "app", "user", "events", "size", "created", "updated"),
    *("age", "ttl", "waiting", "key"),
)
"""The columns that a table can have, besides values of the state."""

_TEXTS = ("id", "title", "status", "app", "user")
_WIDE_FIGURES = ("events", "size", "updated", "ttl")
_LAYOUTS = (
    (_TEXTS, _WIDE_FIGURES),
    (_TEXTS, ("events", "age", "ttl")),
    (_TEXTS, ("age", "ttl")),
    (_TEXTS, ("age",)),
    (("id", "title", "status"), ("age",)),
)
"""The default columns, values of the state between texts and figures: the first ones that fit."""

_MAX_TITLE = 100
_MAX_ARGUMENTS = 60

_STATUS_STYLES = {
    Status.WAITING: WARNING,
    Status.FAILED: ERROR,
    Status.UNANSWERED: ACCENT,
    Status.OK: "",
}


@dataclass(frozen=True)
class TableOptions:
    """How a table of sessions is laid out.

    `columns` are names of COLUMNS or of state values, None for the default ones with `extra`
    after them. `is_terminal` shortens ids and long names; `utc` shows times in UTC.
    """

    width: int
    columns: Sequence[str] | None = None
    extra: Sequence[str] = ()
    headers: bool = True
    is_terminal: bool = False
    full_ids: bool = False
    utc: bool = False


def session_table(
    rows: Sequence[SessionOverview], options: TableOptions, ids: Iterable[str] = ()
) -> Text:
    """Return a table with one row per session.

    `ids` are those of all sessions that were found, of which a shortened id must be unique.
    Default columns that are empty are left out.
    """
    found = [*ids] or [row.summary.ref.session_id for row in rows]
    for texts, figures in _LAYOUTS:
        names = options.columns or (*texts, *options.extra, *figures)
        columns = [_column(name, rows, found, options) for name in names]
        kept = [
            column
            for name, column in zip(names, columns, strict=True)
            if options.columns or name in options.extra or any(column.cells)
        ]
        is_wide = figures is _WIDE_FIGURES
        if is_wide and options.width < WIDE:
            continue
        if least_width(kept, options.width, whole_names=is_wide) <= options.width:
            break
    return table(kept, width=options.width, headers=options.headers)


def session_fields(row: SessionOverview, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the fields of a session for JSON: all of them, or those of the columns."""
    summary, tail, status = row.summary, row.summary.tail, row.status
    assert tail is not None  # unreadable sessions are reported separately
    app_name, user_id, session_id = summary.ref
    fields: dict[str, Any] = {
        "key": summary.key,
        "app_name": app_name,
        "user_id": user_id,
        "session_id": session_id,
        "title": row.title,
        "title_source": row.title_source,
        # as plain text, of which JSON is made in half the time
        "status": str(status.status) if status else None,
        "waiting_for": list(map(_waiting, status.waiting_for)) if status else [],
        "event_count": tail.event_count,
        "size_bytes": summary.size_bytes,
        "created_at": tail.created_at,
        "updated_at": tail.updated_at,
        "ttl_seconds": None if summary.ttl_seconds is None else round(summary.ttl_seconds),
    }
    if row.values:
        fields |= row.values
    return fields if columns is None else {name: fields[name] for name in field_names(columns)}


def field_names(columns: Sequence[str] | None = None, extra: Sequence[str] = ()) -> list[str]:
    """Return the names of the fields: all and the extra ones, or those of the columns."""
    if columns is None:
        return [*FIELDS, *extra]
    by_column = {column: name for name, column in FIELDS.items()} | {"age": "updated_at"}
    return list(dict.fromkeys(by_column.get(name, name) for name in columns))


def parse_columns(text: str) -> list[str]:
    """Read the names of columns, such as `id,title,state.topic`. Raises UsageProblem."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in COLUMNS and not name.startswith(("state.", "user:", "app:")):
            raise UsageProblem(
                f"--columns has no column {name!r}: choose from {', '.join(COLUMNS)}, or a state "
                "value such as state.topic, user:plan, app:mode."
            )
    if not names:
        raise UsageProblem("--columns needs a name, such as id,title,status.")
    return names


def parse_paths(columns: Sequence[str]) -> list[StatePath]:
    """Return the state values among the columns. Raises UsageProblem."""
    try:
        return [StatePath.parse(name) for name in columns if name not in COLUMNS]
    except InvalidName as exc:
        raise UsageProblem(f"--column {exc}") from exc


def status_style(status: Status) -> str:
    """Return the color of a status."""
    return _STATUS_STYLES[status]


def waiting_text(call: OpenCall) -> str:
    """Return what a call waits for, not escaped: `confirmation of refund(amount=5)`."""
    arguments = ", ".join(f"{k}={_folded(v)}" for k, v in call.arguments.items())
    text = f"{call.tool}({arguments})"
    if len(text) > _MAX_ARGUMENTS:
        text = f"{text[:_MAX_ARGUMENTS]}…"
    return f"{call.request} of {text}" if call.request else text


def _waiting(call: OpenCall) -> dict[str, Any]:
    return {
        "tool": call.tool,
        "request": call.request or None,
        "since": iso_time(call.since),
        "arguments": {str(key): _folded(value) for key, value in call.arguments.items()},
    }


def _folded(value: Any) -> Any:
    """Return a number or short text as it is, anything else as text that is cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value_text(value)
    return text if len(text) <= _MAX_ARGUMENTS else f"{text[:_MAX_ARGUMENTS]}…"


def _id_column(
    rows: Sequence[SessionOverview], found: Sequence[str], options: TableOptions
) -> Column:
    ids = [row.summary.ref.session_id for row in rows]
    if not options.is_terminal or options.full_ids:
        return Column("SESSION", [safe_text(session_id) for session_id in ids], ID)
    unique = unique_prefixes(found)
    return Column(
        "SESSION",
        [safe_text(short_id(session_id, unique[session_id])) for session_id in ids],
        ID,
        room=Room.ID,
        longest=MAX_NAME,
        keep=[unique[session_id] for session_id in ids],
    )


def _column(
    name: str, rows: Sequence[SessionOverview], found: Sequence[str], options: TableOptions
) -> Column:
    if name == "id":
        return _id_column(rows, found, options)
    if name in ("app", "user"):
        part = "app_name" if name == "app" else "user_id"
        cells = [safe_text(getattr(row.summary.ref, part)) for row in rows]
        longest = MAX_NAME if options.is_terminal else None
        return Column(name.upper(), cells, room=Room.NAME, longest=longest)
    if name == "title":
        return Column("TITLE", [_title(row) for row in rows], room=Room.FLEXIBLE)
    if name == "status":
        return _status_column(rows)
    if name in ("created", "updated"):
        header = f"{name.upper()} ({zone(utc=options.utc)})"
        return Column(header, [_time(row, name, utc=options.utc) for row in rows], right=True)
    if name == "ttl":
        return _ttl_column(rows, is_wide=options.width >= WIDE)
    if name in _CELLS:
        right = name in ("events", "size", "age")
        room = Room.FIXED if right or name == "key" else Room.FLEXIBLE
        return Column(name.upper(), [_CELLS[name](row) for row in rows], room=room, right=right)
    header = safe_text(name.removeprefix("state."))
    values = [safe_text(value_text(row.values.get(name))) for row in rows]
    return Column(header, values, room=Room.FLEXIBLE)


def _title(row: SessionOverview) -> str:
    title = safe_text(row.title)[:_MAX_TITLE]
    return f"eval {title}".rstrip() if row.summary.is_evaluation else title


def _status_column(rows: Sequence[SessionOverview]) -> Column:
    statuses = [row.status.status if row.status else Status.OK for row in rows]
    cells = ["" if status is Status.OK else str(status) for status in statuses]
    return Column("STATUS", cells, [_STATUS_STYLES[status] for status in statuses])


def _ttl_column(rows: Sequence[SessionOverview], *, is_wide: bool) -> Column:
    """A `!` marks a session that waits and expires before an answer is likely."""
    duration = format_duration if is_wide else short_duration
    cells, styles = [], []
    for row in rows:
        seconds = row.summary.ttl_seconds
        cells.append("never" if seconds is None else duration(seconds) + "!" * row.expires_early)
        styles.append(ERROR if row.expires_early else WARNING if seconds is None else "")
    return Column("TTL", cells, styles, right=True)


def _time(row: SessionOverview, name: str, *, utc: bool) -> str:
    tail = row.summary.tail
    if tail is None:
        return ""
    return clock_time(tail.created_at if name == "created" else tail.updated_at, utc=utc)


_CELLS: dict[str, Callable[[SessionOverview], str]] = {
    "events": lambda row: f"{row.summary.tail.event_count:,}" if row.summary.tail else "?",
    "size": lambda row: human_size(row.summary.size_bytes),
    "age": lambda row: short_duration(time.time() - row.summary.updated),
    "key": lambda row: safe_text(row.summary.key),
    "waiting": lambda row: safe_text(
        "; ".join(waiting_text(call) for call in row.status.waiting_for) if row.status else ""
    ),
}
