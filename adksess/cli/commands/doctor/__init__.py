"""`adksess doctor`: find what keeps sessions from being stored in Redis, and say how to fix it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import AgentsDirArgument, OutputFormat, OutputOption
from adksess.cli.render.styles import ERROR, GOOD, ID, WARNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.cli.commands.doctor.checks import Check

_MARKS = {"ok": ("ok", GOOD), "warn": ("warn", WARNING), "fail": ("FAIL", f"bold {ERROR}")}


@command(
    "adksess doctor",
    "adksess doctor agents -r redis://db.internal:6379/0",
    "adksess doctor --quick",
    "adksess doctor --fix",
)
def doctor(
    agents_dir: AgentsDirArgument = None,
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Add missing index entries and remove stale ones."),
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Check every session and index entry, not a sample."),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Write nothing, skip ADK: for a health check."),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Diagnose Redis, ADK and the registration.

    With AGENTS_DIR, its service files are checked too. On more than 10,000 keys a sample of
    sessions and index entries is checked, unless --full or --fix asks for all. Exits with 0
    when no check failed, 1 when one failed, 4 when Redis cannot be used.
    """
    if agents_dir and not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}.")
    if quick and (fix or full or agents_dir):
        raise UsageProblem("--quick checks a sample: leave out --fix, --full and AGENTS_DIR.")
    from dataclasses import asdict

    from adksess.cli.commands.doctor import checks
    from adksess.cli.render.json_output import write_json

    settings = connection.settings()
    results = checks.check_redis(settings)
    is_reachable = results[0].status != "fail"
    results.insert(0, checks.check_connection(settings, connection.origins()))
    if is_reachable:
        if not quick:
            results.append(_adk_checks().check_probe(settings))
        results += checks.check_sessions(settings, full=full, fix=fix)
    if not quick:
        results += [*_adk_checks().check_versions(), _adk_checks().check_registry(settings)]
        if agents_dir:
            results += _adk_checks().check_folder(agents_dir.resolve(), settings)
    if output is OutputFormat.JSON:
        write_json([asdict(check) for check in results])
    else:
        _print(results)
    if not is_reachable:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if any(check.status == "fail" for check in results):
        raise typer.Exit(ExitCode.FAILED)


def _adk_checks() -> Any:
    """The checks that import google.adk, which takes a second: --quick skips them."""
    from adksess.cli.commands.doctor import adk_checks

    return adk_checks


def _print(results: "Sequence[Check]") -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import print_table
    from adksess.cli.render.text import safe_text

    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for check in results:
        rows.add_row(
            Text(*_MARKS[check.status]),
            Text(safe_text(check.name), style="bold"),
            Text(safe_text(check.detail)),
        )
        if check.remedy:
            rows.add_row("", "", Text(f"→ {safe_text(check.remedy)}", style=ID))
    print_table(rows, least=20)
