"""`adksess import`: what is imported equals what was exported, and nothing else is stored."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from adksess import SessionRef, SessionStore
from adksess.cli.render.text import counted
from adksess.store.document import decode, find_tail
from adksess.store.keys import Keys
from adksess.store.models import PutResult, StoredValue
from tests.cli.records import document_record, session_record
from tests.cli.sessions import store_all_kinds, store_session
from tests.servers import running, valkey_binary

Cli = Callable[..., Any]
PLAIN = b'{"session_id": "plain", "state": {"a": [1, 1.0]}, "events": []}'


@pytest.fixture
def filled(target: redis.Redis, target_url: str) -> dict[bytes, tuple[bytes, int]]:
    """Sessions of every kind. Their values and TTLs in seconds by key."""
    store_all_kinds(target_url)
    return _contents(target)


def _contents(client: redis.Redis) -> dict[bytes, tuple[bytes, int]]:
    return {key: (client.get(key), client.ttl(key)) for key in client.keys("session:*")}


def _assert_equal(
    one: dict[bytes, tuple[bytes, int]], other: dict[bytes, tuple[bytes, int]]
) -> None:
    """Documents are equal but for the blanks of a shrunk state, foreign ones once converted."""
    assert one.keys() == other.keys()
    for key, (value, ttl) in one.items():
        ref = Keys().parse_session(key)
        assert ref
        assert decode(value, ref) == decode(other[key][0], ref)
        if find_tail(other[key][0]) is not None:
            tail = b'"tail_bytes":'
            assert value.split(tail)[0] == other[key][0].split(tail)[0].rstrip(b" ")
        assert ttl == pytest.approx(other[key][1], abs=3)


@pytest.mark.parametrize("name", ["all.ndjson", "all.ndjson.gz"])
def test_round_trip(
    cli: Cli,
    tmp_path: Path,
    target: redis.Redis,
    target_url: str,
    filled: dict[bytes, tuple[bytes, int]],
    name: str,
) -> None:
    state = {key: target.hgetall(key) for key in target.keys("*_state:*")}
    indexes = {key: target.zrange(key, 0, -1) for key in target.keys("user_sessions:*")}
    path = tmp_path / name
    result = cli("export", "--out", path, "-r", target_url)
    assert (result.code, result.out) == (0, "")
    assert "Exported 7 sessions and the state of 2 apps and users" in result.err
    assert path.stat().st_mode & 0o077 == 0
    target.flushdb()

    result = cli("import", path, "-r", target_url)
    assert (result.code, result.out) == (0, "Imported 7 sessions, 2 state values.\n")
    _assert_equal(_contents(target), filled)
    assert {key: target.hgetall(key) for key in target.keys("*_state:*")} == state
    for key, ids in indexes.items():
        assert set(ids) <= set(target.zrange(key, 0, -1))
        assert target.zscore(key, ids[0]) is not None
    again = cli("import", path, "-r", target_url)
    assert again.out == "Imported 0 sessions, 0 state values, 7 unchanged.\n"
    _assert_equal(_contents(target), filled)


class TestImport:
    def test_conflicts(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        path = tmp_path / "x"
        store_session(target_url, session_id="one", texts=("old",), user_state={"k": "old"})
        store_session(target_url, session_id="two")
        cli("export", "--out", path, "-r", target_url)
        old = target.get("session:demo:ada:one")
        target.flushdb()
        store_session(target_url, session_id="one", texts=("new",), user_state={"k": "new"})
        new = target.get("session:demo:ada:one")

        failed = cli("import", path, "--on-conflict", "fail", "-r", target_url)
        assert (failed.code, "Nothing was written" in failed.err) == (
            1,
            True,
        )
        assert "demo/ada/one (line " in failed.err
        assert target.keys("session:*") == [b"session:demo:ada:one"]
        dry = cli("import", path, "--dry-run", "-r", target_url)
        assert dry.out == "Would import 1 session, 0 state values, 1 skipped.\n"
        assert target.keys("session:*") == [b"session:demo:ada:one"]
        skipped = cli("import", path, "-r", target_url)
        assert (skipped.code, skipped.out) == (
            0,
            "Imported 1 session, 0 state values, 1 skipped.\n",
        )
        assert target.get("session:demo:ada:one") == new
        target.persist("session:demo:ada:one")
        replaced = cli("import", path, "--on-conflict", "replace", "-r", target_url)
        assert "1 session (1 replaced), 1 state value, 1 unchanged" in replaced.out
        assert target.get("session:demo:ada:one") == old
        assert target.ttl("session:demo:ada:one") > 86_000
        assert target.hgetall("user_state:demo:ada") == {b"k": b'"old"'}

    def test_expiry(self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str) -> None:
        path = tmp_path / "x"
        lines = [
            json.dumps(session_record(expires_at="2020-01-01T00:00:00+00:00")),
            json.dumps({**session_record(), "session_id": "t", "document": PLAIN_DOCUMENT}),
        ]
        path.write_text("\n".join(lines))
        result = cli("import", path, "-r", target_url)
        assert result.out == "Imported 1 session, 0 state values, 1 expired.\n"
        assert "--ttl" in result.err
        assert "Imported 1 session" in cli("import", path, "--ttl", "2h", "-r", target_url).out
        assert target.ttl("session:a:u:s") == pytest.approx(7_200, abs=5)
        assert target.ttl("session:a:u:t") == -1

    def test_another_name_and_prefix(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        path = tmp_path / "x"
        store_session(target_url, session_id="one", texts=("a",), user_state={"k": 1})
        target.set("session:demo:ada:plain", PLAIN)
        cli("export", "--out", path, "-r", target_url)
        words = ("--rename-app", "demo=shop:2", "--prefix", "p:", "-r", target_url)
        assert "Imported 2 sessions, 1 state value" in cli("import", path, *words).out
        value = json.loads(target.get("p:session:shop%3A2:ada:one") or b"")
        assert (value["app_name"], value["event_count"]) == ("shop:2", 1)
        assert target.exists("p:user_state:shop%3A2:ada", "p:session:shop%3A2:ada:plain") == 2
        assert "2 unchanged" in cli("import", path, *words).out

        async def append() -> None:
            async with SessionStore(target_url, prefix="p:") as store:
                ref = SessionRef("shop:2", "ada", "one")
                await store.append(ref, {"id": "n", "timestamp": 2e9}, timestamp=2e9)
                stored = await store.read(ref)
                assert stored is not None
                assert len(stored.document.events) == 2

        asyncio.run(append())
        assert cli("import", path, "--rename-app", "demo", "-r", target_url).code == 2

    def test_a_key_that_holds_something_else(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        path = tmp_path / "x"
        store_session(target_url, session_id="one")
        store_session(target_url, session_id="two")
        cli("export", "--out", path, "-r", target_url)
        target.delete("session:demo:ada:one", "session:demo:ada:two")
        target.rpush("session:demo:ada:one", "not ours")
        for extra in ("--dry-run", "--on-conflict=replace"):
            result = cli("import", path, extra, "-r", target_url)
            assert result.code == 1
            assert "holds something that is not a session" in result.err
            assert " 1 session" in result.out
        assert target.lrange("session:demo:ada:one", 0, -1) == [b"not ours"]
        assert target.exists("session:demo:ada:two")


PLAIN_DOCUMENT = {"session_id": "t", "state": {}, "events": []}


def test_of_many_at_once_one_is_stored(target_url: str, target: redis.Redis) -> None:
    ref = SessionRef("a", "u", "s")

    async def race() -> None:
        async with SessionStore(target_url) as store:
            puts = [
                store.put([StoredValue(ref, b'{"events":[],"state":{"n":%d}}' % n, None)])
                for n in range(40)
            ]
            outcomes = [outcome for (outcome,) in await asyncio.gather(*puts)]
            assert outcomes.count(PutResult.STORED) == 1
            assert outcomes.count(PutResult.EXISTS) == 39

    asyncio.run(race())


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str, columns: int
) -> None:
    lines = [
        session_record(),
        session_record(expires_at="2020-01-01T00:00:00+00:00"),
        session_record(kind="what"),
        {"adksess": 1, "kind": "app_state", "app_name": "a", "state": {"k": 1, "l": 2}},
    ]
    (tmp_path / "x").write_text("\n".join(map(json.dumps, lines)))
    store_session(target_url, "a", "u", "s", texts=("other",))
    result = cli("import", tmp_path / "x", "-r", target_url, columns=columns)
    assert result.code == 1
    assert result.out == "Imported 0 sessions, 2 state values, 1 skipped, 1 expired, 1 rejected.\n"
    note = (
        "note: Not imported, since they exist with different content: 1 session. Use \n"
        "--on-conflict replace to overwrite.\n"
        if columns == 80
        else "note: Not imported, since they exist with different content: 1 session. Use "
        "--on-conflict replace to overwrite.\n"
    )
    assert result.err == (
        "error: line 3 was rejected: its kind is none of session, app_state, user_state.\n"
        + note
        + "note: Expired sessions are imported with a new expiry, such as --ttl 7d.\n"
    )


def test_a_full_server_keeps_what_it_stored_and_the_counts_say_so(cli: Cli, tmp_path: Path) -> None:
    sizes = {"a": 1_000, "b": 1_000, "c": 6_000_000, "d": 6_000_000, "e": 1_000}
    lines = []
    for name, size in sizes.items():
        document = document_record(state={"k": "x" * size})["document"] | {"session_id": name}
        lines.append(json.dumps(session_record(session_id=name, document=document)))
    (tmp_path / "x").write_text("\n".join(lines))
    options = {"maxmemory": "8mb", "maxmemory_policy": "noeviction"}
    with running(valkey_binary(), tmp_path / "server", **options) as server:
        result = cli("import", tmp_path / "x", "-r", server.url)
        with server.client() as client:
            client.config_set("maxmemory", "0")
            stored = client.keys("session:*")
        assert 1 <= len(stored) < len(sizes)
        assert result.out == f"Imported {counted(len(stored), 'session')}, 0 state values.\n"
        assert result.code != 0
        assert "memory" in result.err
        again = cli("import", tmp_path / "x", "-r", server.url)
        assert again.out.startswith(f"Imported {counted(len(sizes) - len(stored), 'session')}, ")
        assert f"{len(stored)} unchanged" in again.out
