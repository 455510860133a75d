"""`adksess flush`: delete every session, and no other key."""

from typing import Annotated

import typer

from adksess.cli.errors import UsageProblem
from adksess.cli.options import (
    AppOption,
    DryRunOption,
    IdleOption,
    NoTtlOption,
    PrefixOption,
    RedisUrlOption,
    SinceOption,
    UserOption,
    YesOption,
    settings_from,
)


def flush(
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    state: Annotated[
        bool, typer.Option("--state", help="Also delete `app:` and `user:` state.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete all sessions under the prefix, or those that the filters select. Asks first.

    Never empties the database: keys that are not sessions stay. It may be interrupted and
    repeated.
    """
    from adksess.cli.commands.deletion import Deletion, erase, purge
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Filters, by_filter

    settings = settings_from(redis_url, prefix=prefix)
    filters = Filters.parse(app, user, since, idle, no_ttl)
    if state and filters.on_time:
        raise UsageProblem(
            "--state cannot be combined with --since, --idle or --no-ttl: state has no age. "
            "Flush the sessions first, then the state with --app or --user."
        )
    if yes and not dry_run and not filters.on_time:
        purge(settings, app, user, state=state)
        return
    chosen = with_store(settings, lambda store: by_filter(store, filters))
    erase(
        settings,
        Deletion(chosen.sessions, chosen.unreadable, [(app, user)] if state else []),
        yes=yes,
        dry_run=dry_run,
    )
