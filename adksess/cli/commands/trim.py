"""`adksess trim`: drop old invocations from long sessions."""

from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.errors import ExitCode
from adksess.cli.options import (
    AppOption,
    DryRunOption,
    IdleOption,
    IdsArgument,
    NoTtlOption,
    PrefixOption,
    RedisUrlOption,
    SinceOption,
    UserOption,
    YesOption,
    settings_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.transfer.trim import TrimReport

_MAX_NAMED = 5


def trim(
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
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Drop old invocations from sessions: those named, or those that the filters select.

    State, expiry and summaries are kept, and no tool call is separated from its response. Asks
    for confirmation.
    """
    from adksess.cli.commands.deletion import report_missing
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Filters, choose, names_from, require_choice

    settings = settings_from(redis_url, prefix=prefix)
    filters = Filters.parse(app, user, since, idle, no_ttl)
    require_choice(ids, filters, all_if_none=False)
    names, exact = names_from(ids), "-" in (ids or ())
    if ids and not names:
        return
    chosen = with_store(settings, lambda store: choose(store, names, filters, exact=exact))
    report = _trim(settings, chosen.sessions, keep_last, yes=yes, dry_run=dry_run)
    _print_kept(report)
    if report_missing(chosen.missing):
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.kept:
        raise typer.Exit(ExitCode.FAILED)


def _trim(
    settings: "Settings",
    sessions: "Sequence[SessionSummary]",
    keep_last: int,
    *,
    yes: bool,
    dry_run: bool,
) -> "TrimReport":
    """Confirm, trim, and print on stdout what was dropped."""
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout

    console = stdout()
    if dry_run or not yes:
        plan = _run(settings, sessions, keep_last, dry_run=True)
        if dry_run or not plan.sessions:
            text = f"Would drop {_describe(plan)}." if plan.sessions else "Nothing to drop."
            console.print(text, markup=False)
            return plan
        confirm(f"drop {_describe(plan)} in {settings.redacted}", yes=yes)
    report = _run(settings, sessions, keep_last, dry_run=False)
    console.print(
        f"Dropped {_describe(report)}." if report.sessions else "Nothing to drop.", markup=False
    )
    return report


def _run(
    settings: "Settings", sessions: "Sequence[SessionSummary]", keep_last: int, *, dry_run: bool
) -> "TrimReport":
    from adksess.cli.render.progress import Meter
    from adksess.cli.runner import with_store
    from adksess.transfer.trim import trim_sessions

    with Meter("Reading sessions" if dry_run else "Trimming sessions", len(sessions)) as meter:
        return with_store(
            settings,
            lambda store: trim_sessions(
                store, sessions, keep_last, dry_run=dry_run, advance=meter.advance
            ),
        )


def _describe(report: "TrimReport") -> str:
    """`12 invocations (40 events, 18.2 kB) of 3 sessions`."""
    from adksess.cli.render.text import counted, human_size

    return (
        f"{counted(report.invocations, 'invocation')} ({counted(report.events, 'event')}, "
        f"{human_size(max(0, report.freed_bytes))}) of {counted(report.sessions, 'session')}"
    )


def _print_kept(report: "TrimReport") -> None:
    from adksess.cli.render.console import message, stderr

    for ref, reason in report.kept[:_MAX_NAMED]:
        stderr().print(message("warning", f"{ref.path} was not trimmed: {reason}."))
    if more := len(report.kept[_MAX_NAMED:]):
        stderr().print(message("warning", f"{more:,} more were not trimmed."))
