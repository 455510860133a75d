"""`adksess export`: sessions as lines of JSON, all that is needed to put them back."""

from pathlib import Path
from typing import Annotated

import typer

from adksess.cli.options import (
    AppOption,
    IdleOption,
    IdsArgument,
    NoTtlOption,
    PrefixOption,
    RedisUrlOption,
    SinceOption,
    UserOption,
    settings_from,
)


def export(
    ids: IdsArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write to a file, compressed if its name ends in .gz. It appears when it is "
            "complete, and replaces one of that name.",
            show_default="stdout",
        ),
    ] = None,
) -> None:
    """Write sessions, with the state of their apps and users, as NDJSON: a line for each.

    Everything, unless ids or filters choose. `adksess import` puts it back.
    """
    from adksess.cli.commands._backups import export_to
    from adksess.cli.selection import Filters, names_from, require_choice

    settings = settings_from(redis_url, prefix=prefix)
    filters = Filters.parse(app, user, since, idle, no_ttl)
    require_choice(ids, filters, all_if_none=True)
    export_to(out, settings, filters, names_from(ids) if ids else None)
