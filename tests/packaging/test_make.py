"""What `make` would do on a fresh clone. Nothing is installed: `make -n` prints the commands."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web import clean_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def plan(clone: Path, *words: str, programs: tuple[str, ...] = ()) -> str:
    """The commands of `make WORDS`; `programs` are on the PATH with the system's own."""
    folder = clone / "programs"
    folder.mkdir(exist_ok=True)
    for name in ("python3.11", *programs):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    without_uv = [] if "uv" in programs else ["UV="]
    return subprocess.run(
        ["make", "-n", *words, *without_uv],
        cwd=clone,
        env=clean_environment(clone) | {"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_serve_installs_what_the_demo_needs_and_nothing_else(clone: Path) -> None:
    commands = plan(clone, "serve")
    assert "python3.11 -m venv .venv" in commands
    assert "pip install" in commands
    assert "--editable '.[embedded]'" in commands
    assert "[dev]" not in commands
    assert commands.rstrip().endswith("adksess serve --demo")


def test_serve_takes_a_port(clone: Path) -> None:
    assert plan(clone, "serve", "PORT=8001").rstrip().endswith("serve --demo --port 8001")


@pytest.mark.parametrize("target", ["test", "lint", "format", "bench", "test-matrix"])
def test_all_other_targets_install_the_development_tools_once(clone: Path, target: str) -> None:
    assert plan(clone, target).count("--editable '.[dev]'") == 1


def test_an_environment_for_development_serves_the_demo(clone: Path) -> None:
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for path in (programs / "python", clone / ".venv" / ".ready", clone / ".venv" / ".demo"):
        path.touch()
    for target in ("serve", "test"):
        assert "install" not in plan(clone, target)


def test_uv_is_used_where_there_is_one(clone: Path) -> None:
    for target in ("serve", "test"):
        commands = plan(clone, target, programs=("uv",))
        assert "uv venv" in commands
        assert "uv pip install" in commands
        assert "-m pip" not in commands
        assert "-m venv" not in commands
