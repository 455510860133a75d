"""`adksess export`: sessions as lines of JSON, all that is needed to put them back."""

from pathlib import Path
from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.options import ConnectionOptions, FilterOptions, IdsArgument


@command(
    "adksess export --out sessions.ndjson.gz",
    "adksess export 8e42 | jq .",
)
def export(
    ids: IdsArgument = None,
    *,
    filters: FilterOptions,
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
    connection: ConnectionOptions,
) -> None:
    """Export sessions and their state as NDJSON, one object per line.

    Exports everything, unless ids or filters select. `adksess import` restores it.
    """
    from adksess.cli.commands._backups import export_to
    from adksess.cli.runner import settings_from
    from adksess.cli.selection import Selection

    selection = Selection.from_options(ids, filters, all_if_none=True)
    export_to(out, settings_from(connection), selection)
