"""`adksess delete --backup` and `--report`: what the files hold, and what is deleted."""

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.store import SessionStore
from adksess.transfer import exporter
from tests.cli.sessions import ids_in, store_session
from tests.conftest import Run

pytestmark = pytest.mark.usefixtures("three")


@pytest.mark.parametrize("name", ["backup.ndjson", "backup.ndjson.gz"])
def test_what_is_deleted_can_be_imported_again(
    run: Run, database: redis.Redis, tmp_path: Path, name: str
) -> None:
    before = {key: database.get(key) for key in database.keys("session:demo:*")}
    state = database.hgetall("user_state:demo:ada")
    file = tmp_path / name
    words = ("--app", "demo", "--user", "ada", "--with-user-state", "--backup", file)
    result = run("delete", *words, "--yes")
    wrote = f"Wrote 2 sessions to {file}: adksess import restores them."
    assert (result.code, result.err.splitlines()[0]) == (0, wrote)
    assert ids_in(run) == {"bob-first"}
    assert not database.exists("user_state:demo:ada")
    assert run("import", file).code == 0
    assert {key: database.get(key) for key in database.keys("session:demo:*")} == before
    assert database.hgetall("user_state:demo:ada") == state


def test_a_backup_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "backup.ndjson"
    file.write_text("an older backup")
    result = run("delete", "--app", "demo", "--backup", file, "--yes")
    assert result.code == 2
    assert "a backup is never overwritten" in result.err
    assert (file.read_text(), len(ids_in(run))) == ("an older backup", 3)


def test_without_a_backup_nothing_is_deleted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "backup.ndjson"
    result = run("delete", "--app", "demo", "--backup", file, "--yes")
    assert (result.code, result.out) == (1, "")
    assert len(ids_in(run)) == 3
    assert run("delete", "--app", "demo", "--backup", tmp_path / "x", "--dry-run").code == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_used_after_the_backup_or_not_in_it_is_kept(
    run: Run, database: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.set("session:demo:ada:broken", "no session")
    export = exporter.export_listed

    async def export_then_append(store: SessionStore, *args: Any) -> list[SessionSummary]:
        written = await export(store, *args)
        event = {"id": "e9", "timestamp": 1_795_000_000.0, "author": "user"}
        await store.append(SessionRef("demo", "ada", "ada-first"), event, timestamp=1_795_000_000.0)
        return written

    monkeypatch.setattr(exporter, "export_listed", export_then_append)
    file = tmp_path / "backup.ndjson"
    result = run(
        "delete", "ada-first", "ada-second", "session:demo:ada:broken", "--backup", file, "--yes"
    )
    assert result.code == 0
    assert "demo/ada/ada-first was used in the meantime and was kept." in result.err
    assert "demo/ada/broken was not changed: it is not a session document." in result.err
    assert database.exists("session:demo:ada:broken")
    assert ids_in(run) == {"ada-first", "bob-first"}


def test_sessions_of_other_tools_are_backed_up_and_deleted(
    run: Run, database: redis.Redis, tmp_path: Path
) -> None:
    database.set("session:demo:ada:plain", '{"events": [], "state": {"a": 1}}')
    file = tmp_path / "backup.ndjson"
    assert run("delete", "plain", "--backup", file, "--yes").code == 0
    assert not database.exists("session:demo:ada:plain")
    assert json.loads(file.read_text())["session_id"] == "plain"


def test_the_report_answers_an_erasure_request(
    run: Run, database: redis.Redis, valkey_url: str, tmp_path: Path
) -> None:
    store_session(valkey_url, "other", "ada", "elsewhere", user_state={"name": "Ada"})
    file = tmp_path / "report.json"
    words = ("--user", "ada", "--all-apps", "--with-user-state", "--report", file, "--yes")
    assert run("delete", *words).code == 0
    report = json.loads(file.read_text())
    assert report.pop("started_at") <= report.pop("finished_at")
    assert report.pop("size_bytes_deleted") > 600
    assert len(report.pop("not_covered")) == 5
    assert report == {
        "user_ids": ["ada"],
        "app_names": None,
        "redis_url": valkey_url,
        "prefix": "",
        "sessions_deleted": 3,
        "state_hashes_deleted": 2,
        "sessions_left": [],
        "user_states_left": [],
        "is_complete": True,
    }
    assert ids_in(run) == {"bob-first"}


def test_a_report_fails_if_anything_is_left(
    run: Run, database: redis.Redis, tmp_path: Path
) -> None:
    database.hset("session:demo:ada:hash", "a", "b")
    file = tmp_path / "report.json"
    result = run("delete", "--user", "ada", "--app", "demo", "--report", file, "--yes")
    assert result.code == 1
    assert "1 session and the state of 1 user are left" in result.err
    report = json.loads(file.read_text())
    left = {"app_name": "demo", "user_id": "ada"}
    assert report["sessions_left"] == [left | {"session_id": "hash"}]
    assert report["user_states_left"] == [left]
    assert report["is_complete"] is False


@pytest.mark.parametrize("option", ["--report", "--backup"])
def test_nothing_is_deleted_if_a_file_cannot_be_written(
    run: Run, tmp_path: Path, option: str
) -> None:
    file = tmp_path / "no" / "file.json"
    result = run("delete", "--user", "ada", "--app", "demo", option, file, "--yes")
    assert (result.code, result.out) == (1, "")
    folder = f"there is no folder {file.parent}."
    assert result.err.startswith(f"error: Cannot write {file}: {folder} Create it, or choose")
    assert len(ids_in(run)) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--app", "demo", "--report", "x"],
        ["--user", "ada", "--idle", "1d", "--report", "x"],
        ["ada-first", "--report", "x"],
        ["--user", "ada", "--app", "demo", "--all-apps"],
        ["--app", "demo", "--all-apps"],
    ],
)
def test_contradicting_options_are_rejected(run: Run, words: list[str]) -> None:
    assert run("delete", *words, "--yes").code == 2
    assert len(ids_in(run)) == 3
