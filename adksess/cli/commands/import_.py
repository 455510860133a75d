"""`adksess import`: sessions from exports and from session files of ADK."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import ChangeOptions, ConfirmOption, DryRunOption, QuietOption
from adksess.store.errors import AdksessError
from adksess.transfer.files import MAX_LINE
from adksess.transfer.import_options import ImportOptions, OnConflict

if TYPE_CHECKING:
    from adksess.store.settings import Settings
    from adksess.transfer.importer import ImportReport
    from adksess.transfer.session_file import SessionFileOptions

_EXAMPLES_SHOWN = 3


class ImportConflict(AdksessError):
    """`--on-conflict fail`, and a session or state value exists with different content."""


@command(
    "adksess import sessions.ndjson.gz --dry-run",
    "adksess import sessions.ndjson.gz --on-conflict skip",
    "adksess import trip.session.json --user ada",
)
def import_sessions(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="A file of adksess export, compressed or not, or a session file of ADK, or a "
            "folder or zip file of those; - reads stdin.",
        ),
    ],
    *,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            "--on-conflict",
            help="If a session exists with different content: skip it, replace it, or fail before "
            "writing anything.",
        ),
    ] = OnConflict.SKIP,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="DURATION",
            help="Let every session expire in 15m, 2h, 7d from now, or never (0), instead of "
            "keeping the exported expiry.",
        ),
    ] = None,
    rename_app: Annotated[
        list[str] | None,
        typer.Option(
            "--rename-app", metavar="OLD=NEW", help="Import an app under another name; repeatable."
        ),
    ] = None,
    rename_user: Annotated[
        list[str] | None,
        typer.Option(
            "--rename-user",
            metavar="OLD=NEW",
            help="Import a user under another name; repeatable.",
        ),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option("--app", "-a", metavar="APP", help="The app of ADK's session files."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", metavar="USER", help="The user of ADK's session files."),
    ] = None,
    session_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The session id of one session file of ADK."),
    ] = None,
    max_line: Annotated[
        int,
        typer.Option(
            "--max-line",
            metavar="MIB",
            min=1,
            help="Reject lines of an export, and session files, of more than this many MiB.",
        ),
    ] = MAX_LINE // 2**20,
    dry_run: DryRunOption = False,
    confirm: ConfirmOption = None,
    quiet: QuietOption = False,
    connection: ConnectionOptions,
) -> None:
    """Import sessions and state from exports and from session files of ADK.

    Everything is validated before it is written. Can be interrupted and repeated: what exists
    with the same content is not written again.
    """
    from adksess.cli import prompts
    from adksess.store.durations import parse_duration
    from adksess.transfer.session_file import SessionFileOptions

    if session_id is not None and len(files) > 1:
        raise UsageProblem("--id is for one session file: name one file, or omit --id.")

    options = ImportOptions(
        on_conflict=on_conflict,
        ttl=None if ttl is None else parse_duration(ttl),
        rename_apps=dict(_parse_renaming("--rename-app", word) for word in rename_app or []),
        rename_users=dict(_parse_renaming("--rename-user", word) for word in rename_user or []),
        dry_run=dry_run,
    )
    settings = connection.settings()
    target = connection.target(settings)
    if target.is_protected and on_conflict is OnConflict.REPLACE and not dry_run:
        prompts.confirm("replace existing sessions", ChangeOptions(confirm=confirm), target)
    session_files = SessionFileOptions(_encode_event, app, user, session_id, settings.ttl)
    report = _import(_Input(files, max_line * 2**20, session_files), settings, options, quiet=quiet)
    if report.rejected:
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True)
class _Input:
    """What is imported."""

    names: Sequence[str]
    max_line: int
    session_files: "SessionFileOptions"


def _encode_event(fields: Mapping[str, Any]) -> bytes:
    """Encode an event of a session file. ADK is imported for those only."""
    from adksess.adk.other_services import encode_event

    return encode_event(fields)


def _parse_renaming(option: str, word: str) -> tuple[str, str]:
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise UsageProblem(f"{option} {word!r} is not of the form OLD=NEW.")
    return old, new


def _import(
    source: _Input, settings: "Settings", options: ImportOptions, *, quiet: bool
) -> "ImportReport":
    """Import all files. What was imported is printed even if an error ends it."""
    from adksess.transfer.files import input_file
    from adksess.transfer.importer import ImportReport

    report = ImportReport()
    with ExitStack() as stack:
        stdin: BinaryIO | None = None
        if options.on_conflict is OnConflict.FAIL:
            if "-" in source.names:
                stdin = stack.enter_context(input_file("-", rewindable=True))
            trial = replace(options, on_conflict=OnConflict.SKIP, dry_run=True)
            conflicts = ImportReport()
            _run(source, stdin, settings, trial, conflicts)
            if conflicts.skipped or conflicts.state_keys_skipped:
                raise ImportConflict(_describe_conflicts(conflicts))
            if stdin is not None:
                stdin.seek(0)
        try:
            _run(source, stdin, settings, options, report)
        except (AdksessError, KeyboardInterrupt):
            if report.read:
                _print_report(report, options, quiet=False)
            raise
    _print_report(report, options, quiet=quiet)
    return report


def _run(
    source: _Input,
    stdin: BinaryIO | None,
    settings: "Settings",
    options: ImportOptions,
    report: "ImportReport",
) -> None:
    from adksess.cli.render.progress import ProgressBar
    from adksess.cli.runner import with_store
    from adksess.transfer.importer import import_records
    from adksess.transfer.sources import read_files

    entries = read_files(source.names, source.max_line, source.session_files, stdin=stdin)
    with ProgressBar("Comparing records" if options.dry_run else "Importing records") as bar:
        with_store(
            settings,
            lambda store: import_records(store, entries, options, report, advance=bar.advance),
        )


def _print_report(report: "ImportReport", options: ImportOptions, *, quiet: bool) -> None:
    from adksess.cli.render.console import message, stderr, stdout
    from adksess.cli.render.text import counted

    console = stderr()
    for rejection in report.rejections:
        console.print(message("error", f"{rejection.where} was rejected: {rejection.reason}."))
    if more := report.rejected - len(report.rejections):
        console.print(message("error", f"{more:,} more were rejected."))
    verb = "Would import" if options.dry_run else "Imported"
    parts = [f"{verb} {counted(report.sessions + report.replaced, 'session')}"]
    if report.replaced:
        parts[0] += f" ({report.replaced:,} replaced)"
    parts.append(counted(report.state_keys, "state value"))
    for number, adjective in (
        (report.unchanged, "unchanged"),
        (report.skipped, "skipped"),
        (report.expired, "expired"),
        (report.rejected, "rejected"),
    ):
        if number:
            parts.append(f"{number:,} {adjective}")
    if not quiet:
        stdout().print(", ".join(parts) + ".", markup=False)
    if skipped := _describe_skipped(report):
        text = (
            f"Not imported, since they exist with different content: {skipped}. Use --on-conflict "
            "replace to overwrite."
        )
        console.print(message("note", text))
    if report.expired:
        console.print(
            message("note", "Expired sessions are imported with a new expiry, such as --ttl 7d.")
        )


def _describe_skipped(report: "ImportReport") -> str:
    """`2 sessions and 1 state value`, empty when nothing was skipped."""
    from adksess.cli.render.text import counted

    parts = []
    if report.skipped:
        parts.append(counted(report.skipped, "session"))
    if report.state_keys_skipped:
        parts.append(counted(report.state_keys_skipped, "state value"))
    return " and ".join(parts)


def _describe_conflicts(report: "ImportReport") -> str:
    named = [f"{path} ({where})" for where, path in report.conflicts[:_EXAMPLES_SHOWN]]
    examples = f", such as {', '.join(named)}" if named else ""
    return (
        f"Nothing was written, since they exist with different content: "
        f"{_describe_skipped(report)}{examples}. Use --on-conflict skip or --on-conflict replace."
    )
