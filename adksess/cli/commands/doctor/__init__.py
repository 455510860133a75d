"""`adksess doctor`: what keeps sessions from being in Redis, and how to mend it."""

from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    AgentsDirArgument,
    OutputFormat,
    OutputOption,
    PrefixOption,
    RedisUrlOption,
    settings_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.cli.commands.doctor.checks import Check

_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "bold red")}


def doctor(
    agents_dir: AgentsDirArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Repair what is safe to repair: enter sessions that are missing from their "
            "user's list, drop entries whose session is gone.",
        ),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Check Redis, ADK and the way between them; with AGENTS_DIR, its services files too.

    Exits with 0 when nothing failed, 1 when a check failed, 4 when Redis cannot be used.
    """
    if agents_dir and not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}.")
    from dataclasses import asdict

    from adksess.cli.commands.doctor import checks
    from adksess.cli.render.json_output import write_json

    settings = settings_from(redis_url, prefix=prefix)
    found = checks.check_redis(settings)
    reachable = found[0].status != "fail"
    if reachable:
        found += checks.check_sessions(settings, fix=fix)
    found += [*checks.check_versions(), checks.check_registry(settings)]
    if agents_dir:
        found += checks.check_folder(agents_dir.resolve(), settings)
    if output is OutputFormat.JSON:
        write_json([asdict(check) for check in found])
    else:
        _print(found)
    if not reachable:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if any(check.status == "fail" for check in found):
        raise typer.Exit(ExitCode.FAILED)


def _print(found: "Sequence[Check]") -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text

    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for check in found:
        rows.add_row(
            Text(*_MARKS[check.status]),
            Text(safe_text(check.name), style="bold"),
            Text(safe_text(check.detail)),
        )
        if check.remedy:
            rows.add_row("", "", Text(f"→ {safe_text(check.remedy)}", style="cyan"))
    stdout().print(rows)
