"""ADK's web server is killed during an answer: stored sessions are whole, and can be continued."""

import json
import signal
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import redis

from tests.servers import wait_until
from tests.web import WebServer, adksess

pytestmark = pytest.mark.web

_AGENT = """
import asyncio
from google.adk.agents import BaseAgent
from google.adk.events import Event, EventActions
from google.genai import types


class Counter(BaseAgent):
    async def _run_async_impl(self, ctx):
        for number in range(ctx.session.state.get("count", 0) + 1, 10_000):
            yield Event(
                author=self.name,
                invocation_id=ctx.invocation_id,
                content=types.Content(role="model", parts=[types.Part(text=str(number))]),
                actions=EventActions(state_delta={"count": number}),
            )
            if number % 50 == 0 and number > 300:
                return
            await asyncio.sleep(0.002)


root_agent = Counter(name="counter")
"""


def test_the_session_can_be_continued_after_a_kill(tmp_path: Path, valkey_url: str) -> None:
    agent = tmp_path / "agents" / "counter"
    agent.mkdir(parents=True)
    (agent / "__init__.py").write_text("")
    (agent / "agent.py").write_text(_AGENT)
    command = adksess("serve", "agents", "-r", f"{valkey_url}?prefix=killed:")
    key = "killed:session:counter:ada:s1"
    with redis.Redis.from_url(valkey_url) as client, WebServer(command, tmp_path) as web:

        def stored() -> dict[str, object]:
            return json.loads(client.get(key) or b"{}")

        def ask() -> None:
            with suppress(httpx.TransportError):  # the server is killed
                web.say("count", "s1", app="counter")

        web.create("s1", app="counter")
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: client.strlen(key) > 20_000)
        web.send(signal.SIGKILL)
        asking.join()

        document = stored()
        said = [e["content"]["parts"][0]["text"] for e in document["events"][1:]]
        assert said == [str(number) for number in range(1, len(said) + 1)]
        assert document["state"] == {"count": len(said)}
        assert document["event_count"] == len(document["events"]) > 20

        web.start()
        last = int(web.say("go on", "s1", app="counter"))
        assert last > len(said)
        again = [e["content"]["parts"][0]["text"] for e in stored()["events"]]
        assert [text for text in again if text.isdigit()] == [str(n) for n in range(1, last + 1)]
