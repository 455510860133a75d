"""`adksess init`: plain `adk web` and `adk run`, without adksess on the command line."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from adksess.cli.commands import init as init_module
from adksess.cli.commands.init import SERVICES
from adksess.demo import AGENTS_DIR
from tests.web import WebServer, adk, clean_environment

Cli = Callable[..., Any]


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "my agents"
    shutil.copytree(AGENTS_DIR, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_adk_loads_the_written_file(cli: Cli, agents: Path) -> None:
    result = cli("init", agents, "-r", "redis://ada:geheim@db:6379/0?prefix=p:")
    assert result.code == 0
    assert (agents / "services.py").read_text() == SERVICES
    assert not (agents / "remember" / "services.py").exists()
    uri = '"$ADKSESS_REDIS_URL"'
    assert "keep sessions in Redis, with ADKSESS_REDIS_URL set:" in result.out
    assert f"adk web --session_service_uri={uri} '{agents}'" in result.out
    assert "geheim" not in result.out + result.err
    assert "Dockerfile" in result.out
    assert '"--session_service_uri=redis://HOST:6379/0?prefix=p:"' in result.out
    again = cli("init", agents)
    assert (again.code, "registers adksess already" in again.err) == (0, True)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    cli: Cli, agents: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.chdir(agents.parent)
    monkeypatch.setattr(init_module, "install_source", lambda: None)
    result = cli("init", agents.name, "-r", "redis://db:6379/0?ttl=7d", columns=columns)
    assert (result.code, result.err) == (0, "")
    assert result.out == WHOLE_OUTPUT


WHOLE_OUTPUT = """\
Wrote my agents/services.py

Now ADK's own commands keep sessions in Redis:

  adk web --session_service_uri='redis://db:6379/0?ttl=604800' 'my agents'
  adk api_server --session_service_uri='redis://db:6379/0?ttl=604800' 'my agents'
  adk run --session_service_uri='redis://db:6379/0?ttl=604800' 'my agents/remember'   (needs adksess init --agent)

`adk web` and `adk api_server` read services.py in the folder they are given,
`adk run` in the agent's own folder.

In a container:

  requirements.txt:  adksess
  Dockerfile:        COPY 'my agents' /app/agents
                     CMD ["adk", "api_server", "--host=0.0.0.0", "--port=8080", \\
                          "--session_service_uri=redis://HOST:6379/0?ttl=604800", \\
                          "/app/agents"]
"""  # noqa: E501


def test_a_prefix_is_added_to_the_url_in_the_variable(cli: Cli, agents: Path) -> None:
    for url, uri in (
        ("redis://:geheim@db/0", '"$ADKSESS_REDIS_URL?prefix=a%24b:"'),
        ("redis://:geheim@db/0?ttl=7d&prefix=p:", '"$ADKSESS_REDIS_URL&prefix=a%24b:"'),
        ("redis://db/0?ttl=7d", "'redis://db/0?ttl=604800&prefix=a%24b:'"),
    ):
        result = cli("init", agents, "-r", url, "--prefix", "a$b:")
        assert f"adk web --session_service_uri={uri} " in result.out
        assert "geheim" not in result.out + result.err


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        (None, None),
        ({"url": "file:///home/ada/my%20adksess", "dir_info": {}}, "'/home/ada/my adksess'"),
        (
            {"url": "https://host/adksess.git", "vcs_info": {"vcs": "git", "commit_id": "e5a8"}},
            "git+https://host/adksess.git@e5a8",
        ),
        ({"url": "https://host/adksess.whl", "archive_info": {}}, "https://host/adksess.whl"),
    ],
)
def test_a_container_gets_the_adksess_that_is_installed(
    cli: Cli,
    agents: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: dict[str, Any] | None,
    source: str | None,
) -> None:
    class Installed:
        def read_text(self, _: str) -> str | None:
            return None if recorded is None else json.dumps(recorded)

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: Installed())
    out = cli("init", agents).out
    assert ("requirements.txt:  adksess" in out) is (source is None)
    assert ("RUN pip install /tmp/adksess-*.whl" in out) is (source is not None)
    if source:
        assert f"pip wheel --no-deps --wheel-dir wheels {source}\n" in out


def test_services_files_for_adk_run(cli: Cli, agents: Path) -> None:
    (agents / "no agent").mkdir()
    assert cli("init", agents, "--agent").code == 0
    written = sorted(agents.rglob("services.py"))
    assert written == [agents / "remember" / "services.py", agents / "services.py"]


@pytest.mark.parametrize("text", ["import my_own\n", "syntax error(\n", "# register_services()\n"])
def test_an_existing_file_is_never_overwritten(cli: Cli, agents: Path, text: str) -> None:
    path = agents / "services.py"
    path.write_text(text)
    result = cli("init", agents)
    assert (result.code, path.read_text()) == (1, text)
    assert "Now ADK's" not in result.out
    assert "With these lines, ADK's own commands keep sessions in Redis:" in result.out
    assert "from adksess import register_services" in result.err
    path.write_text(f"import adksess\n{text if 'import' in text else ''}\n")
    path.write_text(path.read_text() + "adksess.register_services()\n")
    assert cli("init", agents).code == 0


def test_a_services_package_takes_precedence(cli: Cli, agents: Path) -> None:
    (agents / "services").mkdir()
    (agents / "services" / "__init__.py").touch()
    result = cli("init", agents)
    assert (result.code, (agents / "services.py").exists()) == (1, False)
    assert "services/__init__.py" in result.err


def test_a_missing_folder(cli: Cli, tmp_path: Path) -> None:
    result = cli("init", tmp_path / "nowhere")
    assert (result.code, "There is no folder" in result.err) == (2, True)


@pytest.mark.web
def test_plain_adk_web(cli: Cli, agents: Path, tmp_path: Path, valkey_url: str) -> None:
    cli("init", agents)
    url = f"{valkey_url}?prefix=init-web:"
    command = adk("web", f"--session_service_uri={url}", str(agents))
    with WebServer(command, tmp_path) as web:
        web.create("s1")
        assert web.say("hello", "s1")
        assert web.ids() == ["s1"]
    with redis.Redis.from_url(valkey_url) as client:
        assert client.exists("init-web:session:remember:ada:s1")


@pytest.mark.web
def test_plain_adk_run(cli: Cli, agents: Path, tmp_path: Path, valkey_url: str) -> None:
    cli("init", agents, "--agent")
    url = f"{valkey_url}?prefix=init-run:"
    done = subprocess.run(
        adk("run", f"--session_service_uri={url}", str(agents / "remember")),
        input="hello\nexit\n",
        env=clean_environment(tmp_path) | {"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    with redis.Redis.from_url(valkey_url) as client:
        found = client.keys("init-run:session:remember:test_user:*")
    assert len(found) == 1, done.stdout + done.stderr
