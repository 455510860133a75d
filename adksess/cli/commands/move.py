"""`adksess move`: move sessions to another user, such as from an anonymous one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import ChangeOptions, FilterOptions, IdsArgument

if TYPE_CHECKING:
    from adksess.cli.prompts import Target
    from adksess.store.keys import SessionRef
    from adksess.store.settings import Settings
    from adksess.transfer.move import MoveOptions, MoveReport

_MAX_NAMED = 5


@command(
    "adksess move 8e42 --to-user ada",
    "adksess move --app demo --user anonymous-17 --to-user ada --with-user-state --yes",
)
def move(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
    to_user: Annotated[
        str,
        typer.Option(
            "--to-user", metavar="USER", help="The new user of the sessions.", show_default=False
        ),
    ],
    with_user_state: Annotated[
        bool,
        typer.Option(
            "--with-user-state",
            help="Also copy the `user:` state of the former users. Existing values are kept.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing values of `user:` state.")
    ] = False,
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Move sessions to another user of their app. Asks first.

    Expiry and history are kept. The `user:` state of the former users is not deleted.
    """
    from adksess.cli.selection import Selection, explain_if_empty, select, warn_of
    from adksess.transfer.move import MoveOptions

    if not to_user.strip():
        raise UsageProblem("--to-user is empty: name the new user of the sessions.")
    if overwrite and not with_user_state:
        raise UsageProblem("--overwrite is for --with-user-state: add that, or omit --overwrite.")
    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    if selection.is_empty:
        return
    selected = select(settings, selection)
    explain_if_empty(settings, selection, selected, quiet=change.quiet)
    warn_of(selected.unreadable)
    refs = [session.ref for session in selected.sessions if session.tail]
    options = MoveOptions(to_user, with_user_state, overwrite, change.dry_run)
    report = _move(settings, refs, options, change, connection.target(settings))
    for ref, reason in report.failed[:_MAX_NAMED]:
        _print_error(f"{ref.path} was not moved: {reason}.")
    if more := len(report.failed[_MAX_NAMED:]):
        _print_error(f"{more:,} more were not moved.")
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.failed or selected.unreadable:
        raise typer.Exit(ExitCode.FAILED)


def _move(
    settings: "Settings",
    refs: "Sequence[SessionRef]",
    options: "MoveOptions",
    change: ChangeOptions,
    target: "Target",
) -> "MoveReport":
    """Confirm, move, and print on stdout what was moved."""
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text

    console = stdout()
    if options.dry_run or not change.yes:
        plan = _run(settings, refs, replace(options, dry_run=True))
        if options.dry_run or not plan.sessions:
            text = f"Would move {_describe(plan, options)}." if plan.sessions else _NOTHING
            if not change.quiet:
                console.print(safe_text(text), markup=False, soft_wrap=True)
            return plan
        confirm(f"move {_describe(plan, options)}", change, target)
    else:
        confirm(f"move sessions to user {options.user_id}", change, target)
    report = _run(settings, refs, options)
    text = f"Moved {_describe(report, options)}." if report.sessions else _NOTHING
    if not change.quiet:
        console.print(safe_text(text), markup=False, soft_wrap=True)
    return report


_NOTHING = "Nothing to move."


def _run(
    settings: "Settings", refs: "Sequence[SessionRef]", options: "MoveOptions"
) -> "MoveReport":
    from adksess.cli.render.progress import ProgressBar
    from adksess.cli.runner import with_store
    from adksess.transfer.move import move_sessions

    text = "Looking up sessions" if options.dry_run else "Moving sessions"
    with ProgressBar(text, len(refs), changes=not options.dry_run) as bar:
        return with_store(
            settings,
            lambda store: move_sessions(store, refs, options, advance=bar.advance),
        )


def _describe(report: "MoveReport", options: "MoveOptions") -> str:
    """`2 sessions to user ada, with 3 values of user: state (1 kept)`."""
    from adksess.cli.render.text import counted

    text = f"{counted(len(report.sessions), 'session')} to user {options.user_id}"
    if not options.with_user_state:
        return text
    values = counted(report.state_values, "value")
    kept = f" ({report.state_values_kept:,} kept)" if report.state_values_kept else ""
    return f"{text}, with {values} of user: state{kept}"


def _print_error(sentence: str) -> None:
    from adksess.cli.render.console import message, stderr

    stderr().print(message("error", sentence))
