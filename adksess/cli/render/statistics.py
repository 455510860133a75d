"""Totals per app or user as a table, activity as a bar chart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adksess.cli.render.console import print_table, stdout
from adksess.cli.render.styles import ACCENT, ID, MUTED
from adksess.cli.render.text import human_size, relative_time, safe_text
from adksess.cli.render.times import utc_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from adksess.cli.commands.stats import Statistics
    from adksess.store.statistics import AppStatistics, Estimate, UserStatistics

_BAR_WIDTH = 40
_SMALLEST_ERROR = 0.005


def print_statistics(found: "Statistics", *, by_user: bool, by_hour: bool) -> None:
    """Print totals and activity on stdout."""
    console = stdout()
    if by_user:
        print_table(_user_table(console, found.users))
    else:
        print_table(_app_table(console, found.apps))
    if found.sampled is not None:
        console.print(
            f"~ estimated from a random sample of {found.sampled:,} sessions (95 % confidence); "
            "--exact reads all.",
            style=MUTED,
        )
    console.print()
    span = "hour" if by_hour else "day"
    console.print(Text(f"Last activity by {span} (UTC), in sessions", style="bold"))
    print_table(_chart(found.activity, by_hour=by_hour))


def _app_table(console: Console, apps: "Sequence[AppStatistics]") -> Table:
    table = _table(console, ("APP",), ("USERS", "EVENTS", "SIZE", "OLDEST", "NEWEST", "NO TTL"))
    for app in apps:
        is_sample = app.sampled is not None
        table.add_row(
            Text(safe_text(app.app_name), style=ID),
            f"{app.sessions:,}",
            _cell(app.users, is_sample=is_sample),
            _cell(app.events, is_sample=is_sample),
            _cell(app.size_bytes, is_sample=is_sample, text=human_size),
            relative_time(app.oldest),
            relative_time(app.newest),
            _cell(app.without_ttl, is_sample=is_sample),
        )
    return table


def _user_table(console: Console, users: "Sequence[UserStatistics]") -> Table:
    table = _table(console, ("APP", "USER"), ("EVENTS", "SIZE", "OLDEST", "NEWEST", "NO TTL"))
    for user in users:
        table.add_row(
            Text(safe_text(user.user.app_name), style=ID),
            Text(safe_text(user.user.user_id)),
            f"{user.sessions:,}",
            f"{user.events:,}",
            human_size(user.size_bytes),
            relative_time(user.oldest),
            relative_time(user.newest),
            f"{user.without_ttl:,}",
        )
    return table


def _table(console: Console, names: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2 if console.width > 80 else 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in ("SESSIONS", *numbers):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cell(
    estimate: "Estimate", *, is_sample: bool, text: "Callable[[int], str]" = "{:,}".format
) -> str:
    if not is_sample:
        return text(estimate.value)
    share = estimate.error / estimate.value if estimate.value else 0.0
    error = f" ±{share:.0%}" if share >= _SMALLEST_ERROR else ""
    return f"~{text(estimate.value)}{error}"


def _chart(activity: Sequence[tuple[int, int]], *, by_hour: bool) -> Table:
    chart = Table.grid(padding=(0, 2, 0, 0))
    for no_wrap in (True, False, True):
        chart.add_column(no_wrap=no_wrap)
    most = max((count for _, count in activity), default=0) or 1
    for start, count in activity:
        moment = utc_time(start)
        label = f"{moment.date()} {moment:%H}:00" if by_hour else f"{moment.date()}"
        bar = Bar(most, 0, count, width=_BAR_WIDTH, color=ACCENT)
        chart.add_row(Text(label, style=MUTED), bar, f"{count:,}")
    return chart
