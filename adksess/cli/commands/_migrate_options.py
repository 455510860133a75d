"""`adksess migrate`: take over sessions from other tools and databases, or move out again."""

from enum import StrEnum
from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import ConnectionOptions, DryRunOption, OneAppOption


class LayoutName(StrEnum):
    """The layouts in Redis that `migrate` reads."""

    ADK = "adk"
    COMMUNITY = "community"
    SESSION_SERVICES = "session-services"
    BLOB = "blob"
    ADKSESS = "adksess"


@command(
    "adksess migrate --detect",
    "adksess migrate --from sqlite:///sessions.db --dry-run",
)
def migrate(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URI",
            help="Where the sessions are: a Redis URL, in which every known layout is looked for, "
            "or whatever ADK takes as --session_service_uri (sqlite:///file.db, "
            "postgresql+asyncpg://…).",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URI",
            help="Where they go: a Redis URL, or whatever ADK takes as --session_service_uri.",
            show_default="--redis-url",
        ),
    ] = None,
    app: OneAppOption = None,
    layout: Annotated[
        LayoutName | None,
        typer.Option("--layout", help="Only sessions of this layout.", show_default=False),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="DURATION",
            help="Let every session expire in 2h, 7d from now, or never (0), instead of when it "
            "does in the source.",
            show_default=False,
        ),
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="Say what is there, and do nothing.")
    ] = False,
    dry_run: DryRunOption = False,
    connection: ConnectionOptions,
) -> None:
    """Migrate sessions from or to other ADK session services.

    The source is left as it is; each session is read back and compared, event by event. Where
    another tool uses the keys that adksess uses, its documents are laid out anew in place. It may
    be interrupted and repeated.
    """
    from adksess.cli.commands.migrate import MigrateOptions, detect_in, migrate_sessions
    from adksess.cli.runner import settings_from
    from adksess.store.durations import parse_duration

    own = settings_from(connection)
    if detect:
        if target is not None or ttl is not None:
            raise UsageProblem("--detect looks at --from and writes nothing: leave the rest out.")
        detect_in(source, own, app)
        return
    if source is None and target is None:
        raise UsageProblem(
            "Say where the sessions come from: --from redis://…, --from sqlite:///sessions.db; "
            "or, to move out, where they go: --to URI. --detect looks for what is there."
        )
    migration = MigrateOptions(
        source, target, own, app, layout, None if ttl is None else parse_duration(ttl), dry_run
    )
    if not migrate_sessions(migration):
        raise typer.Exit(ExitCode.FAILED)
