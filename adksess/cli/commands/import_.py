"""`adksess import`: put back what `adksess export` wrote."""

from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import ConnectionOptions, DryRunOption
from adksess.transfer.import_options import ImportOptions, OnConflict


@command(
    "adksess import sessions.ndjson.gz --dry-run",
    "adksess import sessions.ndjson.gz --on-conflict skip",
)
def import_sessions(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file of adksess export, compressed or not; - reads stdin."
        ),
    ],
    *,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            "--on-conflict",
            help="Where a session is there with other content: keep that one, replace it, or "
            "write nothing at all.",
        ),
    ] = OnConflict.SKIP,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="DURATION",
            help="Let every session expire in 15m, 2h, 7d from now, or never (0), instead of when "
            "it did.",
        ),
    ] = None,
    rename_app: Annotated[
        list[str] | None,
        typer.Option(
            "--rename-app", metavar="OLD=NEW", help="Import an app under another name; repeatable."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    connection: ConnectionOptions,
) -> None:
    """Import sessions and state. Every line is checked before it is written.

    It may be interrupted and repeated: what is there already, unchanged, is left as it is.
    """
    from adksess.cli.commands._backups import import_from
    from adksess.cli.runner import settings_from
    from adksess.store.durations import parse_duration

    plan = ImportOptions(
        on_conflict=on_conflict,
        ttl=None if ttl is None else parse_duration(ttl),
        rename_apps=dict(_renaming(word) for word in rename_app or []),
        dry_run=dry_run,
    )
    if not import_from(file, settings_from(connection), plan):
        raise typer.Exit(ExitCode.FAILED)


def _renaming(word: str) -> tuple[str, str]:
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise UsageProblem(f"--rename-app {word!r} is not of the form OLD=NEW.")
    return old, new
