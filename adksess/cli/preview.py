"""The first sessions of a selection as a table, for --dry-run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings

_SHOWN = 10


def print_preview(settings: "Settings", sessions: "Sequence[SessionSummary]") -> None:
    """Print the newest ten sessions on stdout, and how many more there are."""
    from adksess.cli.render.console import stdout
    from adksess.cli.render.session_table import TableOptions, session_table
    from adksess.cli.runner import with_store
    from adksess.conversation.overview import read_overviews

    if not sessions:
        return
    newest = sorted(sessions, key=lambda session: (session.updated, session.key), reverse=True)
    shown = newest[:_SHOWN]
    rows = with_store(settings, lambda store: read_overviews(store, shown))
    console = stdout()
    options = TableOptions(width=console.width, is_terminal=console.is_terminal)
    ids = [session.ref.session_id for session in sessions]
    console.print(session_table(rows, options, ids), soft_wrap=True)
    if more := len(sessions) - len(shown):
        console.print(f"… and {more:,} more", markup=False)
