"""`adksess ttl`: show when sessions expire, and change it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    ChangeOptions,
    FilterOptions,
    IdsArgument,
    OutputFormat,
    OutputOption,
)
from adksess.cli.render.styles import ID, MUTED, WARNING

if TYPE_CHECKING:
    from adksess.cli.prompts import Target
    from adksess.cli.selection import SelectedSessions, Selection
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_BATCH = 500
_ROWS_AFTER_CHANGE = 20


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
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of sessions to show; 0 for all.")
    ] = 50,
    output: OutputOption = OutputFormat.TABLE,
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Show when sessions expire; with --set or --persist, change it."""
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection
    from adksess.store.durations import parse_duration

    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    if set_to is not None and persist:
        raise UsageProblem("--set and --persist exclude each other.")
    seconds = 0 if persist else None if set_to is None else parse_duration(set_to)
    if selection.is_empty:
        return
    selected = with_store(settings, selection.resolve)
    if selection.names is None:
        selected.sessions.sort(key=lambda session: (session.updated, session.key), reverse=True)
    if not selected.sessions and selection.names is None:
        _explain_empty(settings, selection, output, is_change=seconds is not None)
    elif seconds is None:
        _print_some(selected.sessions, output, limit)
    else:
        target = connection.target(settings)
        _change(settings, target, selection, selected, seconds, change, output)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)


def _change(
    settings: "Settings",
    target: "Target",
    selection: "Selection",
    selected: "SelectedSessions",
    seconds: int,
    change: ChangeOptions,
    output: OutputFormat,
) -> None:
    """Confirm, set the expiry of all sessions, and print on stdout what was changed."""
    from adksess.cli.preview import print_preview
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import counted
    from adksess.cli.runner import with_store
    from adksess.cli.selection import warn_of
    from adksess.store.durations import format_duration

    warn_of(selected.unreadable)
    sessions = [session for session in selected.sessions if session.tail]
    if not sessions:
        return
    words = selection.filters.words
    what = counted(len(sessions), "session") + (f", {words}," if words else "")
    aim = f"expire in {format_duration(seconds)}" if seconds else "never expire"
    if change.dry_run:
        print_preview(settings, sessions)
        if not change.quiet:
            stdout().print(f"Would let {what} {aim}.", markup=False)
        return
    if selection.names is None or target.is_protected or change.confirm is not None:
        confirm(f"let {what} {aim}", change, target)
    changed = with_store(settings, lambda store: _set(store, sessions, seconds))
    if output is OutputFormat.JSON:
        _print(changed, output)
    elif not change.quiet:
        if len(changed) <= _ROWS_AFTER_CHANGE:
            _print(changed, output)
        verb = "expires" if len(changed) == 1 else "expire"
        aim = f"{verb} in {format_duration(seconds)}" if seconds else f"never {verb}"
        stdout().print(f"{counted(len(changed), 'session')} {aim}.", markup=False)


def _explain_empty(
    settings: "Settings", selection: "Selection", output: OutputFormat, *, is_change: bool
) -> None:
    """Say where no session was found."""
    from adksess.cli.empty import explain_empty
    from adksess.cli.render.console import stderr, stdout
    from adksess.cli.render.text import safe_text
    from adksess.cli.runner import with_store

    if output is OutputFormat.JSON:
        _print([], output)
    elif is_change:
        stdout().print("Nothing to change.")
    text = with_store(settings, lambda store: explain_empty(store, selection.filters))
    stderr().print(safe_text(text), style=MUTED, markup=False)


async def _set(
    store: "SessionStore", sessions: "Sequence[SessionSummary]", seconds: int
) -> "list[SessionSummary]":
    """Set every expiry, and return the sessions that still exist."""
    from adksess.cli.render.progress import ProgressBar
    from adksess.store.batches import batched

    with ProgressBar("Setting expiry", len(sessions), changes=True) as bar:
        for batch in batched([session.ref for session in sessions], _BATCH):
            await store.set_expiries(batch, seconds)
            bar.advance(len(batch))
    return await store.summaries([session.ref for session in sessions])


def _print_some(sessions: "Sequence[SessionSummary]", output: OutputFormat, limit: int) -> None:
    """Print the sessions, the first `limit` of them unless that is 0."""
    from adksess.cli.render.console import stderr

    shown = sessions[:limit] if limit else sessions
    _print(shown, output)
    if len(shown) < len(sessions):
        stderr().print(
            f"{len(shown):,} of {len(sessions):,} sessions; -n 0 shows all.", style=MUTED
        )


def _print(sessions: "Sequence[SessionSummary]", output: OutputFormat) -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import print_table, stdout
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
        words = Text("never", style=WARNING)
        if seconds is not None:
            words = Text(format_duration(seconds))
        table.add_row(
            Text(safe_text(session.ref.session_id), style=ID),
            words,
            "-" if seconds is None else str(seconds),
        )
    print_table(table)
