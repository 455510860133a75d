"""The service in ADK's REST API, and the titles that it stores."""

import time
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from google.adk.cli.fast_api import get_fast_api_app
from google.adk.events.event import Event
from google.genai import types

from adksess import RedisSessionService, SessionRef, register_services
from adksess.store.durations import MAX_SECONDS

NAMES = {"app_name": "demo", "user_id": "ada", "session_id": "s"}
REF = SessionRef("demo", "ada", "s")


@pytest.fixture
def rest(valkey_url: str, tmp_path: Path) -> TestClient:
    with redis.Redis.from_url(valkey_url) as client:
        client.flushdb()
    register_services()
    app = get_fast_api_app(agents_dir=str(tmp_path), session_service_uri=valkey_url, web=False)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("ttl", [True, -1, 0.5, MAX_SECONDS + 1, 10_000_000_000_000_000, "1h"])
def test_a_ttl_out_of_range_is_a_bad_request(rest: TestClient, valkey_url: str, ttl: Any) -> None:
    path = "/apps/demo/users/ada/sessions"
    body = {"state": {"a": 1, "app:b": 2, "user:c": 3}, "options": {"ttl": ttl}}
    answer = rest.post(path, json=body)
    assert answer.status_code == 400
    assert "whole number of seconds" in answer.text
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        assert rest.post(path, json={"options": {"ttl": 60}}).status_code == 200
        (key,) = client.scan_iter("session:*")
        assert 0 < client.ttl(key) <= 60


def message(text: str, *, author: str = "user", **fields: Any) -> Event:
    content = types.Content(role=author, parts=[types.Part(text=text)]) if text else None
    return Event(author=author, content=content, timestamp=time.time(), **fields)


@pytest.mark.parametrize(
    ("events", "title"),
    [
        ([message("hello there", author="agent")], None),
        ([message("hi", author="agent"), message("My\n name  is Ada")], "My name is Ada"),
        ([message(""), message("first"), message("second")], "first"),
        ([message("x" * 80)], "x" * 50),
        (
            [message("", input_transcription=types.Transcription(text="spoken words"))],
            "spoken words",
        ),
    ],
)
async def test_the_title_is_what_the_user_said_first(
    valkey_url: str, events: list[Event], title: str | None
) -> None:
    async with RedisSessionService(valkey_url, prefix=f"title{id(events)}:") as service:
        session = await service.create_session(**NAMES)
        for event in events:
            await service.append_event(session, event)
        (summary,) = await service.store.summaries([REF])
        assert summary.title == title
        assert summary.title_source == (title and "message")
