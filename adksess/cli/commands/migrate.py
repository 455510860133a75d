"""`adksess migrate`: sessions from other tools and databases, or out to them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import DryRunOption, OneAppOption, QuietOption
from adksess.cli.render.styles import MUTED

if TYPE_CHECKING:
    from adksess.adk.migrate import MigrateOptions
    from adksess.store.settings import Settings
    from adksess.transfer.migration import MigrationReport


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
            help="The source: a Redis URL, in which every known layout is looked for, or any "
            "--session_service_uri of ADK (sqlite:///file.db, postgresql+asyncpg://…).",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URI",
            help="The target: a Redis URL, or any --session_service_uri of ADK.",
            show_default="--redis-url",
        ),
    ] = None,
    app: OneAppOption = None,
    layout: Annotated[
        LayoutName | None,
        typer.Option(
            "--layout",
            metavar="LAYOUT",
            help="Only sessions of this layout: adk, community, session-services, blob or adksess.",
            show_default=False,
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="DURATION",
            help="Let every session expire in 2h, 7d from now, or never (0), instead of keeping "
            "its expiry.",
            show_default=False,
        ),
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="List what the source holds, and write nothing.")
    ] = False,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
    connection: ConnectionOptions,
) -> None:
    """Migrate sessions from or to other ADK session services.

    Each session is read back and compared, event by event. The source is not changed; only
    documents of another tool at the keys of adksess are converted in place. Can be interrupted
    and repeated.
    """
    own = connection.settings()
    if detect:
        if target is not None or ttl is not None:
            raise UsageProblem("--detect reads --from and writes nothing: omit --to and --ttl.")
        _detect(_place(source, own), app)
        return
    if source is None and target is None:
        raise UsageProblem(
            "Name the source: --from redis://…, --from sqlite:///sessions.db; or, to migrate "
            "sessions out of Redis, the target: --to URI. --detect lists what a source holds."
        )
    options = _options(source, target, own, app, layout, ttl, dry_run=dry_run)
    report = _migrate(options)
    _print_problems(report)
    if not quiet:
        _print_report(report, dry_run=dry_run, is_service=isinstance(options.target, str))
    if report.failed:
        raise typer.Exit(ExitCode.FAILED)


def _options(
    source: str | None,
    target: str | None,
    own: "Settings",
    app: str | None,
    layout: LayoutName | None,
    ttl: str | None,
    *,
    dry_run: bool,
) -> "MigrateOptions":
    """Check that source and target fit together. Raises UsageProblem."""
    from adksess.adk.migrate import MigrateOptions
    from adksess.store.durations import parse_duration
    from adksess.transfer.redis_source import is_same_place

    options = MigrateOptions(
        _place(source, own),
        _place(target, own),
        app=app,
        layout=None if layout is None else layout.value,
        ttl=None if ttl is None else parse_duration(ttl),
        dry_run=dry_run,
        only_own=source is None,
    )
    if isinstance(options.target, str) and ttl is not None:
        raise UsageProblem("--ttl is for a target in Redis: databases have no expiry.")
    if source is None and is_same_place(options.source, options.target):
        raise UsageProblem("--to is the Redis that the sessions are in already: name another.")
    return options


def _place(uri: str | None, own: "Settings") -> "Settings | str":
    """Return a Redis, as settings, or the URI of a session service of ADK."""
    from urllib.parse import urlsplit

    from adksess.store.settings import SCHEMES, Settings

    if uri is None:
        return own
    if urlsplit(uri).scheme in SCHEMES:
        return Settings.parse(uri)
    if "://" not in uri and Path(uri).is_file():
        return f"sqlite:///{uri}"
    if "://" not in uri:
        raise UsageProblem(
            "That is neither a URI nor a file: write redis://host:6379/0, sqlite:///sessions.db "
            "or postgresql+asyncpg://user:password@host/database."
        )
    return uri


def _migrate(options: "MigrateOptions") -> "MigrationReport":
    import asyncio

    from adksess.adk.migrate import migrate as run
    from adksess.adk.other_services import NoApps
    from adksess.cli.render.progress import ProgressBar

    try:
        return asyncio.run(run(options, ProgressBar))
    except NoApps as exc:
        raise UsageProblem(str(exc)) from None


def _detect(place: "Settings | str", app: str | None) -> None:
    """Print what a place holds, by the layout of the tool that wrote it."""
    import asyncio

    from adksess.adk.migrate import detect
    from adksess.cli.render.console import stderr, stdout
    from adksess.cli.render.progress import ProgressBar

    layouts = asyncio.run(detect(place, app, ProgressBar))
    if not layouts:
        stdout().print("No sessions of any layout that adksess knows.")
        return
    _print_layouts(layouts)
    where = "URI" if isinstance(place, str) else place.redacted
    if any(name != LayoutName.ADKSESS for name, _, _ in layouts):
        stderr().print(
            f"Migrate them with adksess migrate --from {where}; --dry-run tries it.",
            style=MUTED,
            markup=False,
        )


def _print_layouts(layouts: "list[tuple[str, str, MigrationReport]]") -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import print_table
    from adksess.cli.render.text import safe_text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("LAYOUT", "WRITTEN BY", "APPS"):
        table.add_column(name, overflow="fold")
    for name in ("SESSIONS", "EVENTS", "UNUSABLE"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, title, report in layouts:
        table.add_row(
            name,
            title,
            Text(safe_text(", ".join(sorted(report.apps)))),
            f"{report.sessions:,}",
            f"{report.events:,}",
            f"{report.failed:,}",
        )
    print_table(table)


def _print_problems(report: "MigrationReport") -> None:
    from adksess.cli.render.console import message, stderr

    console = stderr()
    for problem in report.problems:
        console.print(message("error", f"{problem.name} was not migrated: {problem.reason}."))
    if more := report.failed - len(report.problems):
        console.print(message("error", f"{more:,} more were not migrated."))


def _print_report(report: "MigrationReport", *, dry_run: bool, is_service: bool) -> None:
    from adksess.cli.render.console import stderr, stdout
    from adksess.cli.render.text import counted
    from adksess.transfer.migration import Outcome

    console = stderr()
    copied, converted = report.outcomes[Outcome.COPIED], report.outcomes[Outcome.CONVERTED]
    verb = "Would migrate" if dry_run else "Migrated"
    sessions, events = counted(copied + converted, "session"), counted(report.events, "event")
    parts = [f"{verb} {sessions} with {events}"]
    if report.state_values or not is_service:  # a service of ADK takes most from the events
        parts.append(counted(report.state_values, "state value"))
    for number, text in (
        (converted, "converted in place"),
        (report.outcomes[Outcome.EXISTS], "unchanged"),
        (report.failed, "failed"),
    ):
        if number:
            parts.append(f"{number:,} {text}")
    stdout().print(", ".join(parts) + ".", markup=False)
    if is_service and copied:
        console.print("They do not expire there: databases have no expiry.", style=MUTED)
    elif (copied or converted) and not dry_run:
        unchanged = "Nothing else in the source was" if converted else "The source was not"
        console.print(f"{unchanged} changed. See the sessions with adksess list", style=MUTED)
