"""The Python examples of the documentation run unchanged."""

import ast
import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.cli.sessions import store_session

HERE = Path(__file__).parent


@pytest.fixture
def database(valkey_url: str) -> redis.Redis:
    client = redis.Redis.from_url(valkey_url)
    client.flushdb()
    return client


def test_conversation_continues_in_the_next_process(database: redis.Redis, valkey_url: str) -> None:
    command = [sys.executable, str(HERE / "run_agent.py")]
    environment = {**os.environ, "REDIS_URL": valkey_url, "PYTHONPATH": str(HERE.parents[1])}
    answers = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert answers[0] != answers[1]
    assert all(answers)
    assert database.ttl("session:remember:ada:terminal") > 600_000


async def test_fastapi(
    database: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.examples.fastapi_app import app

    monkeypatch.setenv("REDIS_URL", valkey_url)
    for turn in (1, 2):  # the app is started twice
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
        ):
            assert (await client.post("/chat/ada/s1", params={"text": "hello"})).json()
            size = await client.get("/chat/ada/s1/size")
            assert size.json()["events"] == 2 * turn
            assert (await client.get("/chat/ada/other/size")).status_code == 404
    assert database.exists("session:remember:ada:s1")


def test_notebook(
    database: redis.Redis, valkey_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store_session(
        valkey_url, "remember", "ada", "s1", texts=("a",) * 12, title="T", user_state={"k": 1}
    )
    text = (HERE / "notebook.py").read_text(encoding="utf-8")
    text = text.replace("redis://localhost:6379/0", valkey_url)
    cells = compile(text, "notebook.py", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def notebook() -> None:
        names: dict[str, Any] = {}
        result = eval(cells, names)
        if inspect.isawaitable(result):
            await result

    asyncio.run(notebook())
    out = capsys.readouterr().out
    assert out.startswith("s1 T 12\n")
    assert len(out.splitlines()) == 12
    assert database.keys("*") == []


def test_maintenance(database: redis.Redis, valkey_url: str) -> None:
    texts = ("the key is under the mat", "I will remember", "thanks")
    store_session(valkey_url, "remember", "ada", "s1", texts=texts, title="Keys")
    command = [sys.executable, str(HERE / "maintenance.py")]
    environment = {**os.environ, "REDIS_URL": valkey_url, "PYTHONPATH": str(HERE.parents[1])}
    printed = subprocess.check_output(command, env=environment, text=True).splitlines()
    listed, found, fork, trimmed = printed
    assert listed == "remember/ada/s1 Keys 3"
    assert found == "event 1 of remember/ada/s1: the key is under the mat"
    assert fork.startswith("remember/ada/")
    assert fork.endswith(" has 2 events")
    assert trimmed.startswith("2 events dropped, ")
    assert len(database.keys("session:*")) == 2
