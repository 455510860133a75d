"""Confirmations: options that confirm, and what has to be typed for a protected server."""

import io
import sys
from pathlib import Path

import pytest
import redis

from adksess.cli.errors import Declined, UsageProblem
from adksess.cli.options import ChangeOptions
from adksess.cli.prompts import Target, confirm
from tests.cli.sessions import store_session
from tests.conftest import Run

PLAIN = Target("redis://localhost:6379/0")
NAMED = Target("redis://db:6379/0", "dev")
PROTECTED = Target("redis://db:6379/0", "prod", is_protected=True)


class _Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (PLAIN, ChangeOptions(yes=True)),
        (NAMED, ChangeOptions(yes=True)),
        (NAMED, ChangeOptions(confirm="dev")),
        (PROTECTED, ChangeOptions(confirm="prod")),
        (PROTECTED, ChangeOptions(yes=True, confirm="prod")),
    ],
)
def test_options_that_confirm(target: Target, answer: ChangeOptions) -> None:
    confirm("delete 3 sessions", answer, target, count=3)


@pytest.mark.parametrize(
    ("target", "answer", "sentence"),
    [
        (PROTECTED, ChangeOptions(yes=True), r"add --confirm prod to delete 3 sessions in prod \("),
        (PROTECTED, ChangeOptions(confirm="dev"), "--confirm dev does not name the server"),
        (PROTECTED, ChangeOptions(), "add --confirm prod to delete 3 sessions"),
        (PLAIN, ChangeOptions(confirm="prod"), "it has no name"),
        (PLAIN, ChangeOptions(), "add --yes to delete 3 sessions in redis://localhost"),
    ],
)
def test_options_that_do_not_confirm(
    monkeypatch: pytest.MonkeyPatch, target: Target, answer: ChangeOptions, sentence: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UsageProblem, match=sentence):
        confirm("delete 3 sessions", answer, target)


@pytest.mark.parametrize(
    ("target", "count", "line", "accepted"),
    [
        (PLAIN, None, "y", True),
        (PLAIN, None, "", False),
        (PLAIN, 1234, "1234", True),
        (PLAIN, 1234, "1,234", True),
        (PLAIN, 1234, "y", False),
        (PROTECTED, None, "prod", True),
        (PROTECTED, 1234, "prod", True),
        (PROTECTED, 1234, "1234", False),
        (PROTECTED, None, "y", False),
    ],
)
def test_what_has_to_be_typed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    target: Target,
    count: int | None,
    line: str,
    accepted: bool,
) -> None:
    monkeypatch.setattr(sys, "stdin", _Keyboard(f"{line}\n"))
    if accepted:
        confirm("delete 3 sessions", ChangeOptions(), target, count=count)
    else:
        with pytest.raises(Declined):
            confirm("delete 3 sessions", ChangeOptions(), target, count=count)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"Delete 3 sessions in {target}? ")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "words",
    [
        ["delete", "ada-first"],
        ["flush", "--app", "demo"],
        ["ttl", "--app", "demo", "--set", "1h"],
        ["trim", "long", "--keep-last", "1"],
    ],
)
def test_a_protected_server_is_confirmed_by_name(
    cli: Run,
    database: redis.Redis,
    valkey_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[servers.prod]\nurl = "{valkey_url}"\nprotected = true\n')
    monkeypatch.setenv("ADKSESS_CONFIG", str(config))
    turns = tuple(
        {"author": "user", "invocation_id": name, "content": {"parts": [{"text": name}]}}
        for name in ("one", "two")
    )
    store_session(valkey_url, "demo", "ada", "long", events=turns)
    before = {key: database.dump(key) for key in database.keys("session:*")}
    assert cli(*words, "-s", "prod", "--confirm", "dev").code == 2
    result = cli(*words, "-s", "prod", "--yes")
    assert result.code == 2
    assert "The server prod is protected, and --yes is not enough" in result.err
    assert {key: database.dump(key) for key in database.keys("session:*")} == before
    assert cli(*words, "-s", "prod", "--confirm", "prod").code == 0
