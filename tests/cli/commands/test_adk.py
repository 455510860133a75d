"""`adksess adk`: ADK's own command line, with sessions in the Redis of the environment."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from google.adk import version

from adksess.adk import launch
from adksess.demo import AGENTS_DIR
from tests.conftest import Run
from tests.web import WebServer, adksess


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Run, columns: int) -> None:
    result = cli("adk", "--version", columns=columns)
    expected = f"adksess adk, version {version.__version__}\n"
    assert (result.code, result.out, result.err) == (0, expected, "")


def test_arguments_are_passed_on(cli: Run) -> None:
    result = cli("adk", "web", "--help")
    assert result.code == 0
    assert "Usage: adksess adk web [OPTIONS]" in result.out
    assert "--session_service_uri" in result.out
    assert cli("adk", "run", "--nope").code == 2


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that ADK was started with; it does nothing."""
    args: list[str] = []

    def run_adk(words: Sequence[str]) -> int:
        args.extend(words)
        return 0

    monkeypatch.setattr(launch, "run_adk", run_adk)
    return args


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", ["web", "api_server", "run"])
def test_the_redis_of_the_environment_is_used(
    cli: Run,
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
    database: redis.Redis,
    valkey_url: str,
    command: str,
    columns: int,
) -> None:
    database.acl_setuser("ada", enabled=True, passwords=["+geheim"], categories=["+@all"])
    url = valkey_url.replace("redis://", "redis://ada:geheim@")
    monkeypatch.setenv("ADKSESS_REDIS_URL", url)
    monkeypatch.setenv("ADKSESS_PREFIX", "p:")
    result = cli("adk", command, "agents", columns=columns)
    shown = url.replace("geheim", "***")
    note = f"note: Sessions are stored in Redis at {shown} (ADKSESS_REDIS_URL).\n"
    assert (result.code, result.out, result.err) == (0, "", note)
    uri = f"{url}?ttl=86400&prefix=p%3A&conflict=append"
    assert started == [command, f"--session_service_uri={uri}", "agents"]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (
            ["web", "agents"],
            "ADKSESS_REDIS_URL is not set. Set it, or pass --session_service_uri=URL.",
        ),
        (
            ["web", "--no_use_local_storage", "agents"],
            "--no_use_local_storage is given. Leave out --no_use_local_storage.",
        ),
        (["run", "--in_memory", "bot"], "--in_memory is given. Leave out --in_memory."),
    ],
)
def test_other_services_are_a_warning(
    cli: Run, started: list[str], words: list[str], warning: str, columns: int
) -> None:
    result = cli("adk", *words, columns=columns)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"warning: Sessions are NOT stored in Redis: {warning}\n"
    assert started == words


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["create", "bot"],
        ["web", "--session_service_uri", "memory://", "agents"],
        ["run", "--session_service_uri=memory://", "agents/bot"],
        ["run", "--help"],
    ],
)
def test_other_commands_are_passed_on(
    cli: Run, started: list[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("ADKSESS_REDIS_URL", "redis://127.0.0.1:1/0")
    result = cli("adk", *words)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert started == words


def test_a_redis_that_does_not_answer_is_an_error(
    cli: Run, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:geheim@127.0.0.1:1/0")
    result = cli("adk", "web", "agents")
    assert (result.code, result.out, started) == (4, "", [])
    assert "Cannot reach Redis at redis://:***@127.0.0.1:1/0" in result.err


@pytest.mark.web
def test_a_chat_is_stored_in_the_redis_of_the_environment(
    tmp_path: Path, database: redis.Redis, valkey_url: str
) -> None:
    command = ["env", f"ADKSESS_REDIS_URL={valkey_url}", *adksess("adk", "api_server", AGENTS_DIR)]
    with WebServer(command, tmp_path) as web:
        web.create("s1")
        web.say("hello", "s1")
    assert database.exists("session:remember:ada:s1")
