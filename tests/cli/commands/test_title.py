"""`adksess title`: the title that ADK's web UI shows, through an event."""

import asyncio
import json

import pytest
import redis

from adksess import RedisSessionService
from tests.cli.sessions import store_session
from tests.conftest import Run


@pytest.mark.parametrize("columns", [80, 120])
def test_the_title_is_set_through_an_event(
    cli: Run, target: redis.Redis, target_url: str, columns: int
) -> None:
    metadata = {"displayName": "old", "forkedFrom": {"sessionId": "x"}}
    store_session(target_url, texts=("a",), state={"__session_metadata__": metadata, "k": 1})
    result = cli("title", "session-1", "Zug \u2028 nach Rom", "-r", target_url, columns=columns)
    assert (result.code, result.err) == (0, "")
    assert result.out == "Set the title of demo/ada/session-1: Zug \\u2028 nach Rom\n"
    stored = json.loads(target.get("session:demo:ada:session-1") or b"")
    expected = metadata | {"displayName": "Zug \u2028 nach Rom"}
    assert stored["state"] == {"__session_metadata__": expected, "k": 1}
    assert stored["event_count"] == 2
    event = stored["events"][-1]
    assert event["author"] == "user"
    assert event["invocation_id"].startswith("p-")
    assert event["actions"]["state_delta"] == {"__session_metadata__": expected}

    async def read() -> None:
        async with RedisSessionService(target_url) as service:
            session = await service.get_session(
                app_name="demo", user_id="ada", session_id="session-1"
            )
            assert session is not None
            assert session.state == stored["state"]
            assert session.events[-1].content is None

    asyncio.run(read())
    listed = cli("list", "-o", "json", "-r", target_url).json
    assert listed[0]["title"] == "Zug \u2028 nach Rom"


def test_a_session_that_does_not_exist(cli: Run, target: redis.Redis, target_url: str) -> None:
    result = cli("title", "nowhere", "x", "-r", target_url)
    assert (result.code, result.out) == (3, "")
    assert target.keys("*") == []


def test_a_title_that_is_no_text(cli: Run, target: redis.Redis, target_url: str) -> None:
    ref = store_session(target_url)
    before = target.get(f"session:demo:ada:{ref.session_id}")
    result = cli("title", ref.session_id, "\udcff", "-r", target_url)
    assert result.code == 2
    assert "lone surrogate" in result.err
    assert target.get(f"session:demo:ada:{ref.session_id}") == before
