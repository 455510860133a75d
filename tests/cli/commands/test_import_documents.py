"""`adksess import`: only validated documents are stored, for any text of a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis

from adksess import SessionRef
from adksess.store.document import decode
from tests.cli.records import document_record, own_record, session_record
from tests.cli.sessions import store_session

Cli = Callable[..., Any]

INVALID: list[tuple[str, Any]] = [
    ("not JSON", "{se\x1bcret"),
    ("not JSON", '{"adksess":1,"kind":"session","app_na'),
    ("not a record", {"secret": 1}),
    ("not a record", ["secret"]),
    ("not version 1", session_record(adksess=2)),
    ("kind is none of", session_record(kind="secret")),
    ("app_name is not a text", session_record(app_name=7)),
    ("session_id is blank", session_record(session_id=" ")),
    ("app_name is not Unicode", '{"adksess":1,"kind":"app_state","app_name":"\\ud800","state":{}}'),
    ("no document", session_record(document="secret")),
    ("expires_at is not a time", session_record(expires_at="secret")),
    ("expires_at is not a time", session_record(expires_at=7)),
    ("names are not those", document_record(user_id="secret")),
    ("not a session", document_record(events="secret")),
    ("not a session", document_record(events=["secret"])),
    ("no timestamp", document_record(events=[{"id": "secret"}])),
    ("not a session", document_record(state="secret")),
    ("state is not an object", {"adksess": 1, "kind": "app_state", "app_name": "a", "state": 1}),
    ("user_id is not a text", {"adksess": 1, "kind": "user_state", "app_name": "a", "state": {}}),
]


@pytest.mark.parametrize(("why", "line"), INVALID)
def test_an_invalid_line_is_rejected_and_the_others_imported(
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str, why: str, line: Any
) -> None:
    path = tmp_path / "x"
    text = line if isinstance(line, str) else json.dumps(line)
    good = session_record() | {"session_id": "good"}
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
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
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


class TestCraftedDocuments:
    """Only validated documents are stored, for any text of a line."""

    CRAFTED: ClassVar[list[tuple[str, str]]] = (
        [
            (json.dumps(own_record(ttl=value)), "ttl")
            for value in (True, 0, -5, 1.5, "60", 10**16, [1], '1},"state":{"admin":true')
        ]
        + [
            (
                json.dumps(own_record()).replace(
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
            (
                json.dumps(own_record(events=[{"id": "e", "timestamp": float("nan")}])),
                "no timestamp",
            ),
            (json.dumps(own_record(events=[{"id": "e", "timestamp": 1e400}])), "no timestamp"),
            (json.dumps(own_record(event_count=-1)), "event_count"),
            (json.dumps(own_record(event_count=True)), "event_count"),
            (json.dumps(own_record(created_at="yesterday")), "not a session"),
            (json.dumps(own_record(extra=1)), "does not know"),
            (json.dumps(own_record(state=[1])), "state"),
            (json.dumps(own_record(events=[1])), "event 1"),
            (json.dumps(session_record(session_id=" s")), "white space"),
            (json.dumps(session_record(session_id="s\n")), "white space"),
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
        record = json.dumps(own_record(), separators=(",", ":"))
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
        text = json.dumps(own_record(state={"k": '\n],"state":{\n"admin":true\n},"created_at":'}))
        (tmp_path / "x").write_text(text)
        assert cli("import", tmp_path / "x", "-r", target_url).code == 0
        stored = decode(target.get("session:a:u:s") or b"", SessionRef("a", "u", "s"))
        assert list(stored.tail.state) == ["k"]


def _with_tabs(line: str) -> str:
    """The line in the layout that an export has, as far as its JSON allows."""
    text = json.dumps(json.loads(line), separators=(",", ":")) if "1e999" not in line else line
    return text.replace('"events":[{', '"events":[\t{').replace('}],"state":{', '}\t],"state":{')


def test_exports_of_version_0_1_are_read(
    cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
) -> None:
    """Their documents are stored as text with tabs."""
    text = '{\n\t"session_id": "s",\n\t"state": {"a": [1, 1.0]}, "events": []\n}\r\n'
    record = {k: v for k, v in session_record().items() if k != "document"} | {
        "document_text": text
    }
    broken = record | {"document_text": "{", "session_id": "t"}
    (tmp_path / "x").write_text(f"{json.dumps(record)}\n{json.dumps(broken)}\n")
    result = cli("import", tmp_path / "x", "-r", target_url)
    assert (result.code, "document_text is not JSON" in result.err) == (1, True)
    assert json.loads(target.get("session:a:u:s") or b"")["state"] == {"a": [1, 1.0]}
    assert target.keys("session:*") == [b"session:a:u:s"]
