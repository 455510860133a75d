"""Redraw the list until it is stopped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from adksess.cli.commands.list.options import ListOptions, ListOutput
from adksess.cli.commands.list.output import listing_table
from adksess.cli.commands.list.read import read_listing
from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import is_terminal, stdout
from adksess.cli.render.live import poll
from adksess.cli.render.styles import ERROR, MUTED
from adksess.cli.render.times import moment, zone
from adksess.cli.runner import with_store
from adksess.store.store import SessionStore


def watch_sessions(options: ListOptions, seconds: float) -> None:
    """Redraw the table until `q` or Ctrl-C. An outage is shown below the last view."""
    console = stdout()
    if options.output is not ListOutput.TABLE or not is_terminal():
        raise UsageProblem("--watch needs a terminal and -o table: omit it in a script.")
    rows = max(1, console.height - 4)
    options = replace(options, limit=min(options.limit or rows, rows))

    async def refresh(store: SessionStore) -> None:
        view: Group | Text = Text()
        with _screen(console) as show:

            async def step() -> None:
                nonlocal view
                listing = await read_listing(store, options)
                now = f"{moment(time.time(), utc=options.utc):%H:%M:%S} {zone(utc=options.utc)}"
                total = listing.page.total
                count = len(listing.rows) if total is None else total
                line = f"{count:,} sessions in {options.server} at {now}, q quits"
                view = Group(Text(line, style=MUTED), listing_table(options, listing))
                show(view)

            def outage(since: float | None) -> None:
                if since is not None:
                    when = f"{moment(since, utc=options.utc):%H:%M:%S}"
                    line = f"No answer from {options.settings.redacted} since {when}; retrying."
                    show(Group(Text(line, style=ERROR), view))

            await poll(step, seconds, outage=outage)

    with_store(options.settings, refresh)


@contextmanager
def _screen(console: Console) -> Iterator[Callable[[Group], None]]:
    """Yield a function that shows a view: over the last one, or below it on a dumb terminal.

    A dumb terminal, as in Emacs, cannot move the cursor: Rich's Live prints nothing there.
    """
    if console.is_dumb_terminal:
        yield console.print
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda view: live.update(view, refresh=True)
