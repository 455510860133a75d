"""`adksess trim`: keep the end of long histories."""

from typing import Annotated

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

    State, expiry and summaries stay, and no tool call is parted from its response. Asks first.
    """
    from adksess.cli.commands._trims import trim_sessions
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
    is_done = trim_sessions(settings, chosen, keep_last, yes=yes, dry_run=dry_run)
    if report_missing(chosen.missing):
        raise typer.Exit(ExitCode.NOT_FOUND)
    if not is_done:
        raise typer.Exit(ExitCode.FAILED)
