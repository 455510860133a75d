"""Backups and moves on a cluster, where a session and its index are on different nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.sessions import store_session
from tests.cluster import running_cluster


def test_round_trip(cli: Callable[..., Any], tmp_path: Path, target_url: str) -> None:
    path = tmp_path / "all.ndjson"
    for number in range(20):
        store_session(target_url, session_id=f"session-{number}", texts=("a",), user_state={"k": 1})
    cli("export", "--out", path, "-r", target_url)
    with running_cluster(tmp_path / "cluster") as cluster:
        result = cli("import", path, "-r", cluster.url)
        assert result.out == "Imported 20 sessions, 1 state value.\n"
        assert "20 unchanged" in cli("import", path, "-r", cluster.url).out
        copy = tmp_path / "copy.ndjson"
        cli("export", "--out", copy, "-r", cluster.url)
        documents = [_documents(file) for file in (path, copy)]
        assert documents[0] == documents[1]
        assert "20 unchanged" in cli("migrate", "--to", cluster.url, "-r", target_url).out
        listed = cli("list", "-o", "ids", "-n", "0", "--user", "ada", "-r", cluster.url)
        assert len(listed.out.splitlines()) == 20


def _documents(path: Path) -> set[bytes]:
    lines = path.read_bytes().splitlines()
    return {line.partition(b',"document":')[2] for line in lines}
