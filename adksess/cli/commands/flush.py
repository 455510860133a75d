"""`adksess flush`: delete every session, and no other key."""

from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import ChangeOptions, FilterOptions

_COUNT_TYPED = 1_000
"""Sessions above which their number has to be typed."""


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
    change: ChangeOptions,
    connection: ConnectionOptions,
) -> None:
    """Delete all sessions under the prefix, or by filter. Asks first.

    Never empties the database: other keys are kept. It can be interrupted and repeated.
    """
    from adksess.cli.commands.deletion import DeletionOptions, delete_sessions, purge_sessions
    from adksess.cli.prompts import confirm
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Selection, explain_if_empty

    settings = connection.settings()
    selection = Selection.from_options(None, filters, all_if_none=True)
    chosen = selection.filters
    if state and chosen.on_time:
        raise UsageProblem(
            "--state can be combined with --app and --user only: state has no age. Flush the "
            "sessions first, then the state."
        )
    target = connection.target(settings)
    if change.yes and not change.dry_run and not chosen.on_time:
        confirm("delete all sessions", change, target)
        purge_sessions(settings, chosen, change, state=state)
        return
    selected = with_store(settings, selection.resolve)
    explain_if_empty(settings, selection, selected, quiet=change.quiet)
    count = len(selected.sessions)
    delete_sessions(
        settings,
        DeletionOptions(
            sessions=selected.sessions,
            unreadable=selected.unreadable,
            states=chosen.owners if state else [],
            unchanged_only=chosen.on_time,
            words=chosen.words,
        ),
        change,
        target,
        count=count if not chosen.given or count > _COUNT_TYPED else None,
    )
