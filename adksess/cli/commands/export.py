"""`adksess export`: sessions and their state, as NDJSON or as files that ADK reads."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import FilterOptions, IdsArgument, QuietOption
from adksess.store.errors import AdksessError, SessionNotFound

if TYPE_CHECKING:
    from adksess.cli.selection import SelectedSessions, Selection
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore
    from adksess.transfer.exporter import ExportReport, Owner, Write
    from adksess.transfer.file_export import Convert, FileReport, FileTarget


_MAX_NAMED = 5


class Format(StrEnum):
    """The formats of `export`."""

    ADKSESS = "adksess"
    ADK = "adk"
    TEST = "test"
    EVALSET = "evalset"
    MD = "md"
    HTML = "html"


class NothingSelected(SessionNotFound):
    """No session is selected, and `--out` would be replaced by an empty file."""


@command(
    "adksess export --out sessions.ndjson.gz",
    "adksess export 8e42 | jq .",
    "adksess export 8e42 --format adk --out trip.session.json",
    "adksess export --app demo --since 1d --format test --out agents/demo/tests/",
)
def export(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="adksess: NDJSON, for adksess import. adk: session files, for adk run --resume "
            "and ADK's web UI. test: files for adk test. evalset: an eval set for adk eval. md, "
            "html: transcripts.",
        ),
    ] = Format.ADKSESS,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE|DIR/",
            help="Written atomically; replaces an existing file, but adds to an eval set. "
            "Compressed if its name ends in .gz. A folder gets one file per session.",
            show_default="stdout",
        ),
    ] = None,
    with_credentials: Annotated[
        bool,
        typer.Option(
            "--with-credentials", help="Keep credentials of ADK's authentication in --format adk."
        ),
    ] = False,
    allow_empty: Annotated[
        bool,
        typer.Option(
            "--allow-empty", help="Write --out even if no session is selected, and exit with 0."
        ),
    ] = False,
    quiet: QuietOption = False,
    connection: ConnectionOptions,
) -> None:
    """Export sessions: everything, unless ids or filters select.

    By default as NDJSON, one object per line, with the state of apps and users. `adksess import`
    reads that and ADK's session files.
    """
    from adksess.cli.selection import Selection

    selection = Selection.from_options(ids, filters, all_if_none=True)
    settings = connection.settings()
    if with_credentials and format_ is not Format.ADK:
        raise UsageProblem("--with-credentials is for --format adk: omit it.")
    if format_ is not Format.ADKSESS:
        if allow_empty:
            raise UsageProblem("--allow-empty is for --format adksess: omit it.")
        _export_files(
            settings, selection, format_, out, with_credentials=with_credentials, quiet=quiet
        )
        return
    path = None if out is None else Path(out)
    report, selected = _write(settings, selection, path, allow_empty=allow_empty)
    if not selected.is_missing:
        _print_report(report, path, quiet=quiet)
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
    from adksess.transfer.exporter import export_sessions, export_states, states_of

    filters = selection.filters
    by_owner = selection.names is not None or filters.on_time
    selected, batches = await _batches(store, selection)
    owners = await export_sessions(store, batches, write, report, collect_owners=by_owner)
    if by_owner:
        await export_states(states_of(store, owners), write, report)
        return selected
    for app, user in filters.owners:
        await export_states(store.all_states(app, user), write, report)
    if filters.users and filters.apps:
        apps: set[Owner] = {(app, None) for app in filters.apps}
        await export_states(states_of(store, apps), write, report)
    return selected


async def _batches(
    store: "SessionStore", selection: "Selection"
) -> "tuple[SelectedSessions, AsyncIterator[Sequence[SessionSummary]]]":
    """Return the named sessions, none where filters select, and all of the selection in batches."""
    from adksess.cli.render.progress import ProgressBar
    from adksess.cli.selection import SelectedSessions, matching

    by_name = selection.names is not None
    selected = await selection.resolve(store) if by_name else SelectedSessions([])
    total = len(selected.sessions) if by_name else await store.key_count()

    async def batches() -> "AsyncIterator[Sequence[SessionSummary]]":
        with ProgressBar("Exporting sessions", total) as bar:
            if by_name:
                yield selected.sessions
                bar.advance(len(selected.sessions))
                return
            async for batch in matching(store, selection.filters):
                yield batch
                bar.advance(len(batch))

    return selected, batches()


def _export_files(
    settings: "Settings",
    selection: "Selection",
    format_: Format,
    out: str | None,
    *,
    with_credentials: bool,
    quiet: bool,
) -> None:
    """Write files of another format: one file or stdout for one session, a folder for several."""
    import sys

    from adksess.cli.render.json_output import json_for_screens
    from adksess.cli.render.progress import warn_of_stop
    from adksess.cli.runner import with_store
    from adksess.transfer.file_export import FileReport, Folder, export_files
    from adksess.transfer.files import output_file

    path = None if out is None else Path(out)
    convert = _converter(format_, path, with_credentials=with_credentials)
    target = _target(convert, path, is_folder=bool(out and out.endswith("/")))

    report = FileReport()

    async def run(store: "SessionStore") -> "SelectedSessions":
        selected, batches = await _batches(store, selection)
        await export_files(store, batches, convert, target.write, report)
        return selected

    try:
        selected = with_store(settings, run)
    except (AdksessError, KeyboardInterrupt):
        if report.sessions and isinstance(target, Folder):
            warn_of_stop(report.sessions)
        raise
    if not selected.missing and not report.sessions and not report.failed:
        raise NothingSelected(
            "No session is selected: nothing was exported. Check the filters with adksess list."
        )
    if report.sessions and (content := target.content()) is not None:
        if path is None and sys.stdout.isatty():
            sys.stdout.write(json_for_screens(content.decode()))
        else:
            with output_file(path) as file:
                file.write(content)
    if not selected.is_missing:
        _print_file_report(report, format_, out, quiet=quiet)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.failed:
        raise typer.Exit(ExitCode.FAILED)


def _converter(format_: Format, path: Path | None, *, with_credentials: bool) -> "Convert":
    if format_ is Format.EVALSET:
        from adksess.adk.eval_sets import EvalSetFile

        return EvalSetFile.load(path)
    if format_ in (Format.MD, Format.HTML):
        from adksess.transfer.file_export import transcript_file

        return partial(transcript_file, is_html=format_ is Format.HTML)
    if format_ is Format.TEST:
        from adksess.adk.replay_files import replay_file

        return replay_file
    from adksess.adk.session_files import session_file

    return partial(session_file, with_credentials=with_credentials)


def _target(convert: "Convert", path: Path | None, *, is_folder: bool) -> "FileTarget":
    from adksess.transfer.file_export import FileTarget, Folder, SingleFile

    if isinstance(convert, FileTarget):  # an eval set
        return convert
    if path is not None and (is_folder or path.is_dir()):
        return Folder(path)
    return SingleFile()


def _print_file_report(
    report: "FileReport", format_: Format, out: str | None, *, quiet: bool
) -> None:
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.text import counted

    console = stderr()
    for ref, reason in report.failed[:_MAX_NAMED]:
        console.print(message("error", f"{ref.path} was not exported: {reason}."))
    if more := len(report.failed[_MAX_NAMED:]):
        console.print(message("error", f"{more:,} more were not exported."))
    where = f" to {out}" if out and report.sessions else ""
    if quiet:
        return
    console.print(f"Exported {counted(report.sessions, 'session')}{where}.", markup=False)
    if report.lacks:
        console.print(
            message("note", f"--format {format_} does not hold: {'; '.join(report.lacks)}.")
        )


def _print_report(report: "ExportReport", out: Path | None, *, quiet: bool) -> None:
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.text import counted, human_size
    from adksess.transfer.files import MAX_LINE

    console = stderr()
    size = f" ({human_size(out.stat().st_size)})" if out and out.is_file() else ""
    where = f" to {out}{size}" if out else ""
    text = (
        f"Exported {counted(report.sessions, 'session')} and the state of "
        f"{counted(report.states, 'app or user', 'apps and users')}{where}."
    )
    if not quiet:
        console.print(text, markup=False)
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
