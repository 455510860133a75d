"""The header of `adksess show`, and JSON with colors."""

from datetime import datetime
from typing import Any

from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from adksess.cli.render.json_output import json_text
from adksess.cli.render.text import human_size, relative_time, safe_text
from adksess.store.durations import format_duration
from adksess.store.models import SessionSummary


def highlighted_json(value: Any) -> Text:
    """Return indented JSON with colors."""
    # not rich.json.JSON, which parses and so unescapes what json_text() has escaped
    return JSONHighlighter()(Text(json_text(value)))


def session_header(summary: SessionSummary) -> Table:
    """Return the metadata of a readable session, one field per row."""
    ref, tail = summary.ref, summary.tail
    assert tail is not None  # the session was read
    expires = Text("never", style="yellow")
    if summary.ttl_seconds is not None:
        expires = Text(f"in {format_duration(summary.ttl_seconds)}")
    kind = " (ADK evaluation)" if summary.is_evaluation else ""
    rows = {
        "Session": Text(safe_text(ref.session_id) + kind, style="bold cyan"),
        "Title": Text(safe_text(summary.title or "")),
        "App": Text(safe_text(ref.app_name)),
        "User": Text(safe_text(ref.user_id)),
        "Created": _moment(tail.created_at),
        "Updated": _moment(tail.updated_at),
        "Expires": expires,
        "Events": Text(f"{tail.event_count:,}"),
        "Size": Text(human_size(summary.size_bytes)),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value.plain:
            table.add_row(name, value)
    return table


def _moment(iso: str) -> Text:
    moment = datetime.fromisoformat(iso).astimezone()
    return Text(f"{moment:%Y-%m-%d %H:%M:%S} ({relative_time(moment.timestamp())})")
