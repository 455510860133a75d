"""What `adksess show` prints above the events: metadata, status, state, tokens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from adksess.cli.render.cells import isolated
from adksess.cli.render.event_log import token_text
from adksess.cli.render.json_output import json_text
from adksess.cli.render.session_table import status_style, waiting_text
from adksess.cli.render.styles import ERROR, ID, MUTED, WARNING
from adksess.cli.render.text import human_size, relative_time, safe_text
from adksess.cli.render.times import moment, zone
from adksess.conversation.event_text import short_json
from adksess.conversation.history import Event, get_field, get_object, timestamp
from adksess.conversation.overview import SessionOverview
from adksess.conversation.redaction import is_token_cache
from adksess.conversation.status import Status
from adksess.store.durations import format_duration

_MAX_KEYS = 10
"""Keys of the state that are shown, unless all of it is wanted."""

_TOKENS = ("total", "prompt", "cached_content", "thoughts", "candidates")


def highlighted_json(value: Any) -> Text:
    """Return indented JSON with colors."""
    # not rich.json.JSON, which parses and so unescapes what json_text() has escaped
    return JSONHighlighter()(Text(json_text(value)))


def session_header(overview: SessionOverview, *, utc: bool = False) -> Table:
    """Return the metadata of a readable session, one field per row. The zone is named once."""
    summary = overview.summary
    ref, tail = summary.ref, summary.tail
    assert tail is not None  # the session was read
    kind = " (ADK evaluation)" if summary.is_evaluation else ""
    rows = [
        ("Session", Text(safe_text(ref.session_id) + kind, style=f"bold {ID}")),
        ("Title", Text(isolated(safe_text(overview.title)))),
        ("App", Text(isolated(safe_text(ref.app_name)))),
        ("User", Text(isolated(safe_text(ref.user_id)))),
        *_status_rows(overview, utc=utc),
        ("Created", _time(tail.created_at, utc=utc, name_zone=True)),
        ("Updated", _time(tail.updated_at, utc=utc)),
        ("Expires", _expiry(overview)),
        ("Events", Text(f"{tail.event_count:,}")),
        ("Size", Text(human_size(summary.size_bytes))),
    ]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=MUTED, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value.plain:
            table.add_row(name, value)
    return table


def state_lines(state: Mapping[str, Any], *, full: bool, width: int) -> Text:
    """Return one line per key: a value is cut to the width, and keys beyond ten are counted."""
    names = list(state)
    shown = names if full else names[:_MAX_KEYS]
    lines = []
    for name in shown:
        line = Text.assemble((safe_text(name), ID), " = ", _value(name, state[name]))
        length = len(line.plain)
        if not full and line.cell_len > width:
            note = f"… ({length:,} characters)"
            line.truncate(max(10, width - len(note)))
            line.append(note, style=MUTED)
        lines.append(line)
    if more := len(names) - len(shown):
        lines.append(Text(f"… {more:,} more; --state shows all", style=MUTED))
    return Text("\n").join(lines)


def _value(name: str, value: Any) -> str:
    return "(hidden)" if is_token_cache(name) else safe_text(short_json(value, None))


def usage_line(events: Sequence[Event], event_count: int) -> Text:
    """Return the sum of tokens and the time between the first and the last event."""
    total: Counter[str] = Counter()
    for event in events:
        usage = get_object(event, "usage_metadata")
        for name in _TOKENS:
            value = get_field(usage, f"{name}_token_count")
            total[f"{name}_token_count"] += value if isinstance(value, int) else 0
    times = [time for event in events if (time := timestamp(event))]
    seconds = max(times) - min(times) if times else 0.0
    part = f" in the last {len(events):,} events" if len(events) < event_count else ""
    return Text.assemble(
        ("Sum      ", MUTED), f"{token_text(total) or '0 tokens'}, {format_duration(seconds)}{part}"
    )


def _status_rows(overview: SessionOverview, *, utc: bool) -> list[tuple[str, Text]]:
    status = overview.status
    if status is None or status.status is Status.OK:
        return []
    text = Text(status.status, style=status_style(status.status))
    if status.error:
        text.append(f": {safe_text(status.error)}", style=ERROR)
    rows = [("Status", text)]
    for call in status.waiting_for:
        since = moment(call.since, utc=utc)
        rows.append(
            ("Waits for", Text(f"{safe_text(waiting_text(call))} since {since:%Y-%m-%d %H:%M:%S}"))
        )
    return rows


def _expiry(overview: SessionOverview) -> Text:
    seconds = overview.summary.ttl_seconds
    if seconds is None:
        return Text("never", style=WARNING)
    text = Text(f"in {format_duration(seconds)}")
    if overview.expires_early:
        text.append(", before an answer is likely: adksess ttl ID --set 7d keeps it", style=ERROR)
    return text


def _time(iso: str, *, utc: bool, name_zone: bool = False) -> Text:
    when = moment(iso, utc=utc)
    named = f" {zone(utc=utc)}" if name_zone else ""
    return Text(f"{when:%Y-%m-%d %H:%M:%S}{named} ({relative_time(when.timestamp())})")
