"""`adksess servers`: list, add, use and remove named servers."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import Run


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("ADKSESS_CONFIG", str(path))
    return path


@pytest.fixture
def two_servers(cli: Run, config: Path) -> Path:
    cli("servers", "add", "dev", "redis://localhost:6379/0")
    words = ("--prefix", "prod:", "--protected")
    cli("servers", "add", "prod", "-", *words, stdin="rediss://ada:geheim@db:6379/0\n")
    cli("servers", "use", "prod")
    return config


@pytest.mark.usefixtures("two_servers")
@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Run, columns: int) -> None:
    result = cli("servers", columns=columns)
    assert (result.code, result.err) == (0, "")
    assert [line.rstrip() for line in result.out.splitlines()] == [
        "   NAME  URL                         OPTIONS",
        "   dev   redis://localhost:6379/0",
        "*  prod  rediss://ada:***@db:6379/0  prefix prod:, password from url, protected",
    ]


@pytest.mark.usefixtures("two_servers")
def test_json(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cli("servers", "-o", "json")
    assert json.loads(result.out) == [
        {
            "name": "dev",
            "url": "redis://localhost:6379/0",
            "prefix": None,
            "password": None,
            "protected": False,
            "current": False,
        },
        {
            "name": "prod",
            "url": "rediss://ada:***@db:6379/0",
            "prefix": "prod:",
            "password": "url",
            "protected": True,
            "current": True,
        },
    ]
    monkeypatch.setenv("ADKSESS_SERVER", "dev")
    assert [s["current"] for s in json.loads(cli("servers", "-o", "json").out)] == [True, False]
    monkeypatch.setenv("ADKSESS_REDIS_URL", "redis://h")
    assert [s["current"] for s in json.loads(cli("servers", "-o", "json").out)] == [False, False]
    assert "Commands use the Redis that ADKSESS_REDIS_URL names" in cli("servers").err


def test_the_name_of_a_user_is_shown_where_the_password_is_from_elsewhere(
    cli: Run, config: Path
) -> None:
    result = cli("servers", "add", "a", "redis://ada@h", "--password-command", "pass")
    assert (result.code, "history" in result.err) == (0, False)
    cli("servers", "add", "b", "redis://ada@h?x=1", "--password-file", config.parent / "secret")
    cli("servers", "add", "c", "redis://geheim@h")  # a password without the colon before it
    shown = {server["name"]: server["url"] for server in cli("servers", "-o", "json").json}
    assert shown == {"a": "redis://ada@h", "b": "redis://ada@h?x=1", "c": "redis://***@h"}


def test_no_servers(cli: Run, config: Path) -> None:
    assert cli("servers", "-o", "json").out == "[]\n"
    result = cli("servers")
    assert (result.code, result.out) == (0, "")
    expected = f"note: There are no servers in {config}. Add one: adksess servers add NAME URL\n"
    assert result.err == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add", "a"], "Write adksess servers add NAME URL."),
        (["add"], "Write adksess servers add NAME URL."),
        (["use"], "Write adksess servers use NAME."),
        (["remove", "a", "b"], "Write adksess servers remove NAME."),
        (["list", "a"], "Write adksess servers."),
        (["use", "a", "--protected"], "takes no options for a server"),
        (["add", "a b", "redis://h"], "'a b' cannot be a name"),
        (["add", "a", "http://h"], "must start with one of redis://"),
        (["add", "dev", "redis://h"], "There is a server dev in"),
        (["use", "nope"], "There is no server 'nope'"),
        (["remove", "nope"], "There is no server 'nope'"),
        (["nope"], "is not one of"),
        (
            ["add", "a", "redis://h", "--password-command", "x", "--password-file", "y"],
            "exclude each other",
        ),
    ],
)
def test_usage_errors(cli: Run, two_servers: Path, words: list[str], sentence: str) -> None:
    before = two_servers.read_text()
    result = cli("servers", *words)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.err
    assert two_servers.read_text() == before


def test_a_password_on_the_command_line_is_a_warning(cli: Run, config: Path) -> None:
    result = cli("servers", "add", "a", "redis://:geheim@h")
    assert result.code == 0
    assert "warning: The password is in your shell's history now." in result.err
    assert "geheim" not in result.err
    assert config.stat().st_mode & 0o077 == 0


def test_a_url_can_be_typed_without_being_shown(config: Path) -> None:
    with Terminal("servers", "add", "a", "-", env={"ADKSESS_CONFIG": str(config)}) as terminal:
        terminal.wait_for("Redis URL (not shown): ")
        terminal.type("redis://:geheim@h\n")
        assert terminal.end() == 0
        assert "geheim" not in terminal.seen
    assert 'url = "redis://:geheim@h"' in config.read_text()


def test_use_and_remove(cli: Run, two_servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://h")
    result = cli("servers", "use", "dev")
    assert result.err == (
        "Commands without --server use dev now.\n"
        "warning: REDIS_URL is set in this shell, and overrides it.\n"
    )
    assert 'default = "dev"' in two_servers.read_text()
    result = cli("servers", "remove", "dev")
    assert (result.code, "It was the default: no default is set now." in result.err) == (0, True)
    assert "dev" not in two_servers.read_text()


def test_a_file_for_everyone_with_a_password(cli: Run, two_servers: Path) -> None:
    two_servers.chmod(0o644)
    assert f"warning: Other users can read {two_servers}" in cli("servers").err
