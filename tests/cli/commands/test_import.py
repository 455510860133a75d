"""`adksess import`: what is imported equals what was exported, and nothing else is stored."""

import asyncio
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis

from adksess import SessionRef, SessionStore
from adksess.cli.render.text import counted
from adksess.store.document import decode, find_tail
from adksess.store.keys import Keys
from adksess.store.models import PutResult, StoredValue
from adksess.transfer import files
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


class TestFiles:
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


INVALID: list[tuple[str, Any]] = [
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
    @pytest.mark.parametrize(("why", "line"), INVALID)
    def test_an_invalid_line_is_rejected_and_the_others_imported(
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

    def test_a_document_in_a_similar_layout_is_converted(
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


def _own(**changes: Any) -> dict[str, Any]:
    """The record of a session in our layout, with some fields of its document changed."""
    moment = "2026-11-25T10:00:00.000000+00:00"
    document = {
        "app_name": "a",
        "user_id": "u",
        "session_id": "s",
        "events": [{"id": "e1", "timestamp": 5.0}],
        "state": {"k": 1},
        "created_at": moment,
        "updated_at": moment,
        "newest_event_time": 5.0,
        "last_update_time": 5.0,
        "event_count": 1,
        "tail_bytes": 217,
    }
    return _session(document=document | changes)


class TestCraftedDocuments:
    """Only validated documents are stored, for any text of a line."""

    CRAFTED: ClassVar[list[tuple[str, str]]] = (
        [
            (json.dumps(_own(ttl=value)), "ttl")
            for value in (True, 0, -5, 1.5, "60", 10**16, [1], '1},"state":{"admin":true')
        ]
        + [
            (
                json.dumps(_own()).replace(
                    '"last_update_time": 5.0', f'"last_update_time": {value}'
                ),
                why,
            )
            for value, why in (
                ("NaN", "not a session"),
                ("1e999", "not a session"),
                ("true", "not a"),
            )
        ]
        + [
            (json.dumps(_own(events=[{"id": "e", "timestamp": float("nan")}])), "no timestamp"),
            (json.dumps(_own(events=[{"id": "e", "timestamp": 1e400}])), "no timestamp"),
            (json.dumps(_own(event_count=-1)), "event_count"),
            (json.dumps(_own(event_count=True)), "event_count"),
            (json.dumps(_own(created_at="yesterday")), "not a session"),
            (json.dumps(_own(extra=1)), "does not know"),
            (json.dumps(_own(state=[1])), "state"),
            (json.dumps(_own(events=[1])), "event 1"),
            (json.dumps(_session(session_id=" s")), "white space"),
            (json.dumps(_session(session_id="s\n")), "white space"),
        ]
    )

    @pytest.mark.parametrize(("line", "why"), CRAFTED)
    def test_a_document_that_is_invalid_is_rejected(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str, line: str, why: str
    ) -> None:
        for text in (line, _with_tabs(line)):
            (tmp_path / "x").write_text(text)
            result = cli("import", tmp_path / "x", "-r", target_url)
            assert result.code == 1, text
            assert why in result.err
            assert target.keys("session:*") == []

    @pytest.mark.parametrize(
        "events",
        [
            # events that a reader of lines would take apart elsewhere than a reader of JSON
            '[\t{"id":"e1","timestamp":5.0,\t"x":[{"a":1},\t{"b":2}]}\t]',
            '[\t{"id":"e1","timestamp":5.0},\t{"id":\t"e2","timestamp":6.0}\t]',
            '[{"id":"e1","timestamp":5.0\t],"state":{\t"admin":true}}]',
            '[\t{"id":"e1","timestamp":5.0,"x":"\\t],\\"state\\":{\\t"}\t]',
        ],
    )
    @pytest.mark.parametrize("separator", ["\t", " "])
    def test_what_is_stored_is_what_json_says(
        self,
        cli: Cli,
        tmp_path: Path,
        target: redis.Redis,
        target_url: str,
        events: str,
        separator: str,
    ) -> None:
        record = json.dumps(_own(), separators=(",", ":"))
        line = record.replace('[{"id":"e1","timestamp":5.0}]', events)
        line = line.replace('"state":{"k":1}', '"state":{\t"k":1\t}').replace("\t", separator)
        try:
            document = json.loads(line)["document"]
            line = line.replace('"event_count":1', f'"event_count":{len(document["events"])}')
        except ValueError:
            document = None
        (tmp_path / "x").write_text(line)
        result = cli("import", tmp_path / "x", "-r", target_url)
        if document is None:
            assert (result.code, target.keys("session:*")) == (1, [])
            return
        assert result.code == 0, result.err
        value = target.get("session:a:u:s") or b""
        stored = json.loads(value)
        assert stored["events"] == document["events"]
        assert stored["state"] == document["state"] == {"k": 1}
        lines = decode(value, SessionRef("a", "u", "s")).events
        assert [json.loads(event) for event in lines] == document["events"]

    def test_text_like_a_tail_is_not_read_as_the_tail(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        text = json.dumps(_own(state={"k": '\n],"state":{\n"admin":true\n},"created_at":'}))
        (tmp_path / "x").write_text(text)
        assert cli("import", tmp_path / "x", "-r", target_url).code == 0
        stored = decode(target.get("session:a:u:s") or b"", SessionRef("a", "u", "s"))
        assert list(stored.tail.state) == ["k"]


def _with_tabs(line: str) -> str:
    """The line in the layout that an export has, as far as its JSON allows."""
    text = json.dumps(json.loads(line), separators=(",", ":")) if "1e999" not in line else line
    return text.replace('"events":[{', '"events":[\t{').replace('}],"state":{', '}\t],"state":{')


class TestWrongFiles:
    FILES: ClassVar = [
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "it is not text"),
        ("passwd", b"root:x:0:0:root:/root:/bin/bash\n" * 3_000, "neither an export of adksess"),
        ("utf-16", (json.dumps(_session()) + "\n").encode("utf-16") * 2, "UTF-16"),
        ("utf-16-be", (json.dumps(_session()) + "\n").encode("utf-16-be") * 2, "not text"),
        ("array", json.dumps([_session()]).encode(), "JSON array"),
        ("pretty array", json.dumps([_session()], indent=1).encode(), "JSON array"),
        ("other", b'{"a": 1}\n' * 200, "neither an export of adksess"),
    ]

    @pytest.mark.parametrize(("name", "content", "why"), FILES, ids=[name for name, *_ in FILES])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_one_sentence_and_nothing_imported(
        self,
        cli: Cli,
        tmp_path: Path,
        target: redis.Redis,
        target_url: str,
        name: str,
        content: bytes,
        why: str,
        pack: Callable[[bytes], bytes],
    ) -> None:
        path = tmp_path / name
        path.write_bytes(pack(content))
        result = cli("import", path, "-r", target_url)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"error: Cannot import {path}: ")
        assert why in result.err
        assert result.err.endswith("Nothing was imported.\n")
        assert result.err.count("\n") == 1
        assert target.keys("*") == []

    def test_a_byte_order_mark_is_ignored(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        (tmp_path / "x").write_text(json.dumps(_session()), encoding="utf-8-sig")
        assert cli("import", tmp_path / "x", "-r", target_url).code == 0
        assert target.keys("session:*") == [b"session:a:u:s"]


class TestInterrupted:
    def _lines(self, count: int) -> bytes:
        return b"".join(
            json.dumps(
                _session(
                    session_id=f"s{n}", document=_document()["document"] | {"session_id": f"s{n}"}
                )
            ).encode()
            + b"\n"
            for n in range(count)
        )

    def test_a_truncated_gzip_file_imports_its_whole_lines_and_counts_them(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        whole = gzip.compress(self._lines(500), 1)
        (tmp_path / "x.gz").write_bytes(whole[: len(whole) // 2])
        result = cli("import", tmp_path / "x.gz", "-r", target_url)
        stored = len(target.keys("session:*"))
        assert stored > 100
        assert result.code == 1
        assert result.out == f"Imported {stored} sessions, 0 state values.\n"
        assert f"damaged or incomplete after line {stored}" in result.err

    def test_lines_over_the_limit_are_rejected(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        big = json.dumps(_own(state={"k": "x" * 1_500_000}))
        (tmp_path / "x").write_bytes(self._lines(1) + big.encode() + b"\n" + self._lines(2))
        words = ("import", tmp_path / "x", "-r", target_url)
        result = cli(*words, "--max-line", "1")
        assert result.code == 1
        assert "line 2 was rejected: it is longer than 1 MiB" in result.err
        assert "--max-line" in result.err
        assert result.out == "Imported 2 sessions, 0 state values, 1 unchanged, 1 rejected.\n"
        assert cli(*words).code == 0

    def test_a_number_of_a_million_digits_is_rejected(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        (tmp_path / "x").write_text(
            json.dumps(_own()).replace('"k": 1', f'"k": {"7" * 1_000_000}') + "\n"
        )
        result = cli("import", tmp_path / "x", "-r", target_url)
        assert result.code == 1
        assert "line 1 was rejected" in result.err
        assert target.keys("*") == []


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str, columns: int
) -> None:
    lines = [
        _session(),
        _session(expires_at="2020-01-01T00:00:00+00:00"),
        _session(kind="what"),
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
        document = _document(state={"k": "x" * size})["document"] | {"session_id": name}
        lines.append(json.dumps(_session(session_id=name, document=document)))
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


def test_exports_of_version_0_1_are_read(
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
) -> None:
    """Their documents are stored as text with tabs."""
    text = '{\n\t"session_id": "s",\n\t"state": {"a": [1, 1.0]}, "events": []\n}\r\n'
    record = {k: v for k, v in _session().items() if k != "document"} | {"document_text": text}
    broken = record | {"document_text": "{", "session_id": "t"}
    (tmp_path / "x").write_text(f"{json.dumps(record)}\n{json.dumps(broken)}\n")
    result = cli("import", tmp_path / "x", "-r", target_url)
    assert (result.code, "document_text is not JSON" in result.err) == (1, True)
    assert json.loads(target.get("session:a:u:s") or b"")["state"] == {"a": [1, 1.0]}
    assert target.keys("session:*") == [b"session:a:u:s"]
