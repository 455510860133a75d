"""`adksess export` and `adksess import`: what is imported equals what was exported."""

import asyncio
import gzip
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from adksess import SessionRef, SessionStore
from adksess.store.document import decode, find_tail
from adksess.store.keys import Keys
from adksess.store.models import PutResult, StoredValue
from adksess.store.state import StateDelta
from adksess.transfer import files
from tests.cli.sessions import store_session

Cli = Callable[..., Any]

PLAIN = b'{\n  "session_id": "plain",\n  "state": {"a": [1, 1.0]}, "events": []\n}'
TABBED = b'{\n\t"session_id": "tabbed",\n\t"state": {}, "events": []\n}\r\n'
ODD = {
    "": "empty key",
    'quo"te,\n': [],
    "float": 1.0,
    "big": 2**70,
    "none": None,
    "line": "\u2028 \x1b[31m \t",
    "emoji": "\U0001f600",
}


@pytest.fixture
def filled(target: redis.Redis, target_url: str) -> dict[bytes, tuple[bytes, int]]:
    """Sessions of every kind. Their values and TTLs in seconds by key."""
    store_session(target_url, "demo", "ada", "one", texts=("a", "b\u2028"), state=ODD)
    store_session(target_url, "demo", "ada", "own-ttl", texts=("x",), ttl=500)
    store_session(target_url, "demo", "bob", "for-ever", ttl=0, user_state={"k": [1, {"x": None}]})
    store_session(target_url, "a:b%", "c*", "d:e", texts=("x",) * 40, state={"big": "x" * 9_000})
    store_session(target_url, "a:b%", "c*", "shrunk", state={"big": "x" * 9_000})

    async def shrink() -> None:
        async with SessionStore(target_url) as store:
            ref = SessionRef("a:b%", "c*", "shrunk")
            event = {"id": "e", "timestamp": time.time()}
            await store.append(
                ref, event, StateDelta({"big": ""}, app={"n": 1.5}), timestamp=time.time()
            )

    asyncio.run(shrink())
    target.set("session:demo:ada:plain", PLAIN, ex=700)
    target.set("session:demo:ada:tabbed", TABBED)
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


def test_the_lines_are_what_the_documentation_says(
    cli: Cli, target: redis.Redis, target_url: str
) -> None:
    store_session(target_url, "demo", "ada", "one", user_state={"name": "Ada"}, ttl=3_600)
    first, second = map(json.loads, cli("export", "-r", target_url).out.splitlines())
    expires = first.pop("expires_at")
    assert first == {
        "adksess": 1,
        "kind": "session",
        "app_name": "demo",
        "user_id": "ada",
        "session_id": "one",
        "document": json.loads(target.get("session:demo:ada:one") or b""),
    }
    assert expires.endswith("+00:00")
    assert second == {
        "adksess": 1,
        "kind": "user_state",
        "app_name": "demo",
        "user_id": "ada",
        "state": {"name": "Ada"},
    }


@pytest.mark.usefixtures("filled")
class TestSelection:
    def _ids(self, result: Any) -> list[str]:
        records = [json.loads(line) for line in result.out.split("\n") if line]
        return sorted(r["session_id"] for r in records if r["kind"] == "session")

    def test_ids_and_filters(self, cli: Cli, target_url: str) -> None:
        assert self._ids(cli("export", "own-ttl", "-r", target_url)) == ["own-ttl"]
        bob = cli("export", "--app", "demo", "--user", "bob", "-r", target_url)
        assert self._ids(bob) == ["for-ever"]
        assert '"kind":"user_state"' in bob.out
        assert self._ids(cli("export", "--user", "bob", "-r", target_url)) == ["for-ever"]
        other = cli("export", "--app", "a:b%", "-r", target_url)
        assert self._ids(other) == ["d:e", "shrunk"]
        assert '"kind":"app_state"' in other.out
        assert "bob" not in other.out
        never = cli("export", "--no-ttl", "-r", target_url)
        assert self._ids(never) == ["for-ever", "tabbed"]
        assert '"user_id":"bob","state"' in never.out

    def test_an_id_that_is_not_there(self, cli: Cli, target_url: str) -> None:
        result = cli("export", "own-ttl", "nowhere", "-r", target_url)
        assert (result.code, self._ids(result)) == (3, ["own-ttl"])
        assert cli("export", "own-ttl", "--app", "demo", "-r", target_url).code == 2

    def test_what_cannot_be_read_is_named(
        self, cli: Cli, target: redis.Redis, target_url: str
    ) -> None:
        target.set("session:demo:ada:broken", "{")
        target.rpush("session:demo:ada:list", "x")
        result = cli("export", "--app", "demo", "-r", target_url)
        assert result.code == 1
        assert "demo/ada/broken was not exported" in result.err
        assert len(self._ids(result)) == 5


class TestFiles:
    def test_an_interruption_leaves_what_was_there(
        self, tmp_path: Path, cli: Cli, target_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store_session(target_url, session_id="one")
        path = tmp_path / "all.ndjson"
        path.write_text("the backup of yesterday")

        async def stop(*args: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(SessionStore, "values", stop)
        assert cli("export", "--out", path, "-r", target_url).code == 130
        assert path.read_text() == "the backup of yesterday"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_folder_that_is_not_there(self, cli: Cli, tmp_path: Path, target_url: str) -> None:
        result = cli("export", "--out", tmp_path / "no" / "all.ndjson", "-r", target_url)
        assert (result.code, "Cannot write" in result.err) == (1, True)
        result = cli("import", tmp_path / "no", "-r", target_url)
        assert (result.code, "Cannot read" in result.err) == (1, True)

    def test_no_server_no_file(self, cli: Cli, tmp_path: Path) -> None:
        result = cli("export", "--out", tmp_path / "x", "-r", "redis://127.0.0.1:1")
        assert (result.code, list(tmp_path.iterdir())) == (4, [])

    def test_a_compressed_file_that_breaks_off(
        self, cli: Cli, tmp_path: Path, target_url: str
    ) -> None:
        path = tmp_path / "all.gz"
        path.write_bytes(gzip.compress(b"x\n" * 5_000)[:-20])
        result = cli("import", path, "-r", target_url)
        assert (result.code, "damaged or incomplete" in result.err) == (1, True)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_stdin_compressed_or_not(
        self, cli: Cli, target: redis.Redis, target_url: str, pack: Callable[[bytes], bytes]
    ) -> None:
        store_session(target_url, session_id="one")
        lines = cli("export", "-r", target_url).out.encode()
        target.flushdb()
        words = ["import", "-", "--on-conflict", "fail", "-r", target_url]
        result = subprocess.run(
            [sys.executable, "-m", "adksess", *words],
            input=pack(lines),
            capture_output=True,
            check=True,
        )
        assert b"Imported 1 session," in result.stdout


def _session(**changes: Any) -> dict[str, Any]:
    document = {"app_name": "a", "user_id": "u", "session_id": "s", "state": {}, "events": []}
    record = {"adksess": 1, "kind": "session", "app_name": "a", "user_id": "u"}
    return record | {"session_id": "s", "expires_at": None, "document": document} | changes


def _document(**changes: Any) -> dict[str, Any]:
    return _session(document=_session()["document"] | changes)


REFUSED: list[tuple[str, Any]] = [
    ("not JSON", "{se\x1bcret"),
    ("not JSON", '{"adksess":1,"kind":"session","app_na'),
    ("not a record", {"secret": 1}),
    ("not a record", ["secret"]),
    ("not version 1", _session(adksess=2)),
    ("kind is none of", _session(kind="secret")),
    ("app_name is not a text", _session(app_name=7)),
    ("session_id is blank", _session(session_id=" ")),
    ("app_name is not Unicode", '{"adksess":1,"kind":"app_state","app_name":"\\ud800","state":{}}'),
    ("no document", _session(document="secret")),
    ("expires_at is not a time", _session(expires_at="secret")),
    ("expires_at is not a time", _session(expires_at=7)),
    ("names are not those", _document(user_id="secret")),
    ("not a session", _document(events="secret")),
    ("not a session", _document(events=["secret"])),
    ("no timestamp", _document(events=[{"id": "secret"}])),
    ("not a session", _document(state="secret")),
    ("state is not an object", {"adksess": 1, "kind": "app_state", "app_name": "a", "state": 1}),
    ("user_id is not a text", {"adksess": 1, "kind": "user_state", "app_name": "a", "state": {}}),
]


class TestImport:
    @pytest.mark.parametrize(("why", "line"), REFUSED)
    def test_a_bad_line_is_refused_and_the_others_go_on(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str, why: str, line: Any
    ) -> None:
        path = tmp_path / "x"
        text = line if isinstance(line, str) else json.dumps(line)
        good = _session() | {"session_id": "good"}
        good["document"] = good["document"] | {"session_id": "good"}
        path.write_text(f"\n{text}\n{json.dumps(good)}\n", encoding="utf-8")
        result = cli("import", path, "-r", target_url)
        assert result.code == 1
        assert "line 2 was rejected: " in result.err
        assert why in result.err
        assert "secret" not in result.err
        assert "Imported 1 session, 0 state values, 1 rejected." in result.out
        assert target.keys("session:*") == [b"session:a:u:good"]

    def test_a_frame_that_only_looks_right_is_made_right(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        store_session(target_url, session_id="one", texts=("a", "b"), state={"x": 1, "y": 2})
        line = cli("export", "-r", target_url).out
        value = target.get("session:demo:ada:one")
        path = tmp_path / "x"
        # the state's entries on one line: an append would miss them
        assert '\t"x":1,\t"y":2\t' in line
        for text in (
            line.replace('"x":1,\t"y":2', '"x":1, "y":2'),
            json.dumps(json.loads(line)),
            json.dumps({"document": json.loads(line)["document"]} | json.loads(line)),
        ):
            target.flushdb()
            path.write_text(text)
            assert cli("import", path, "-r", target_url).code == 0
            assert target.get("session:demo:ada:one") == value
        path.write_text(line.replace('"event_count":         2', '"event_count":         3'))
        assert "event_count" in cli("import", path, "-r", target_url).err

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
        assert (failed.code, "Nothing was written: 1 session and 1 state value" in failed.err) == (
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
            json.dumps(_session(expires_at="2020-01-01T00:00:00+00:00")),
            json.dumps({**_session(), "session_id": "t", "document": PLAIN_DOCUMENT}),
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


def test_lines_are_numbered_as_an_editor_does() -> None:
    data = b"a\n\n  \nb\xe2\x80\xa8c\nd"
    found = list(files.read_lines(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]
    assert found == [(1, b"a\n"), (4, b"b\xe2\x80\xa8c\n"), (5, b"d")]
