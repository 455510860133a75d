"""`adksess delete`: delete sessions that are named or filtered."""

from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    ChangeOptions,
    FilterOptions,
    IdsArgument,
)


@command(
    "adksess delete 8e42",
    "adksess delete --idle 90d --yes",
    "adksess list --app demo -o ids -n 0 | adksess delete - --yes",
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
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Delete sessions by id or by filter. Asks first."""
    from adksess.cli.commands.deletion import DeletionOptions, delete_sessions
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection

    settings = connection.settings()
    selection = Selection.from_options(ids, filters, all_if_none=False)
    by_filter = selection.names is None
    if with_user_state and by_filter and not selection.filters.users:
        raise UsageProblem("--with-user-state needs to know whose: add --user.")
    if selection.is_empty:
        return
    selected = with_store(settings, selection.resolve)
    users: list[tuple[str | None, str | None]]
    users = (
        selection.filters.owners
        if by_filter
        else sorted({(s.ref.app_name, s.ref.user_id) for s in selected.sessions})
    )
    delete_sessions(
        settings,
        DeletionOptions(
            sessions=selected.sessions,
            unreadable=selected.unreadable if by_filter else [],
            states=users if with_user_state else [],
            unchanged_only=selection.filters.on_time,
            words=selection.filters.words,
        ),
        change,
        connection.target(settings),
    )
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
