"""The sdist, and the wheel built from it, installed and run."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.web import WebServer, adksess, clean_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built only from it."""
    folder = tmp_path_factory.mktemp("dist")
    # The build backend of the development environment, so that no network is needed.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def sources(folder: str) -> set[str]:
    """The files of a folder of the project, by their path in it."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in (".py", ".lua", ".typed", ".bash", ".zsh", ".fish")
    }


def test_the_wheel_has_only_the_package(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = message_from_bytes(
            wheel.read(next(name for name in wheel.namelist() if name.endswith("/METADATA")))
        )
    assert names == sources("adksess")
    assert names >= {
        "adksess/py.typed",
        "adksess/store/lua/append_event.lua",
        "adksess/cli/shell/adksess.zsh",
        "adksess/demo/agents/remember/agent.py",
    }
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "embedded" in metadata.get_all("Provides-Extra", [])
    needed = {line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {line.split("<")[0].split(">")[0] for line in needed} == {
        *("google-adk", "redis[hiredis]", "rich", "typer")
    }


def test_the_sdist_holds_what_building_and_testing_take(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= sources("adksess") | sources("tests")
    assert names >= {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "Makefile",
        ".github/docs/commands.md",
    }
    assert not {name for name in names if name.startswith((".venv", ".git/", ".adksess"))}


@pytest.fixture
def installed(dist: Path, tmp_path: Path) -> Path:
    """The `bin` of an environment with the wheel in it.

    What the wheel depends on comes from this environment: installing ADK again takes a minute.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"
    wheel = next(dist.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return programs


@pytest.mark.web
def test_the_installed_wheel_runs(installed: Path, tmp_path: Path) -> None:
    def out(*command: str | Path) -> str:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    program, python = installed / "adksess", installed / "python"
    where = out(python, "-c", "import adksess; print(adksess.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path), "not the project's own folder"
    version = out(program, "--version")
    assert version.startswith("adksess ")
    assert version == out(python, "-m", "adksess", "--version")
    assert "--watch" in out(program, "list", "--help")

    serve = [str(python), *adksess("serve", "--demo", default_port=free_port())[1:]]
    with WebServer(serve, tmp_path) as web:
        web.create("s1")
        assert "Nice to meet you, Ada" in web.say("my name is Ada", "s1")
        assert (tmp_path / ".adksess" / "appendonlydir").is_dir()
