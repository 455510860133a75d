"""`adksess doctor`: find what keeps sessions from being stored in Redis, and say how to fix it."""

from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import AgentsDirArgument, ConnectionOptions, OutputFormat, OutputOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.cli.commands.doctor.checks import Check

_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}


@command(
    "adksess doctor",
    "adksess doctor agents -r redis://db.internal:6379/0",
    "adksess doctor --fix",
)
def doctor(
    agents_dir: AgentsDirArgument = None,
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Add missing index entries and remove stale ones."),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Diagnose Redis, ADK and the registration.

    With AGENTS_DIR, its service files are checked too. Exits with 0 when no check failed, 1 when
    one failed, 4 when Redis cannot be used.
    """
    if agents_dir and not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}.")
    from dataclasses import asdict

    from adksess.cli.commands.doctor import checks
    from adksess.cli.render.json_output import write_json
    from adksess.cli.runner import settings_from

    settings = settings_from(connection)
    results = checks.check_redis(settings)
    is_reachable = results[0].status != "fail"
    if is_reachable:
        results += checks.check_sessions(settings, fix=fix)
    results += [*checks.check_versions(), checks.check_registry(settings)]
    if agents_dir:
        results += checks.check_folder(agents_dir.resolve(), settings)
    if output is OutputFormat.JSON:
        write_json([asdict(check) for check in results])
    else:
        _print(results)
    if not is_reachable:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if any(check.status == "fail" for check in results):
        raise typer.Exit(ExitCode.FAILED)


def _print(results: "Sequence[Check]") -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import stdout
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
            rows.add_row("", "", Text(f"→ {safe_text(check.remedy)}", style="cyan"))
    stdout().print(rows)
