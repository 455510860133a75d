"""Backups, moves, search and tail on a cluster: a session and its index are on two nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from adksess.conversation.overview import read_statuses
from adksess.conversation.search import SearchOptions, search
from adksess.conversation.status import Status
from adksess.conversation.tail import Tail
from adksess.conversation.text_pattern import TextPattern
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore
from tests.cli.sessions import said, store_session
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


async def test_search_tail_and_status(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster") as cluster:
        async with SessionStore(cluster.url) as store:
            refs = [SessionRef("demo", f"user{n % 3}", f"s{n}") for n in range(12)]
            tail = Tail(store, SessionFilter())
            await tail.start()
            for number, ref in enumerate(refs):
                await store.create(ref)
                stamp = await store.now()
                event = said("user", f"needle {number}", timestamp=stamp)
                await store.append(ref, event, timestamp=stamp)
            given: list[SessionRef] = []
            while len(given) < len(refs):
                given += [new.ref for new in await tail.poll()]
            assert sorted(given) == sorted(refs)
            assert await tail.poll() == []
            options = SearchOptions(TextPattern("needle"))
            found = [m async for ms in search(store, SessionFilter(), options) for m in ms]
            assert {match.ref for match in found} == set(refs)
            statuses = await read_statuses(store, refs)
            assert {item.status for item in statuses.values()} == {Status.UNANSWERED}
