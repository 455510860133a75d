"""Shared by all tests: real servers, and the command line run inside the test."""

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import redis

from tests.servers import redis8_binary, redis_binary, running, valkey_binary


def pytest_configure() -> None:
    """Let Ctrl-C end the processes that tests start: background jobs of a shell ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine may be slow
    hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own REDIS_URL must never reach a test."""
    for name in (
        *("ADKSESS_REDIS_URL", "REDIS_URL", "ADKSESS_SERVER", "ADKSESS_PREFIX"),
        *("COLUMNS", "NO_COLOR", "MAKELEVEL"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ADKSESS_CONFIG", "/nonexistent/config.toml")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")  # serve writes its address nowhere


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey of this test worker. Take a prefix of your own in it."""
    with running(valkey_binary(), tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this test worker: the machine's redis-server."""
    with running(redis_binary(), tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis8_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis 8 of this test worker."""
    with running(redis8_binary(), tmp_path_factory.mktemp("redis8")) as server:
        yield server.url


@dataclass(frozen=True)
class Result:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `adksess ARGS` in this process, errors and exit code as in a shell.

    `stdin` is what is piped in, `columns` the width of the screen.
    """
    from adksess.cli.app import main

    def run(*args: object, stdin: str = "", columns: int | None = None) -> Result:
        monkeypatch.setattr(sys, "argv", ["adksess", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Result(int(stopped.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def source(valkey_url: str) -> Iterator[redis.Redis]:
    """A database in which another tool keeps sessions."""
    with redis.Redis.from_url(_database(valkey_url, 7)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def source_url(source: redis.Redis, valkey_url: str) -> str:
    return _database(valkey_url, 7)


@pytest.fixture
def target(valkey_url: str) -> Iterator[redis.Redis]:
    """A database for adksess."""
    with redis.Redis.from_url(_database(valkey_url, 8)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def target_url(target: redis.Redis, valkey_url: str) -> str:
    return _database(valkey_url, 8)


def _database(url: str, number: int) -> str:
    return f"{url.rpartition('/')[0]}/{number}"
