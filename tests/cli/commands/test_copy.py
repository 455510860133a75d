"""`adksess copy`: what it prints, and what it rejects."""

import json
from typing import Any

import pytest
import redis

from tests.cli.sessions import store_session
from tests.conftest import Run


def _event(**delta: Any) -> dict[str, Any]:
    return {"author": "user", "actions": {"state_delta": delta}}


@pytest.fixture
def session(target: redis.Redis, target_url: str) -> None:
    events = (_event(a=1), _event(b=2, c=3), _event(a=4) | {"invocation_id": "i3"})
    store_session(target_url, "demo", "ada", "8e42aa", events=events, state={"given": 1})


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Run, target: redis.Redis, target_url: str, columns: int) -> None:
    words = ("copy", "8e42", "-r", target_url)
    result = cli(*words, "--to-id", f"whole-{columns}", columns=columns)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Copied demo/ada/8e42aa to demo/ada/whole-{columns} (3 events).\n"
    result = cli(*words, "--before", "2", "--to-id", f"fork-{columns}", columns=columns)
    assert result.code == 0
    assert result.out == f"Copied demo/ada/8e42aa to demo/ada/fork-{columns} (1 event).\n"
    note = (
        "note: Set by later events only, so not in the copy: b, c. A value that was given",
        "at creation is not known.",
    )
    assert result.err == ("\n" if columns == 80 else " ").join(note) + "\n"
    fork = json.loads(target.get(f"session:demo:ada:fork-{columns}") or b"")
    assert {k: v for k, v in fork["state"].items() if k != "__session_metadata__"} == {
        "given": 1,
        "a": 1,
    }
    by_invocation = cli(*words, "--before", "i3", "--to-user", "bob")
    assert by_invocation.out == "Copied demo/ada/8e42aa to demo/bob/8e42aa (2 events).\n"
    target.delete("session:demo:bob:8e42aa")


@pytest.mark.usefixtures("session")
def test_a_copy_to_another_prefix(cli: Run, target: redis.Redis, target_url: str) -> None:
    result = cli("copy", "8e42", "--to-prefix", "staging:", "-r", target_url)
    assert result.out == "Copied demo/ada/8e42aa to demo/ada/8e42aa (3 events).\n"
    assert target.exists("staging:session:demo:ada:8e42aa")
    url = f"{target_url}?prefix=other:"
    assert cli("copy", "8e42", "--to-url", url, "--to-app", "shop", "-r", target_url).code == 0
    assert target.exists("other:session:shop:ada:8e42aa")


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 3, "no session 'nowhere'"),
        (("8e42", "--before", "9"), 3, "has 3 events, and no event 9"),
        (("8e42", "--before", "no-such"), 3, "no invocation 'no-such'"),
        (("8e42", "--to-id", "8e42aa"), 1, "already exists"),
        (("8e42", "--ttl", "soon"), 2, "not a duration"),
        (("8e42", "--to-url", "ftp://x"), 2, "redis://"),
    ],
)
def test_what_cannot_be_copied(
    cli: Run, target: redis.Redis, target_url: str, words: tuple[str, ...], code: int, said: str
) -> None:
    result = cli("copy", *words, "-r", target_url)
    assert (result.code, result.out, said in result.err) == (code, "", True), result.err
    assert target.keys("session:*") == [b"session:demo:ada:8e42aa"]
