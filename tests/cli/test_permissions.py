"""A Redis user without some rights: an error names the missing right, never an empty result."""

import re
from pathlib import Path

import pytest
import redis

from adksess.store import recency, resolve
from tests.cli.sessions import store_session
from tests.conftest import Run

KEYS = (
    "~session:* ~user_sessions:* ~app_sessions:* ~session_apps ~session_index "
    "~app_state:* ~user_state:*"
)
ENOUGH_TO_SCAN = "+eval +evalsha +scan +ping +info +select +dbsize +type"


@pytest.fixture
def url(database: redis.Redis, valkey_url: str) -> str:
    store_session(valkey_url, session_id="first")
    return valkey_url.replace("redis://", "redis://limited:pw@")


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "-o", "json"],
        ["show", "first"],
        ["stats"],
        ["ttl", "first"],
        ["delete", "first", "--yes"],
        ["flush", "--yes"],
        ["flush", "--dry-run"],
        ["export"],
    ],
    ids=" ".join,
)
def test_no_right_to_read_is_not_reported_as_no_sessions(
    run: Run, database: redis.Redis, url: str, words: list[str]
) -> None:
    for rights, says in (
        (f"{KEYS} {ENOUGH_TO_SCAN}", "does not permit this user to run "),
        (f"~other:* {ENOUGH_TO_SCAN} +@all", "does not permit this user to use one of its keys"),
    ):
        database.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">pw", *rights.split())
        result = run(*words, "-r", url)
        assert (result.code, result.out) == (4, "")
        assert says in result.err
        assert "deployment.md" in result.err
    assert database.exists("session:demo:ada:first")


def test_doctor_names_the_missing_right(run: Run, database: redis.Redis, url: str) -> None:
    rights = f"{KEYS} {ENOUGH_TO_SCAN} +exists".split()
    database.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">pw", *rights)
    result = run("doctor", "-r", url, "-o", "json")
    assert result.code == 1
    failed = {c["name"]: c["detail"] for c in result.json if c["status"] == "fail"}
    assert set(failed) == {"probe", "sessions"}
    assert "to run " in failed["probe"]


def documented_rights() -> list[str]:
    """The rules in the documentation of a user for all commands, with its password."""
    text = Path(".github/docs/deployment.md").read_text(encoding="utf-8")
    lines = re.search(
        r"^ACL SETUSER adksess on >PASSWORD ([^\n]*)\n.*?also need:\n\n```\n([^\n]*)",
        text,
        re.M | re.S,
    )
    assert lines
    return ["reset", "on", ">pw", *lines[1].split(), *lines[2].split()]


@pytest.mark.parametrize("small", [recency.SMALL, 0], ids=["scan", "index"])
def test_the_documented_rights_are_enough_for_the_commands(
    run: Run,
    database: redis.Redis,
    url: str,
    valkey_url: str,
    small: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    database.execute_command("ACL", "SETUSER", "limited", *documented_rights())
    for number in range(4):
        store_session(valkey_url, session_id=f"chat-{number}", texts=("hello", "bye"), title="Hi")
    for module in (recency, resolve):
        monkeypatch.setattr(module, "SMALL", small)
    monkeypatch.setenv("ADKSESS_REDIS_URL", url)
    backup = tmp_path / "backup.ndjson"
    for line in (
        "doctor --quick",
        "doctor --fix",
        "list",
        "list --user ada -n 1",
        "list --column state.a --column user:b --column app:c --sort size",
        "show chat-1",
        "show latest --state",
        "search hello",
        "search --errors -o ids",
        "stats",
        "stats --exact",
        "stats --by user --hours",
        "ttl chat-1 --set 7d",
        "ttl --app demo --persist --yes",
        "title chat-1 Tea",
        "state set chat-1 topic 1",
        "state set app_state:demo mode 1",
        "state set user_state:demo:ada plan 1",
        "state get demo/ada",
        "state unset demo/ada plan",
        f"export --out {backup}",
        f"import {backup} --on-conflict replace --ttl 1h",
        f"import {backup} --rename-app demo=new",
        "copy demo/ada/chat-1 --to-id copied",
        "copy demo/ada/chat-1 --before 1 --to-user bob",
        "move demo/ada/chat-2 --to-user bob --with-user-state --yes",
        "trim demo/ada/chat-1 --keep-last 1 --yes",
        "migrate --detect",
        f"delete demo/ada/copied --backup {tmp_path / 'copied'} --yes",
        f"delete --user bob --all-apps --with-user-state --report {tmp_path / 'report'} --yes",
        "delete --idle 30d --yes",
        "flush --app new --yes",
        "flush --state --yes",
    ):
        result = run(*line.split())
        assert "does not permit" not in result.err + result.out, line
        assert result.code in (0, 3), (line, result.err)
