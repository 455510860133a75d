"""A user with the least rights that work: all operations, and nothing outside our keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store import recency, write
from adksess.store.errors import ServerUnavailable
from tests.events import event
from tests.servers import SERVERS, ServerProcess, running, server_binary
from tests.topology.conversation import converse, manage

DEPLOYMENT = Path(__file__).parents[2] / ".github" / "docs" / "deployment.md"
PATTERNS = (
    *("session:*", "user_sessions:*", "app_sessions:*", "session_apps", "session_index"),
    *("app_state:*", "user_state:*"),
)
SERVICE = [
    *("+eval", "+evalsha", "+scan", "+time"),
    *("+get", "+set", "+strlen", "+getrange", "+setrange", "+exists", "+unlink"),
    *("+pttl", "+pexpire", "+pexpireat", "+persist", "+hset", "+hgetall"),
    *("+type", "+zadd", "+zscore", "+zrange", "+zrevrange", "+zrangebyscore", "+zrandmember"),
    *("+zrem", "+sadd", "+srem", "+srandmember"),
    *("+dbsize", "+smembers", "+zcard", "+zrevrangebyscore"),
]
"""For the session service. Without SREM nothing fails, but marks of indexes are not corrected."""

COMMANDS = [
    *(*SERVICE, "+ping", "+info", "+select", "+hget", "+hsetnx", "+hdel", "+mget"),
    *("+zcount", "+zmscore", "+randomkey"),
]
"""For the command line too, and for a database other than 0."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with running(server_binary(request.param), tmp_path) as server:
        yield server


def set_user(server: ServerProcess, rules: list[str]) -> str:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "adksess", "reset", *rules)
    return f"redis://adksess:s3cr3t@127.0.0.1:{server.port}/0"


def rules(commands: list[str], prefix: str = "") -> list[str]:
    return ["on", ">s3cr3t", *(f"~{prefix}{pattern}" for pattern in PATTERNS), *commands]


def test_the_documentation_lists_these_rights() -> None:
    text = DEPLOYMENT.read_text(encoding="utf-8")
    line = re.search(r"^ACL SETUSER adksess on >PASSWORD (.*)$", text, re.MULTILINE)
    assert line
    assert sorted(line[1].split()) == sorted([*(f"~{key}" for key in PATTERNS), *SERVICE])
    more = re.search(r"also need:\n\n```\n(.*)\n```", text)
    assert more
    assert sorted(more[1].split()) == sorted(set(COMMANDS) - set(SERVICE))


@pytest.mark.parametrize("prefix", ["", "prod:"])
async def test_the_documented_rights_are_enough(server: ServerProcess, prefix: str) -> None:
    url = set_user(server, rules(COMMANDS, prefix))
    async with RedisSessionService(url, prefix=prefix) as service:
        await converse(service)
        await manage(service.store)


async def converse_in_each_size(server: ServerProcess, rights: list[str]) -> None:
    """Use the service in a small database, and in one that is read through its index."""
    with server.client() as client:
        client.script_flush()
        client.flushdb()
    async with RedisSessionService(set_user(server, rules(rights))) as service:
        await converse(service)
        async with SessionStore(server.url) as store:
            await store.audit(fix=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recency, "SMALL", 0)
            await converse(service)


async def test_each_right_is_needed(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all of the rights everything works, without any single one of them something fails."""
    monkeypatch.setattr(write, "sample_size", lambda: 8)  # not in one of sixteen creates
    await converse_in_each_size(server, SERVICE)
    for command in set(SERVICE) - {"+srem"}:
        with pytest.raises(ServerUnavailable, match="does not permit this user"):
            await converse_in_each_size(server, [one for one in SERVICE if one != command])


async def test_a_create_without_a_right_changes_nothing(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "sample_size", lambda: 8)
    for command in ("+zrangebyscore", "+zrandmember", "+srandmember", "+zadd", "+sadd", "+hset"):
        url = set_user(server, rules([one for one in SERVICE if one != command]))
        with server.client() as client:
            client.flushdb()
            async with RedisSessionService(url) as service:
                with pytest.raises(ServerUnavailable, match="does not permit this user"):
                    await service.create_session(
                        app_name="demo", user_id="ada", state={"app:mode": 1, "user:plan": 2}
                    )
            assert client.keys() == [], command


async def test_no_other_key_can_be_reached(server: ServerProcess) -> None:
    url = set_user(server, rules(COMMANDS, "prod:"))
    with server.client() as client:
        client.set("prod:other", "secret")
        client.set("session:demo:ada:s", "secret")
    before = server.dump()
    async with RedisSessionService(url, prefix="") as service:
        session = Session(app_name="demo", user_id="ada", id="s")
        attempts = [
            service.create_session(app_name="demo", user_id="ada", session_id="t"),
            service.get_session(app_name="demo", user_id="ada", session_id="s"),
            service.append_event(session, event()),
            service.list_sessions(app_name="demo", user_id="ada"),
            service.list_sessions(app_name="demo"),
            service.delete_session(app_name="demo", user_id="ada", session_id="s"),
            service.store.set_expiry(SessionRef("demo", "ada", "s"), 1),
        ]
        for attempt in attempts:
            with pytest.raises(ServerUnavailable, match="does not permit this user"):
                await attempt
    with redis.Redis.from_url(url) as client:
        for command in (("GET", "prod:other"), ("DEL", "prod:other"), ("FLUSHDB",), ("KEYS", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
    assert server.dump() == before
