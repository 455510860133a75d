"""`adksess export`: which sessions it writes, and when it replaces a file."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from adksess import SessionStore
from tests.cli.sessions import store_all_kinds, store_session

Cli = Callable[..., Any]


def test_lines_have_the_documented_fields(cli: Cli, target: redis.Redis, target_url: str) -> None:
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


class TestSelection:
    @pytest.fixture(autouse=True)
    def _filled(self, target: redis.Redis, target_url: str) -> None:
        store_all_kinds(target_url)

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

    def test_a_missing_id(self, cli: Cli, target_url: str) -> None:
        result = cli("export", "own-ttl", "nowhere", "-r", target_url)
        assert (result.code, self._ids(result)) == (3, ["own-ttl"])
        assert cli("export", "own-ttl", "--app", "demo", "-r", target_url).code == 2

    def test_unreadable_sessions_are_named(
        self, cli: Cli, target: redis.Redis, target_url: str
    ) -> None:
        target.set("session:demo:ada:broken", "{")
        target.rpush("session:demo:ada:list", "x")
        result = cli("export", "--app", "demo", "-r", target_url)
        assert result.code == 1
        assert "demo/ada/broken was not exported" in result.err
        assert len(self._ids(result)) == 5


class TestFiles:
    def test_an_interruption_keeps_the_existing_file(
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

    def test_a_missing_folder(self, cli: Cli, tmp_path: Path, target_url: str) -> None:
        path = tmp_path / "no" / "all.ndjson"
        result = cli("export", "--out", path, "-r", target_url)
        assert result.code == 1
        assert result.err == (
            f"error: Cannot write {path}: there is no folder {path.parent}. Create it, or choose "
            "another path.\n"
        )
        result = cli("import", tmp_path / "no", "-r", target_url)
        assert (result.code, "Cannot read" in result.err) == (1, True)

    def test_an_unreachable_server_leaves_no_file(self, cli: Cli, tmp_path: Path) -> None:
        result = cli("export", "--out", tmp_path / "x", "-r", "redis://127.0.0.1:1")
        assert (result.code, list(tmp_path.iterdir())) == (4, [])


class TestNothingSelected:
    """A mistyped filter must not replace a good backup by an empty file."""

    @pytest.fixture
    def backup(self, tmp_path: Path, target_url: str) -> Path:
        store_session(target_url, session_id="one", user_state={"k": 1})
        path = tmp_path / "backup.ndjson"
        path.write_text("the backup of yesterday\n")
        return path

    @pytest.mark.parametrize(
        "words", [("--app", "dmeo"), ("--app", "demo", "--user", "aad"), ("nowhere",)], ids=str
    )
    def test_the_existing_file_is_not_changed(
        self, cli: Cli, backup: Path, target_url: str, words: tuple[str, ...]
    ) -> None:
        before = backup.stat()
        result = cli("export", *words, "--out", backup, "-r", target_url)
        assert (result.code, result.out) == (3, "")
        assert f"{backup} was not written" in result.err
        assert backup.read_text() == "the backup of yesterday\n"
        assert backup.stat().st_mtime_ns == before.st_mtime_ns
        assert list(backup.parent.iterdir()) == [backup]

    def test_an_empty_list_of_ids(self, backup: Path, target_url: str) -> None:
        command = [sys.executable, "-m", "adksess", "export", "-", "--out", str(backup)]
        done = subprocess.run(
            [*command, "-r", target_url], input=b"", capture_output=True, check=False
        )
        assert done.returncode == 3
        assert backup.read_text() == "the backup of yesterday\n"

    def test_allow_empty_writes_it(self, cli: Cli, backup: Path, target_url: str) -> None:
        words = ("--app", "dmeo", "--allow-empty", "--out", backup, "-r", target_url)
        result = cli("export", *words)
        assert (result.code, backup.read_text()) == (0, "")
        assert (
            cli("import", backup, "-r", target_url).out == "Imported 0 sessions, 0 state values.\n"
        )


class TestSymlinks:
    def test_the_target_is_written_and_the_link_kept(
        self, cli: Cli, tmp_path: Path, target_url: str
    ) -> None:
        store_session(target_url, session_id="one")
        folder = tmp_path / "disk"
        folder.mkdir()
        link = tmp_path / "latest.ndjson"
        link.symlink_to("disk/today.ndjson")
        for _ in range(2):  # a target that is missing, then one that exists
            assert cli("export", "--out", link, "-r", target_url).code == 0
            assert link.readlink() == Path("disk/today.ndjson")
            assert json.loads((folder / "today.ndjson").read_text())["session_id"] == "one"
        assert sorted(path.name for path in tmp_path.rglob("*")) == [
            "disk",
            "latest.ndjson",
            "today.ndjson",
        ]

    def test_a_loop_of_links_is_an_error(self, cli: Cli, tmp_path: Path, target_url: str) -> None:
        store_session(target_url, session_id="one")
        link = tmp_path / "link"
        link.symlink_to(link)
        result = cli("export", "--out", link, "-r", target_url)
        assert (result.code, "Cannot write" in result.err) == (1, True)
        assert "Traceback" not in result.err


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    cli: Cli,
    tmp_path: Path,
    target: redis.Redis,
    target_url: str,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store_session(target_url, session_id="one", ttl=0)
    target.set("session:demo:ada:broken", "{")
    path = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    result = cli("export", "--out", "out", "-r", target_url, columns=columns)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "Exported 1 session and the state of 0 apps and users to out "
        f"({path.stat().st_size} bytes).\n"
        "warning: demo/ada/broken was not exported: it is not a session document.\n"
    )
    assert path.read_text().count("\n") == 1
