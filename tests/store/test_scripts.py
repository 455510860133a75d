"""Scripts by their hash, and several commands and scripts in one call."""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from redis import exceptions
from redis.asyncio import Redis

from adksess.store import scripts
from adksess.store.scripts import Script, ScriptCall, execute, run_all

TWO = Script("return {KEYS[1], ARGV[1]}", "0" * 40)
"""A script that no server knows by its hash, so that its text is needed."""


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_url)
    await client.script_flush()
    yield client
    await client.aclose()


def test_every_lua_file_is_used() -> None:
    names = {path.name for path in (files("adksess.store") / "lua").iterdir()}
    texts = [one.text for one in vars(scripts).values() if isinstance(one, Script)]
    assert {name.rpartition(".")[2] for name in names} == {"lua"}
    for name in names:
        text = (files("adksess.store") / "lua" / name).read_text(encoding="utf-8")
        assert any(text in one for one in texts), f"no script uses {name}"


async def test_the_hash_is_the_servers(client: Redis) -> None:
    for script in vars(scripts).values():
        if isinstance(script, Script):
            assert await client.script_load(script.text) == script.sha


async def test_an_unknown_hash_falls_back_to_the_text(client: Redis) -> None:
    assert await TWO.run(client, [b"k"], "a") == [b"k", b"a"]
    known = Script("return ARGV[1]", str(await client.script_load("return ARGV[1]")))
    assert await known.run(client, [], 7) == b"7"


async def test_answers_come_in_the_order_of_the_calls(client: Redis) -> None:
    calls = [
        ("ECHO", "a"),
        ScriptCall(TWO, [b"k"], [1]),
        ("ECHO", b"b"),
        ScriptCall(TWO, [b""], [2]),
    ]
    assert await run_all(client, calls) == [b"a", [b"k", b"1"], b"b", [b"", b"2"]]
    assert await run_all(client, [("ECHO", "alone")]) == [b"alone"]
    assert await execute(client, "ECHO", "one") == b"one"


async def test_the_first_error_is_raised(client: Redis) -> None:
    broken = Script("return redis.error_reply('ERR second')", "1" * 40)
    with pytest.raises(exceptions.ResponseError, match="second"):
        await run_all(client, [("ECHO", "a"), ScriptCall(broken, []), ("NOSUCHCOMMAND",)])
    assert await run_all(client, [("ECHO", "b"), ("ECHO", "c")]) == [b"b", b"c"]
