"""A Redis user without some rights: an error names the missing right, never an empty result."""

import pytest
import redis

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
