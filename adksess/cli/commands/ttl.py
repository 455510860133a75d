"""`adksess ttl`: show when sessions expire, and change it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    DryRunOption,
    FilterOptions,
    IdsArgument,
    OutputFormat,
    OutputOption,
    YesOption,
)

if TYPE_CHECKING:
    from adksess.store.models import SessionSummary
    from adksess.store.store import SessionStore


@command(
    "adksess ttl 8e42",
    "adksess ttl 8e42 --set 7d",
    "adksess ttl --no-ttl --set 30d --yes",
)
def ttl(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="DURATION",
            help="Let them expire in 15m, 2h, 7d from now; 0 for never. The next event may extend "
            "it again to the service's TTL.",
        ),
    ] = None,
    persist: Annotated[bool, typer.Option("--persist", help="Remove the expiry for good.")] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = OutputFormat.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Show when sessions expire; with --set or --persist, change it."""
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import counted
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection, warn_of
    from adksess.store.durations import format_duration, parse_duration

    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    if set_to is not None and persist:
        raise UsageProblem("--set and --persist exclude each other.")
    seconds = 0 if persist else None if set_to is None else parse_duration(set_to)
    if selection.is_empty:
        return
    selected = with_store(settings, selection.resolve)
    sessions = selected.sessions
    if seconds is not None and sessions:
        warn_of(selected.unreadable)
        sessions = [session for session in sessions if session.tail]
        aim = f"expire in {format_duration(seconds)}" if seconds else "never expire"
        what = counted(len(sessions), "session")
        if dry_run:
            stdout().print(f"Would let {what} {aim}.", markup=False)
        else:
            if selection.names is None:
                confirm(f"let {what} in {settings.redacted} {aim}", yes=yes)
            sessions = with_store(settings, lambda store: _set(store, sessions, seconds))
    if seconds is None or not dry_run:
        _print(sessions, output)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)


async def _set(
    store: "SessionStore", sessions: "Sequence[SessionSummary]", seconds: int
) -> "list[SessionSummary]":
    """Set every expiry, and read the sessions again."""
    from adksess.cli.render.progress import Meter

    with Meter("Setting expiry", len(sessions)) as meter:
        for session in sessions:
            await store.set_expiry(session.ref, seconds)
            meter.advance(1)
    return await store.summaries([session.ref for session in sessions])


def _print(sessions: "Sequence[SessionSummary]", output: OutputFormat) -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.json_output import write_json
    from adksess.cli.render.text import safe_text
    from adksess.store.durations import format_duration

    rows = [
        (session, None if session.ttl_seconds is None else round(session.ttl_seconds))
        for session in sessions
    ]
    if output is OutputFormat.JSON:
        write_json(
            [
                {
                    "key": session.key,
                    "app_name": session.ref.app_name,
                    "user_id": session.ref.user_id,
                    "session_id": session.ref.session_id,
                    "ttl_seconds": seconds,
                }
                for session, seconds in rows
            ]
        )
        return
    if not rows:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("SESSION", overflow="fold", min_width=min(36, stdout().width // 2))
    table.add_column("EXPIRES IN", no_wrap=True)
    table.add_column("SECONDS", justify="right", no_wrap=True)
    for session, seconds in rows:
        words = Text("never", style="yellow")
        if seconds is not None:
            words = Text(format_duration(seconds))
        table.add_row(
            Text(safe_text(session.ref.session_id), style="cyan"),
            words,
            "-" if seconds is None else str(seconds),
        )
    stdout().print(table)
