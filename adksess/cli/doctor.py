"""`adksess doctor`: what keeps sessions from being in Redis, and how to mend it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import typer
from rich.table import Table
from rich.text import Text

from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    AgentsDirArgument,
    OutputFormat,
    OutputOption,
    PrefixOption,
    RedisUrlOption,
    settings_from,
)
from adksess.cli.output import safe_text, stdout
from adksess.cli.run import with_store
from adksess.store.connection import Settings
from adksess.store.errors import ServerUnavailable
from adksess.store.records import ServerInfo

Status = Literal["ok", "warn", "fail"]

_MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "bold red"),
}


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` is what to do about it, empty when nothing is to be done."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def doctor(
    agents_dir: AgentsDirArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Check Redis, ADK and the way between them; with AGENTS_DIR, its services files too.

    Exits with 0 when nothing failed, 1 when a check failed, 4 when Redis cannot be used.
    """
    if agents_dir and not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}.")
    settings = settings_from(redis_url, prefix=prefix)
    redis = list(_check_redis(settings))
    checks = [*redis, *_check_versions(), *_check_registry(settings)]
    if agents_dir:
        checks += _check_services(agents_dir.resolve(), settings)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        _print(checks)
    if redis[0].status == "fail":
        raise typer.Exit(ExitCode.UNREACHABLE)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(ExitCode.FAILED)


def _check_redis(settings: Settings) -> Iterator[Check]:
    try:
        info = with_store(settings, lambda store: store.check())
    except ServerUnavailable as exc:
        yield Check(
            "redis",
            "fail",
            str(exc),
            "No Redis at hand? adksess serve --demo brings an embedded one.",
        )
        return
    yield Check(
        "redis",
        "ok",
        f"{info.server} {info.version} at {settings.redacted} answers in {info.latency_ms:.1f} ms",
    )
    if info.role in ("slave", "replica"):
        yield Check(
            "role",
            "fail",
            "this server is a replica, which refuses writes",
            "Name the primary with --redis-url, or use redis+sentinel://.",
        )
    yield _check_persistence(info)
    yield _check_memory(info)


def _check_persistence(info: ServerInfo) -> Check:
    if "append-only" in info.persistence:
        return Check("persistence", "ok", info.persistence)
    return Check(
        "persistence",
        "warn",
        f"{info.persistence}: what came after the last snapshot is lost when the server stops",
        "Set appendonly yes in the server's configuration.",
    )


def _check_memory(info: ServerInfo) -> Check:
    policy = info.maxmemory_policy
    if info.maxmemory and policy not in ("noeviction", "unknown"):
        return Check(
            "memory",
            "warn",
            f"maxmemory-policy {policy}: the server deletes sessions when its memory is full",
            "Set maxmemory-policy noeviction, or give the sessions a Redis of their own.",
        )
    return Check("memory", "ok", f"no session is evicted (maxmemory-policy {policy})")


def _check_versions() -> Iterator[Check]:
    for name, package in (("adksess", "adksess"), ("adk", "google-adk"), ("redis-py", "redis")):
        yield Check(name, "ok", f"{package} {version(package)}")


def _check_registry(settings: Settings) -> Iterator[Check]:
    from adksess.adk.registry import look_up, register_services

    register_services()
    found = look_up(settings.uri)
    if found.is_ours:
        yield Check("registry", "ok", f"ADK creates {found.class_name} for {settings.redacted}")
    else:
        yield Check(
            "registry",
            "fail",
            f"ADK does not get adksess's service for {settings.redacted}: "
            f"{found.error or found.class_name}",
            "Install adksess and google-adk again, in one environment.",
        )


def _check_services(agents_dir: Path, settings: Settings) -> Iterator[Check]:
    from adksess.adk.registry import inspect_services

    # `adk web` loads the folder's own files, `adk run` those of the agent's folder.
    inner = (path.parent for path in sorted(agents_dir.glob("*/services.*")))
    for folder in dict.fromkeys([agents_dir, *inner]):
        report = inspect_services(folder, settings.uri)
        name = f"services in {folder.name}"
        yield from (
            Check(name, "fail", problem, f"Mend it in {folder}.") for problem in report.problems
        )
        if not report.registered.is_ours:
            found = report.registered.class_name or report.registered.error
            yield Check(
                name,
                "fail",
                f"after loading {' and '.join(report.files) or 'services'}, sessions at "
                f"{settings.redacted} do not go through adksess: {found}",
                f"Remove the registration of {settings.scheme}:// there.",
            )
        elif not report.problems:
            files = " and ".join(report.files)
            yield Check(
                name, "ok", f"{files} loaded" if files else "no services.py, and none is needed"
            )


def _print(checks: list[Check]) -> None:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for check in checks:
        rows.add_row(
            Text(*_MARKS[check.status]),
            Text(safe_text(check.name), style="bold"),
            Text(safe_text(check.detail)),
        )
        if check.remedy:
            rows.add_row("", "", Text(f"→ {safe_text(check.remedy)}", style="cyan"))
    stdout().print(rows)
