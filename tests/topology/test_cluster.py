"""A cluster of three primaries: where keys go, and a node that is lost."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store import indexes, scripts, write
from adksess.store.connect import Client, new_client
from adksess.store.errors import ServerUnavailable, SessionExists
from adksess.store.settings import Settings
from tests.aging import age
from tests.cluster import Cluster, running_cluster
from tests.events import event, texts
from tests.servers import wait_until
from tests.topology.conversation import converse, manage

APP = "demo"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


async def test_every_operation(cluster: Cluster) -> None:
    async with RedisSessionService(cluster.url, prefix="every:") as service:
        await converse(service)
        await manage(service.store)


async def test_sessions_are_spread_and_all_listed(cluster: Cluster) -> None:
    async with RedisSessionService(cluster.url, prefix="spread:") as service:
        names = [f"s{number}" for number in range(150)]
        await asyncio.gather(
            *(service.create_session(app_name=APP, user_id="ada", session_id=n) for n in names)
        )
        for node in cluster.nodes:
            with node.client() as client:
                assert 20 < len(client.keys("spread:session:*")) < 100
        for user in ("ada", None):
            listed = (await service.list_sessions(app_name=APP, user_id=user)).sessions
            assert sorted(one.id for one in listed) == sorted(names)
        # many calls at once, each of several commands side by side
        await asyncio.gather(
            *(service.list_sessions(app_name=APP, user_id="ada") for _ in range(30))
        )
        assert await service.store.delete([SessionRef(APP, "ada", n) for n in names]) == 150


async def test_no_cancellation_is_lost(cluster: Cluster) -> None:
    """redis-py writes to a cluster with wait_for(), which in Python 3.11 may swallow it."""
    async with RedisSessionService(cluster.url, prefix="cancel:") as service:
        session = await service.create_session(app_name=APP, user_id="ada")
        named = {"app_name": APP, "user_id": "ada", "session_id": session.id}
        cancelled = 0
        for number in range(400):
            sent = event(f"{number}") if number % 2 else None
            call = service.append_event(session, sent) if sent else service.get_session(**named)
            task = asyncio.create_task(call)
            for _ in range(1 + number // 2 % 8):
                await asyncio.sleep(0)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                cancelled += 1
        assert cancelled > 100
        assert texts(session) == [f"{number}" for number in range(1, 400, 2)]
        assert await service.get_session(**named) == session


async def test_a_purge_reaches_every_node(cluster: Cluster) -> None:
    async with SessionStore(cluster.url, prefix="purge:") as store:
        for number in range(60):
            await store.create(SessionRef(APP, f"user {number % 7}", f"s{number}"))
        with cluster.nodes[0].client() as client:
            foreign = next(
                key
                for key in (f"purge:session:web:prod:{n}" for n in range(100))
                if _takes(client, key)
            )
            purged = [batch async for batch in store.purge()]
            assert sum(batch.sessions for batch in purged) == 60
            assert sum(len(batch.unreadable) for batch in purged) == 1
            assert client.get(foreign) == b"no session"
        assert [batch async for batch in store.scan(APP)] == []
        assert not (await store.audit()).stale


def _takes(client: redis.Redis, key: str) -> bool:
    """Store a foreign value, if the key is on this node."""
    try:
        return bool(client.set(key, "no session"))
    except redis.ResponseError:  # MOVED
        return False


async def test_writers_of_shared_state_on_several_nodes(cluster: Cluster) -> None:
    async with RedisSessionService(cluster.url, prefix="writers:") as service:
        hands = [await service.create_session(app_name=APP, user_id="ada") for _ in range(8)]

        async def write(writer: int, session: Session) -> None:
            for number in range(25):
                state = {f"app:{writer}": number, f"user:{writer}-{number}": [], "n": number}
                await service.append_event(session, event(f"{number}", state=state))

        await asyncio.gather(*(write(n, session) for n, session in enumerate(hands)))
        for session in hands:
            found = await service.get_session(app_name=APP, user_id="ada", session_id=session.id)
            assert found is not None
            assert texts(found) == [str(n) for n in range(25)]
            assert {k for k in found.state if k.startswith("app:")} == {
                f"app:{n}" for n in range(8)
            }
            assert len([k for k in found.state if k.startswith("user:")]) == 200


async def test_twenty_loops_leak_no_connections(cluster: Cluster) -> None:
    def connections() -> int:
        total = 0
        for node in cluster.nodes:
            with node.client() as client:
                total += len(client.client_list(_type="normal"))
        return total

    service = RedisSessionService(cluster.url, prefix="loops:")
    before = connections()
    for _ in range(20):
        await asyncio.to_thread(asyncio.run, converse(service))
    assert connections() == before


async def test_state_of_other_scopes_follows_when_its_write_was_lost(cluster: Cluster) -> None:
    """The event is stored, its `app:` and `user:` state is not, and the call is given up."""
    is_cut = False

    def connect(settings: Settings) -> Client:
        client = new_client(settings)
        execute = client.execute_command

        async def cut(*command: Any, **options: Any) -> Any:
            if is_cut and command[0] == "HSET":
                raise redis.ConnectionError("cut")
            return await execute(*command, **options)

        client.execute_command = cut  # type: ignore[method-assign]
        return client

    store = SessionStore(Settings.parse(cluster.url, prefix="cut:"), connect=connect, retries=1)
    async with RedisSessionService(store=store) as service:
        session = await service.create_session(app_name=APP, user_id="ada", session_id="s")
        given = event("once", state={"a": 1, "app:b": 2, "user:c": 3})
        is_cut = True
        with pytest.raises(ServerUnavailable):
            await service.append_event(session, given)
        assert session.events == []
        is_cut = False
        await service.append_event(session, given)
        found = await service.get_session(app_name=APP, user_id="ada", session_id="s")
        assert found == session
        assert found.state == {"a": 1, "app:b": 2, "user:c": 3}
        assert len(found.events) == 1


@pytest.mark.slow
async def test_a_node_that_is_lost_and_comes_back(tmp_path: Path) -> None:
    """Every session of the lost node fails clearly; all work again when it is back."""
    persistent = {"appendonly": "yes", "appendfsync": "always"}
    with running_cluster(tmp_path, **persistent) as cluster:
        service = RedisSessionService(cluster.url)
        hands = [await service.create_session(app_name=APP, user_id=f"u{n}") for n in range(16)]
        acknowledged: Counter[str] = Counter()
        given = {
            session.id: [event(f"{session.id} {n}", state={"n": n, "user:n": n}) for n in range(30)]
            for session in hands
        }

        async def write(session: Session, first: int, last: int) -> None:
            for one in given[session.id][first:last]:
                while True:
                    try:
                        await service.append_event(session, one)
                        break
                    except ServerUnavailable:
                        await asyncio.sleep(0.05)
                acknowledged[one.content.parts[0].text] += 1

        await asyncio.gather(*(write(session, 0, 10) for session in hands))
        lost = cluster.nodes[0]
        lost.kill()
        going_on = asyncio.gather(*(write(session, 10, 30) for session in hands))
        creates = (
            service.create_session(app_name="other", user_id=f"u{number}") for number in range(30)
        )
        answers = await asyncio.gather(*creates, return_exceptions=True)
        errors = [one for one in answers if isinstance(one, Exception)]
        assert errors, "no session was on the lost node: the test proves nothing"
        assert all(isinstance(error, ServerUnavailable) for error in errors)
        lost.launch()
        await asyncio.to_thread(wait_until, lost.answers)
        await going_on
        for session in hands:
            found = await service.get_session(
                app_name=APP, user_id=session.user_id, session_id=session.id
            )
            assert found == session
            assert texts(found) == [f"{session.id} {n}" for n in range(30)]
        assert set(acknowledged.values()) == {1}
        await service.aclose()


async def test_the_indexes_are_kept_by_calls_of_their_own(cluster: Cluster) -> None:
    refs = [SessionRef(APP, f"user{number % 3}", f"s{number}") for number in range(9)]

    async def sizes() -> dict[str, int]:
        return (await store.index_state()).sizes

    async with SessionStore(cluster.url, prefix="indexes:") as store:
        for ref in refs[:6]:
            await store.create(ref, ttl=600)
            await age(store, ref, time.time() - 86_400)
        assert await store.not_indexed(refs) == refs[6:]
        before = [one async for page in store.index_entries([APP]) for one in page]
        with pytest.raises(SessionExists):
            await store.create(refs[5], ttl=5)
        assert before == [one async for page in store.index_entries([APP]) for one in page]
        await store.append(refs[0], {"n": 1}, timestamp=1.0)
        newest = [one async for page in store.index_entries([APP]) for one in page]
        assert store.keys.parse_app_member(APP, newest[0].member) == refs[0]
        assert newest[0].score > newest[1].score + 80_000
        foreign = store.keys.session(refs[6])
        await store._client.command("SET", foreign, '{"events":[],"state":{}}')
        await store.append(refs[6], {"n": 1}, timestamp=1.0)
        assert await store.not_indexed(refs) == refs[7:]
        again = {"event": b'{"n":1}', "timestamp": 1.0, "is_unconfirmed": True}
        await store._client.command("DEL", store.keys.app_sessions(APP))
        assert (await store.append(refs[0], **again)).is_duplicate  # as after a lost reply
        assert store.keys.app_member(refs[0]) in await store._client.command(
            "ZRANGE", store.keys.app_sessions(APP), 0, -1
        )
        await store.index_sessions(await store.summaries(refs))
        assert await store.set_expiries(refs, 900) == [True] * 7 + [False] * 2
        assert {round(one.ttl_seconds or 0, -2) for one in await store.summaries(refs)} == {900}
        found = await store.summaries(refs[:3])
        await store.append(refs[1], {"n": 1}, timestamp=1.0)
        deleted, kept = await store.delete_unchanged(found)
        assert (set(deleted), kept) == ({refs[0], refs[2]}, [refs[1]])
        assert await sizes() == {APP: 5}
        assert await store.delete(refs) == 5
        assert await sizes() == {}


async def test_the_index_of_a_cluster_stays_small_without_listings(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "sample_size", lambda: 8)
    monkeypatch.setattr(indexes, "_CLUSTER_GRACE", -1)
    async with SessionStore(cluster.url, prefix="bounded:") as store:
        for number in range(60):
            ref = SessionRef(APP, "ada", f"s{number}")
            await store.create(ref)
            await store._client.command("DEL", store.keys.session(ref))
        assert (await store.index_state()).sizes[APP] < 20


@pytest.mark.parametrize("lost", ["app", "apps", "user"])
@pytest.mark.parametrize("written_by", ["create", "append", "put"])
async def test_a_lost_index_that_was_written_again_is_not_relied_on(
    cluster: Cluster, lost: str, written_by: str
) -> None:
    async with SessionStore(cluster.url, prefix=f"lost-{lost}-{written_by}:") as store:
        refs = [SessionRef(APP, "ada", f"s{number}") for number in range(4)]
        for ref in refs:
            await store.create(ref)
            await age(store, ref, time.time() - 86_400)
        await store.audit(fix=True)
        assert (await store.index_state()).is_complete
        keys = store.keys
        key = {
            "app": keys.app_sessions(APP),
            "apps": keys.session_apps(),
            "user": keys.user_sessions(APP, "ada"),
        }[lost]
        (stored,) = await store.values(refs[:1])
        await store._client.command("DEL", key)
        if written_by == "create":
            await store.create(SessionRef(APP, "ada", "new"))
        elif written_by == "append":
            await store.append(refs[0], {"n": 1}, timestamp=1.0)
        else:
            await store.put([replace(stored, ref=SessionRef(APP, "ada", "new"))])
        state = await store.index_state()
        assert state.is_complete == (lost == "user")
        assert state.lacks_user_entries == ((lost, written_by) == ("user", "append"))
        await store.audit(fix=True)
        state = await store.index_state()
        assert (state.is_complete, state.lacks_user_entries) == (True, False)


async def test_an_import_that_is_cut_off_leaves_no_document_without_an_entry(
    cluster: Cluster,
) -> None:
    is_cut = False

    def connect(settings: Settings) -> Client:
        client = new_client(settings)
        execute = client.execute_command

        async def cut(*command: Any, **options: Any) -> Any:
            answer = await execute(*command, **options)
            if is_cut and command[1] in (scripts.PUT_DOCUMENT.sha, scripts.PUT_DOCUMENT.text):
                raise redis.ResponseError("cut")
            return answer

        client.execute_command = cut  # type: ignore[method-assign]
        return client

    ref, copy = SessionRef(APP, "ada", "s"), SessionRef("other", "bob", "s")
    async with SessionStore(
        Settings.parse(cluster.url, prefix="import:"), connect=connect
    ) as store:
        await store.create(ref)
        (stored,) = await store.values([ref])
        is_cut = True
        with pytest.raises(ServerUnavailable):
            await store.put([replace(stored, ref=copy)])
        assert await store.value(copy) is not None
        assert await store.not_indexed([copy]) == []


async def test_deletes_and_creates_at_the_same_moment(cluster: Cluster) -> None:
    """The only sessions of an app come and go: none that remains is missing in the index."""
    async with SessionStore(cluster.url, prefix="race:") as store:
        await store.audit(fix=True)

        async def churn(user: int) -> None:
            for number in range(40):
                ref = SessionRef(APP, f"u{user}", f"s{number}")
                await store.create(ref)
                if number < 39:
                    await store.delete([ref])

        await asyncio.gather(*(churn(user) for user in range(6)))
        assert not (await store.audit()).unindexed
        assert (await store.index_state()).sizes == {APP: 6}


async def test_a_delete_that_meets_a_foreign_set_of_apps(cluster: Cluster) -> None:
    async with SessionStore(cluster.url, prefix="foreign:") as store:
        ref = SessionRef(APP, "ada", "s")
        await store.create(ref)
        await store._client.command("SET", store.keys.session_apps(), "foreign")
        assert await store.delete([ref]) == 1
        assert await store._client.command("GET", store.keys.session_apps()) == b"foreign"
