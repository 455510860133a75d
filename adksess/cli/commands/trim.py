"""`adksess trim`: drop old invocations from long sessions."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode
from adksess.cli.options import (
    ChangeOptions,
    FilterOptions,
    IdsArgument,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.cli.prompts import Target
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.transfer.trim import TrimOptions, TrimReport

_MAX_NAMED = 5


@command(
    "adksess trim 8e42 --keep-last 20",
    "adksess trim --app demo --keep-last 50 --dry-run",
)
def trim(
    *,
    keep_last: Annotated[
        int,
        typer.Option(
            "--keep-last",
            metavar="N",
            min=1,
            help="Keep the last N invocations (turns of the conversation), whole.",
            show_default=False,
        ),
    ],
    ids: IdsArgument = None,
    filters: FilterOptions,
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Drop old invocations from sessions: those named, or those that the filters select.

    State, expiry and summaries are kept, and no tool call is separated from its response. Asks
    for confirmation.
    """
    from adksess.cli.selection import Selection, explain_if_empty, select
    from adksess.transfer.trim import TrimOptions

    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    if selection.is_empty:
        return
    selected = select(settings, selection)
    explain_if_empty(settings, selection, selected, quiet=change.quiet)
    options = TrimOptions(keep_last, selection.filters.on_time, change.dry_run)
    report = _trim(settings, selected.sessions, options, change, connection.target(settings))
    _print_not_trimmed(report)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.failed:
        raise typer.Exit(ExitCode.FAILED)


def _trim(
    settings: "Settings",
    sessions: "Sequence[SessionSummary]",
    options: "TrimOptions",
    change: ChangeOptions,
    target: "Target",
) -> "TrimReport":
    """Confirm, trim, and print on stdout what was dropped."""
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout

    console = stdout()
    if options.dry_run or not change.yes:
        plan = _run(settings, sessions, replace(options, dry_run=True))
        if options.dry_run or not plan.sessions:
            text = f"Would drop {_describe(plan)}." if plan.sessions else "Nothing to drop."
            if not change.quiet:
                console.print(text, markup=False)
            return plan
        confirm(f"drop {_describe(plan)}", change, target)
    else:
        confirm("drop old invocations", change, target)
    report = _run(settings, sessions, options)
    text = f"Dropped {_describe(report)}." if report.sessions else "Nothing to drop."
    if not change.quiet:
        console.print(text, markup=False)
    return report


def _run(
    settings: "Settings", sessions: "Sequence[SessionSummary]", options: "TrimOptions"
) -> "TrimReport":
    from adksess.cli.render.progress import ProgressBar
    from adksess.cli.runner import with_store
    from adksess.transfer.trim import trim_sessions

    text = "Reading sessions" if options.dry_run else "Trimming sessions"
    with ProgressBar(text, len(sessions), changes=not options.dry_run) as bar:
        return with_store(
            settings,
            lambda store: trim_sessions(store, sessions, options, advance=bar.advance),
        )


def _describe(report: "TrimReport") -> str:
    """`12 invocations (40 events, 18.2 kB) of 3 sessions`."""
    from adksess.cli.render.text import counted, human_size

    return (
        f"{counted(report.invocations, 'invocation')} ({counted(report.events, 'event')}, "
        f"{human_size(max(0, report.freed_bytes))}) of {counted(report.sessions, 'session')}"
    )


def _print_not_trimmed(report: "TrimReport") -> None:
    from adksess.cli.render.console import message, stderr

    for ref, reason in report.failed[:_MAX_NAMED]:
        stderr().print(message("warning", f"{ref.path} was not trimmed: {reason}."))
    if more := len(report.failed[_MAX_NAMED:]):
        stderr().print(message("warning", f"{more:,} more were not trimmed."))
    for ref in report.used[:_MAX_NAMED]:
        stderr().print(message("note", f"{ref.path} was not trimmed: it was used meanwhile."))
    if more := len(report.used[_MAX_NAMED:]):
        stderr().print(message("note", f"{more:,} more were used meanwhile and not trimmed."))
