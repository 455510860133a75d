"""`adksess delete`: delete sessions that are named or filtered."""

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    ChangeOptions,
    FilterOptions,
    IdsArgument,
)

if TYPE_CHECKING:
    from adksess.cli.commands.deletion import DeletionReport
    from adksess.cli.filters import Filters
    from adksess.cli.selection import Selection
    from adksess.store.settings import Settings
    from adksess.transfer.erasure import Remainder


@command(
    "adksess delete 8e42",
    "adksess delete --idle 90d --yes",
    "adksess list --app demo -o ids -n 0 | adksess delete - --yes",
    "adksess delete --app demo --idle 90d --backup old.ndjson.gz",
    "adksess delete --user ada --all-apps --with-user-state --report ada.json",
)
def delete(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
    with_user_state: Annotated[
        bool,
        typer.Option(
            "--with-user-state",
            help="Also delete the `user:` state of these users, for erasure requests. Artifacts "
            "and memory are stored by other services and are kept.",
        ),
    ] = False,
    all_apps: Annotated[
        bool, typer.Option("--all-apps", help="Say that --user means the user in every app.")
    ] = False,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--backup",
            metavar="FILE",
            help="First export what will be deleted to a new file, and delete only what is in it.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write what was deleted and what is left as JSON: the answer to an erasure "
            "request of --user. Exit code 1 if anything is left.",
            show_default=False,
        ),
    ] = None,
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Delete sessions by id or by filter. Asks first."""
    from adksess.cli.commands.deletion import DeletionOptions, delete_sessions
    from adksess.cli.selection import Selection, explain_if_empty, select
    from adksess.transfer.files import output_file

    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    _check_options(selection, report, backup, with_user_state=with_user_state, all_apps=all_apps)
    if selection.is_empty:
        return
    by_filter, chosen = selection.names is None, selection.filters
    started = time()
    selected = select(settings, selection)
    explain_if_empty(settings, selection, selected, quiet=change.quiet)
    users: list[tuple[str | None, str | None]]
    users = (
        chosen.owners
        if by_filter and not chosen.on_time
        else sorted({(s.ref.app_name, s.ref.user_id) for s in selected.sessions})
    )
    options = DeletionOptions(
        sessions=selected.sessions,
        unreadable=selected.unreadable if by_filter else [],
        states=users if with_user_state else [],
        unchanged_only=chosen.on_time,
        words=chosen.words,
        backup=backup,
    )
    target = connection.target(settings)
    if report is None or change.dry_run:
        delete_sessions(settings, options, change, target)
    else:
        with output_file(report) as file:  # opened first: nothing is deleted if that fails
            deleted = delete_sessions(settings, options, change, target)
            left = _write_report(file, settings, chosen, deleted, started)
        _check_remainder(left, report)
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)


def _check_options(
    selection: "Selection",
    report: Path | None,
    backup: Path | None,
    *,
    with_user_state: bool,
    all_apps: bool,
) -> None:
    """Raise UsageProblem for options that contradict the selection, and for an existing backup."""
    from adksess.cli.filters import Filters

    filters = selection.filters
    if with_user_state and selection.names is None and not filters.users:
        raise UsageProblem("--with-user-state needs a user: add --user.")
    if all_apps and (filters.apps or not filters.users):
        raise UsageProblem("--all-apps needs --user, and excludes --app.")
    if report is not None and (
        not filters.users or filters != Filters(filters.apps, filters.users)
    ):
        raise UsageProblem("--report is about users: select with --user, and --app or --all-apps.")
    if backup is not None and backup.exists():
        raise UsageProblem(f"{backup} exists, and a backup is never overwritten: name a new file.")


def _write_report(
    file: BinaryIO,
    settings: "Settings",
    filters: "Filters",
    deleted: "DeletionReport",
    started: float,
) -> "Remainder":
    """Write the report as JSON, and return what is left of the users."""
    from adksess.cli.runner import with_store
    from adksess.store.document import iso_time, json_bytes
    from adksess.transfer.erasure import NOT_COVERED, remainder

    left = with_store(settings, lambda store: remainder(store, filters.owners))
    value = {
        "user_ids": filters.users,
        "app_names": filters.apps or None,
        "redis_url": settings.redacted,
        "prefix": settings.prefix,
        "started_at": iso_time(started),
        "finished_at": iso_time(time()),
        "sessions_deleted": deleted.sessions,
        "size_bytes_deleted": deleted.size_bytes,
        "state_hashes_deleted": deleted.states,
        "sessions_left": [ref._asdict() for ref in left.sessions],
        "user_states_left": [user._asdict() for user in left.states],
        "is_complete": left.is_empty,
        "not_covered": NOT_COVERED,
    }
    file.write(json_bytes(value, indent=2) + b"\n")
    return left


def _check_remainder(left: "Remainder", path: Path) -> None:
    """Fail if anything of the users is left."""
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.text import counted

    if not left.is_empty:
        stderr().print(
            message(
                "error",
                f"{counted(len(left.sessions), 'session')} and the state of "
                f"{counted(len(left.states), 'user')} are left: {path} names them.",
            )
        )
        raise typer.Exit(ExitCode.FAILED)
