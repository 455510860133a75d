"""`adksess delete`: remove sessions, and with them nothing that other sessions need."""

from typing import Annotated

import typer

from adksess.cli.errors import ExitCode, UsageProblem
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


def delete(
    ids: IdsArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    with_user_state: Annotated[
        bool,
        typer.Option(
            "--with-user-state",
            help="Also delete the `user:` state of the users concerned, as an erasure request "
            "asks. Artifacts and memory are kept elsewhere and stay.",
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete sessions: those named, or those that the filters select. Asks first."""
    from adksess.cli.commands.deletion import Deletion, erase, report_missing
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Filters, choose, names_from, require_choice

    settings = settings_from(redis_url, prefix=prefix)
    filters = Filters.parse(app, user, since, idle, no_ttl)
    require_choice(ids, filters, all_if_none=False)
    if with_user_state and user is None and filters.given:
        raise UsageProblem("--with-user-state needs to know whose: add --user.")
    names, exact = names_from(ids), "-" in (ids or ())
    if ids and not names:
        return  # an empty list was piped in: there is nothing to do
    chosen = with_store(settings, lambda store: choose(store, names, filters, exact=exact))
    users: set[tuple[str | None, str | None]]
    users = {(s.ref.app_name, s.ref.user_id) for s in chosen.sessions} if names else {(app, user)}
    erase(
        settings,
        Deletion(
            sessions=chosen.sessions,
            unreadable=[] if names else chosen.unreadable,
            states=sorted(users) if with_user_state else [],
        ),
        yes=yes,
        dry_run=dry_run,
    )
    if report_missing(chosen.missing):
        raise typer.Exit(ExitCode.NOT_FOUND)
