"""A client of `run_sse` disconnects while events are being stored: no function call stays open."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.faults.proxy import proxy
from tests.servers import wait_until
from tests.web import WebServer, adksess

pytestmark = [pytest.mark.web, pytest.mark.timeout(180)]

SESSIONS = 12
_AGENT = """
from google.adk.agents import BaseAgent
from google.adk.events import Event
from google.genai.types import Content, FunctionCall, FunctionResponse, Part


class Caller(BaseAgent):
    async def _run_async_impl(self, ctx):
        def event(**part):
            content = Content(role="model", parts=[Part(**part)])
            return Event(author=self.name, invocation_id=ctx.invocation_id, content=content)

        for number in range(1_000):
            call = {"id": f"c{number}", "name": "look"}
            yield event(function_call=FunctionCall(**call, args={}))
            yield event(function_response=FunctionResponse(**call, response={"n": number}))


root_agent = Caller(name="caller")
"""


async def test_no_function_call_stays_open(tmp_path: Path, valkey_url: str) -> None:
    agent = tmp_path / "agents" / "caller"
    agent.mkdir(parents=True)
    (agent / "__init__.py").write_text("")
    (agent / "agent.py").write_text(_AGENT)
    chance = random.Random(3)
    port = urlsplit(valkey_url).port
    assert port
    async with proxy(port, latency=lambda: chance.uniform(0.000_25, 0.01)) as between:
        command = adksess("serve", "agents", "-r", f"{between.url}?prefix=sse:")
        web = WebServer(command, tmp_path)
        await asyncio.to_thread(web.start)
        try:
            async with httpx.AsyncClient(base_url=web.http.base_url, timeout=30) as http:
                await asyncio.gather(*(converse(http, f"s{n}", 3 + n % 5) for n in range(SESSIONS)))
            documents = await asyncio.to_thread(sealed, valkey_url)
        finally:
            await asyncio.to_thread(web.__exit__, None, None, None)
    for document in documents:
        contents = (event.get("content", {}) for event in document["events"])
        parts = [part for content in contents for part in content.get("parts", [])]
        calls = [part["function_call"]["id"] for part in parts if "function_call" in part]
        answers = [part["function_response"]["id"] for part in parts if "function_response" in part]
        assert calls == answers
        assert len(calls) > 1


async def converse(http: httpx.AsyncClient, session: str, events: int) -> None:
    """Send a message, and disconnect before the answer has ended."""
    created = await http.post(f"/apps/caller/users/ada/sessions/{session}", json={})
    assert created.is_success, created.text
    message = {"role": "user", "parts": [{"text": "go"}]}
    body = {"appName": "caller", "userId": "ada", "sessionId": session, "newMessage": message}
    async with http.stream("POST", "/run_sse", json=body) as response:
        async for line in response.aiter_lines():
            events -= line.startswith("data:")
            if not events:
                break


def sealed(valkey_url: str) -> list[dict[str, Any]]:
    """The stored sessions, as soon as ADK has closed each invocation."""
    with redis.Redis.from_url(valkey_url) as client:

        def documents() -> list[dict[str, Any]]:
            keys = [f"sse:session:caller:ada:s{n}" for n in range(SESSIONS)]
            return [json.loads(value or b"{}") for value in client.mget(keys)]

        def are_closed() -> bool:
            return all(
                document["events"][-1].get("error_code") == "INVOCATION_ABORTED"
                for document in documents()
            )

        wait_until(are_closed, 30)
        return documents()
