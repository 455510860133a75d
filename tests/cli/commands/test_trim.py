"""`adksess trim`: which sessions it trims, and what it prints."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from adksess import SessionRef, SessionStore
from adksess.transfer import trim as trimming
from tests.cli.sessions import put_document, said, store_session

Cli = Callable[..., Any]


@pytest.fixture
def _three(target: redis.Redis, target_url: str) -> None:
    for name in ("one", "two", "three"):
        store_session(target_url, session_id=f"{name}-session", texts=("x",) * 3)


@pytest.mark.usefixtures("_three")
class TestSelection:
    def test_trim_asks_and_never_selects_all(self, cli: Cli, target_url: str) -> None:
        assert cli("trim", "--keep-last", 1, "--yes", "-r", target_url).code == 2
        assert cli("trim", "one-", "-r", target_url).code == 2
        assert cli("trim", "one-", "--keep-last", 0, "-r", target_url).code == 2
        rejected = cli("trim", "one-", "--keep-last", 1, "-r", target_url)
        assert (rejected.code, "--yes" in rejected.err) == (2, True)
        gone = cli("trim", "nowhere", "--keep-last", 1, "--yes", "-r", target_url)
        assert gone.code == 3

    def test_in_bulk(self, cli: Cli, target: redis.Redis, target_url: str) -> None:
        target.set("session:demo:ada:broken", '{"tail_bytes":          1}')
        words = ("trim", "--app", "demo", "--keep-last", 1, "--yes", "-r", target_url)
        assert cli(*words).out.startswith("Dropped 6 invocations (6 events, ")


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Cli, target: redis.Redis, target_url: str, columns: int) -> None:
    target.set("session:demo:ada:broken", '{"events":[\n{\n],"state":{\n}}')
    size = target.strlen("session:demo:ada:one-session") or 0
    words = ("trim", "one-", "two-", "--keep-last", 1, "-r", target_url)
    dry = cli(*words, "--dry-run", columns=columns)
    assert (dry.code, dry.err) == (0, "")
    assert dry.out == "Would drop 4 invocations (4 events, 404 bytes) of 2 sessions.\n"
    result = cli(*words, "--yes", columns=columns)
    assert (result.code, result.err) == (0, "")
    assert result.out == "Dropped 4 invocations (4 events, 404 bytes) of 2 sessions.\n"
    assert size - (target.strlen("session:demo:ada:one-session") or 0) == 404 / 2 + 4
    again = cli(*words, "--yes", columns=columns)
    assert (again.code, again.out, again.err) == (0, "Nothing to drop.\n", "")


def test_a_session_that_cannot_be_read_is_named_and_kept(
    cli: Cli, target: redis.Redis, target_url: str
) -> None:
    store_session(target_url, session_id="damaged", texts=("x",) * 3)
    key = "session:demo:ada:damaged"
    value = (target.get(key) or b"").replace(b'{"id":"e0"', b'{"id:"e0"')
    target.set(key, value)
    result = cli("trim", "damaged", "--keep-last", 1, "--yes", "-r", target_url, columns=80)
    assert (result.code, result.out) == (1, "Nothing to drop.\n")
    assert result.err == "warning: demo/ada/damaged was not trimmed: it cannot be read.\n"
    assert target.get(key) == value


def test_a_session_that_is_used_after_its_selection_is_kept(
    cli: Cli, target: redis.Redis, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("idle", "used"):
        put_document(
            target,
            SessionRef("demo", "ada", name),
            *(said("user", text) for text in ("a", "b", "c")),
            updated=time.time() - 40 * 86_400,
        )
    trim_sessions = trimming.trim_sessions

    async def use_one_first(*args: Any, **options: Any) -> Any:
        async with SessionStore(target_url) as store:
            event = said("user", "still here", id="new")
            await store.append(SessionRef("demo", "ada", "used"), event, timestamp=time.time())
        return await trim_sessions(*args, **options)

    monkeypatch.setattr(trimming, "trim_sessions", use_one_first)
    words = ("trim", "--idle", "30d", "--keep-last", 1, "--yes", "-r", target_url)
    result = cli(*words, columns=80)
    assert result.code == 0
    assert result.out.endswith("of 1 session.\n")
    assert result.err == "note: demo/ada/used was not trimmed: it was used meanwhile.\n"
    counts = {
        name: json.loads(target.get(f"session:demo:ada:{name}") or b"")["event_count"]
        for name in ("idle", "used")
    }
    assert counts == {"idle": 1, "used": 4}
