"""`adksess stats`: totals per app and activity per day."""

from typing import TYPE_CHECKING, Any

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.options import FilterOptions, OutputFormat, OutputOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.store.models import SessionSummary

_DAYS = 14
_BAR_WIDTH = 40


@command(
    "adksess stats",
    "adksess stats --since 7d -o json",
)
def stats(
    *,
    filters: FilterOptions,
    output: OutputOption = OutputFormat.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Show totals per app and activity per day."""
    from adksess.cli.render.console import stderr
    from adksess.cli.render.json_output import write_json
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection

    selection = Selection.from_options(None, filters, all_if_none=True)
    selected = with_store(connection.settings(), selection.resolve)
    apps = [_totals(name, group) for name, group in _by_app(selected.sessions).items()]
    days = _by_day(selected.sessions)
    if output is OutputFormat.JSON:
        write_json({"apps": apps, "days": days, "unreadable": len(selected.unreadable)})
    elif apps:
        _print(apps, days)
    elif selection.filters.given:
        stderr().print("No session fits these filters.", style="dim")
    else:
        stderr().print("No sessions yet: start one with adksess serve --demo", style="dim")
    if selected.unreadable and output is not OutputFormat.JSON:
        count = len(selected.unreadable)
        stderr().print(f"{count:,} more cannot be read: adksess doctor names them.", style="dim")


def _by_app(sessions: "Sequence[SessionSummary]") -> "dict[str, list[SessionSummary]]":
    groups: dict[str, list[SessionSummary]] = {}
    for session in sessions:
        groups.setdefault(session.ref.app_name, []).append(session)
    return dict(sorted(groups.items()))


def _totals(app_name: str, sessions: "Sequence[SessionSummary]") -> dict[str, Any]:
    """Return the totals of one app, as in the JSON output."""
    tails = [session.tail for session in sessions if session.tail]
    return {
        "app_name": app_name,
        "sessions": len(sessions),
        "users": len({session.ref.user_id for session in sessions}),
        "events": sum(tail.event_count for tail in tails),
        "size_bytes": sum(session.size_bytes for session in sessions),
        "oldest": min(tail.created_at for tail in tails),
        "newest": max(tail.updated_at for tail in tails),
        "without_ttl": sum(session.ttl_seconds is None for session in sessions),
    }


def _by_day(sessions: "Sequence[SessionSummary]") -> list[dict[str, Any]]:
    """Count sessions by the day (UTC) of their last update; the last days with any."""
    from collections import Counter

    counts = Counter(session.tail.updated_at[:10] for session in sessions if session.tail)
    return [{"day": day, "sessions": count} for day, count in sorted(counts.items())[-_DAYS:]]


def _print(apps: list[dict[str, Any]], days: list[dict[str, Any]]) -> None:
    from datetime import datetime

    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import human_size, relative_time, safe_text

    def ago(iso: str) -> str:
        return relative_time(datetime.fromisoformat(iso).timestamp())

    console = stdout()
    table = Table(box=None, pad_edge=False, padding=(0, 2 if console.width > 80 else 1, 0, 0))
    table.add_column("APP", overflow="fold")
    for name in ("SESSIONS", "USERS", "EVENTS", "SIZE", "OLDEST", "NEWEST", "NO TTL"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in apps:
        table.add_row(
            Text(safe_text(row["app_name"]), style="cyan"),
            f"{row['sessions']:,}",
            f"{row['users']:,}",
            f"{row['events']:,}",
            human_size(row["size_bytes"]),
            ago(row["oldest"]),
            ago(row["newest"]),
            f"{row['without_ttl']:,}",
        )
    console.print(table)
    console.print()
    console.print(Text("Last activity by day (UTC), in sessions", style="bold"))
    most = max(day["sessions"] for day in days)
    chart = Table.grid(padding=(0, 2, 0, 0))
    for day in days:
        bar = Bar(most, 0, day["sessions"], width=_BAR_WIDTH, color="cyan")
        chart.add_row(Text(day["day"], style="dim"), bar, f"{day['sessions']:,}")
    console.print(chart)
