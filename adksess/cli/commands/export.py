"""`adksess export`: sessions and their state, in files that can be imported again."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode
from adksess.cli.options import FilterOptions, IdsArgument
from adksess.store.errors import SessionNotFound

if TYPE_CHECKING:
    from adksess.cli.selection import SelectedSessions, Selection
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore
    from adksess.transfer.exporter import ExportReport, Owner, Write


class NothingSelected(SessionNotFound):
    """No session is selected, and `--out` would be replaced by an empty file."""


@command(
    "adksess export --out sessions.ndjson.gz",
    "adksess export 8e42 | jq .",
)
def export(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Written atomically; replaces an existing file. Compressed if its name ends in "
            ".gz.",
            show_default="stdout",
        ),
    ] = None,
    allow_empty: Annotated[
        bool,
        typer.Option(
            "--allow-empty", help="Write --out even if no session is selected, and exit with 0."
        ),
    ] = False,
    connection: ConnectionOptions,
) -> None:
    """Export sessions and their state as NDJSON, one object per line.

    Exports everything, unless ids or filters select. `adksess import` restores it.
    """
    from adksess.cli.selection import Selection

    selection = Selection.from_options(ids, filters, all_if_none=True)
    settings = connection.settings()
    report, selected = _write(settings, selection, out, allow_empty=allow_empty)
    _print_report(report, out)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.unreadable:
        raise typer.Exit(ExitCode.FAILED)


def _write(
    settings: "Settings", selection: "Selection", out: Path | None, *, allow_empty: bool
) -> "tuple[ExportReport, SelectedSessions]":
    """Write the file. Raises NothingSelected, and then an existing file is not replaced."""
    import sys

    from adksess.cli.render.json_output import json_for_screens
    from adksess.cli.runner import with_store
    from adksess.transfer.exporter import ExportReport
    from adksess.transfer.files import output_file

    report = ExportReport()
    with output_file(out) as file:
        write: Write = file.write
        if out is None and sys.stdout.isatty():
            write = lambda line: sys.stdout.write(json_for_screens(line.decode()))  # noqa: E731
        selected = with_store(settings, lambda store: _export(store, selection, write, report))
        if out is not None and not report.sessions and not allow_empty:
            if selected.report_missing() or report.unreadable:
                raise NothingSelected(f"No session was exported: {out} was not written.")
            raise NothingSelected(
                f"No session is selected: {out} was not written. Check the ids or filters with "
                "adksess list, or write an export without sessions with --allow-empty."
            )
    return report, selected


async def _export(
    store: "SessionStore", selection: "Selection", write: "Write", report: "ExportReport"
) -> "SelectedSessions":
    from adksess.cli.render.progress import Meter
    from adksess.cli.selection import SelectedSessions, matching
    from adksess.transfer.exporter import export_sessions, export_states, states_of

    filters, by_name = selection.filters, selection.names is not None
    selected = await selection.resolve(store) if by_name else SelectedSessions([])
    total = len(selected.sessions) if by_name else await store.key_count()
    with Meter("Exporting sessions", total) as meter:

        async def batches() -> "AsyncIterator[Sequence[SessionSummary]]":
            if by_name:
                yield selected.sessions
                meter.advance(len(selected.sessions))
                return
            async for batch in matching(store, filters):
                yield batch
                meter.advance(len(batch))

        by_owner = by_name or filters.on_time
        owners = await export_sessions(store, batches(), write, report, collect_owners=by_owner)
        if by_owner:
            await export_states(states_of(store, owners), write, report)
            return selected
        for app, user in filters.owners:
            await export_states(store.all_states(app, user), write, report)
        if filters.users and filters.apps:
            apps: set[Owner] = {(app, None) for app in filters.apps}
            await export_states(states_of(store, apps), write, report)
    return selected


def _print_report(report: "ExportReport", out: Path | None) -> None:
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.text import counted, human_size
    from adksess.transfer.files import MAX_LINE

    console = stderr()
    size = f" ({human_size(out.stat().st_size)})" if out and out.is_file() else ""
    where = f" to {out}{size}" if out else ""
    console.print(
        f"Exported {counted(report.sessions, 'session')} and the state of "
        f"{counted(report.states, 'app or user', 'apps and users')}{where}.",
        markup=False,
    )
    for session in report.skipped:
        console.print(
            message("warning", f"{session.ref.path} was not exported: {session.problem}.")
        )
    if more := report.unreadable - len(report.skipped):
        console.print(message("warning", f"{more:,} more that cannot be read were not exported."))
    if report.longest_line > MAX_LINE:
        mebibytes = -(-report.longest_line // 2**20)
        console.print(
            message("note", f"A session is larger than 64 MiB: import with --max-line {mebibytes}.")
        )
