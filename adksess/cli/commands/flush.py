"""`adksess flush`: delete every session, and no other key."""

from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import DryRunOption, FilterOptions, YesOption


@command(
    "adksess flush --dry-run",
    "adksess flush --app demo --yes",
)
def flush(
    *,
    filters: FilterOptions,
    state: Annotated[
        bool, typer.Option("--state", help="Also delete `app:` and `user:` state.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    connection: ConnectionOptions,
) -> None:
    """Delete all sessions under the prefix, or by filter. Asks first.

    Never empties the database: other keys are kept. It can be interrupted and repeated.
    """
    from adksess.cli.commands.deletion import DeletionOptions, delete_sessions, purge_sessions
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection

    settings = connection.settings()
    selection = Selection.from_options(None, filters, all_if_none=True)
    chosen = selection.filters
    if state and chosen.on_time:
        raise UsageProblem(
            "--state cannot be combined with --since, --idle or --no-ttl: state has no age. "
            "Flush the sessions first, then the state with --app or --user."
        )
    if yes and not dry_run and not chosen.on_time:
        purge_sessions(settings, chosen.owners, state=state)
        return
    selected = with_store(settings, selection.resolve)
    delete_sessions(
        settings,
        DeletionOptions(
            sessions=selected.sessions,
            unreadable=selected.unreadable,
            states=chosen.owners if state else [],
            yes=yes,
            dry_run=dry_run,
        ),
    )
