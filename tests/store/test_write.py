"""Writes: the server's clock, rejected writes that change nothing, large states, titles."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adksess.store import scripts
from adksess.store.document import decode, encode, iso_time, json_bytes
from adksess.store.durations import MAX_SECONDS
from adksess.store.errors import (
    InvalidDuration,
    ServerUnavailable,
    SessionTooLarge,
    SessionUnreadable,
)
from adksess.store.keys import SessionRef
from adksess.store.models import StoredValue
from adksess.store.settings import Settings
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.contract.strategies import keys as state_keys
from tests.contract.strategies import values
from tests.servers import SERVERS, ServerProcess, running, server_binary
from tests.store.conftest import REF

DELTA = StateDelta({"a": 1}, app={"b": 2}, user={"c": 3})
YEAR = 365 * 86_400


@pytest.fixture(params=["valkey_url", "redis_url", "redis8_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with running(server_binary(request.param), tmp_path, proto_max_bulk_len="1mb") as server:
        yield server


def everything(client: Any, store: SessionStore) -> dict[bytes, Any]:
    """Every key under the prefix, with its value and its expiry."""
    found = sorted(client.scan_iter(f"{store.settings.prefix}*"))
    return {key: (client.dump(key), client.pexpiretime(key)) for key in found}


@settings(max_examples=300)
@given(st.integers(0, 253_402_300_799), st.integers(0, 999_999))
def test_the_scripts_write_times_as_python_does(valkey_url: str, seconds: int, micros: int) -> None:
    prelude = (Path(scripts.__file__).parent / "lua" / "_indexes.lua").read_text()
    script = f"{prelude}\nreturn iso_time(tonumber(ARGV[1]), tonumber(ARGV[2]))"
    with redis.Redis.from_url(valkey_url) as client:
        written = client.eval(script, 0, seconds, micros)
    expected = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    assert written.decode() == expected.isoformat(timespec="microseconds")


@pytest.mark.parametrize("offset", [-YEAR, YEAR])
async def test_times_are_the_servers(
    client: Any, store: SessionStore, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    created = await store.create(REF)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    found = await store.read(REF)
    assert found is not None
    tail = found.document.tail
    seconds, _ = client.time()
    for text in (created.tail.created_at, tail.created_at, tail.updated_at):
        assert datetime.fromisoformat(text).timestamp() == pytest.approx(seconds, abs=30)
    assert tail.created_at == created.tail.created_at <= tail.updated_at


async def test_a_late_event_is_searched_for_in_a_part_of_the_history(store: SessionStore) -> None:
    """The cost of an append is flat where a writer's clock is behind the others'."""
    await store.create(REF)
    late, old = json_bytes({"n": "late"}), time.time() - 3_600
    await store.append(REF, late, timestamp=old)
    await store.append(REF, {"n": "newest"}, timestamp=time.time())
    await store.append(REF, {"x": "y" * 600_000}, timestamp=time.time())
    assert (await store.append(REF, late, timestamp=old)).is_duplicate
    await store.append(REF, {"x": "z" * 600_000}, timestamp=time.time())
    assert (await store.append(REF, late, timestamp=old, is_known=True)).is_duplicate
    assert not (await store.append(REF, late, timestamp=old)).is_duplicate


@pytest.mark.parametrize("ttl", [True, -1, 0.5, 60.0, MAX_SECONDS + 1, 10**16, "60"])
async def test_a_ttl_out_of_range(client: Any, store: SessionStore, ttl: Any) -> None:
    await store.create(SessionRef("demo", "ada", "other"))
    before = everything(client, store)
    with pytest.raises(InvalidDuration, match="whole number of seconds"):
        await store.create(REF, DELTA, ttl=ttl)
    with pytest.raises(ValueError, match="ten years"):
        await store.set_expiry(SessionRef("demo", "ada", "other"), ttl)
    with pytest.raises(ValueError, match="ten years"):
        Settings.parse("redis://localhost", ttl=ttl)
    assert everything(client, store) == before


async def test_the_longest_ttl(client: Any, store: SessionStore) -> None:
    await store.create(REF, ttl=MAX_SECONDS)
    assert client.ttl(store.keys.session(REF)) > MAX_SECONDS - 60


async def test_an_invalid_stored_ttl_is_clamped(client: Any, store: SessionStore) -> None:
    """A TTL that another program wrote: the next append must not fail."""
    document = await store.create(REF)
    value = encode(document).replace(b'","title":', b'","ttl":10000000000000000,"title":')
    value = value.replace(b'"tail_bytes":        ', b'"tail_bytes":%11d}' % 0)[:-4]
    start = value.index(b'\n],"state":{')
    body = value[start : value.index(b'"tail_bytes":')] + b'"tail_bytes":'
    value = value[:start] + body + b"%11d}" % (len(body) + 12)
    client.set(store.keys.session(REF), value, ex=100)
    assert decode(value, REF).tail.ttl == 10**16
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert client.ttl(store.keys.session(REF)) == pytest.approx(MAX_SECONDS, abs=60)
    assert await store.put([StoredValue(REF, value, 10**19)], replace=True)
    assert client.ttl(store.keys.session(REF)) == pytest.approx(MAX_SECONDS, abs=60)


KEYS_OF_STATE_AND_INDEXES: dict[str, Callable[[SessionStore], bytes]] = {
    "user index": lambda store: store.keys.user_sessions(*REF.user),
    "app index": lambda store: store.keys.app_sessions("demo"),
    "apps": lambda store: store.keys.session_apps(),
    "app state": lambda store: store.keys.app_state("demo"),
    "user state": lambda store: store.keys.user_state(*REF.user),
}


@pytest.mark.parametrize("wrong", KEYS_OF_STATE_AND_INDEXES)
async def test_with_a_key_of_another_type_nothing_is_written(
    client: Any, store: SessionStore, wrong: str
) -> None:
    await store.create(REF)
    (stored,) = await store.values([REF])
    key = KEYS_OF_STATE_AND_INDEXES[wrong](store)
    client.delete(key)
    client.rpush(key, "x")
    # updated in another second, and close to its expiry: the append wants to write every key
    value = stored.value.replace(b'"updated_at":"20', b'"updated_at":"19')
    client.set(store.keys.session(REF), value, ex=100)
    before = everything(client, store)
    with pytest.raises(SessionUnreadable, match="another type"):
        await store.append(REF, {"n": 1}, DELTA, timestamp=1.0)
    with pytest.raises(SessionUnreadable, match="another type"):
        await store.create(REF._replace(session_id="new"), DELTA)
    if "index" in wrong or wrong == "apps":
        with pytest.raises(SessionUnreadable, match="another type"):
            await store.put([stored], replace=True)
        (now,) = await store.values([REF])
        with pytest.raises(SessionUnreadable, match="another type"):
            await store.replace_if_unchanged(now, decode(stored.value, REF))
    assert everything(client, store) == before


RIGHTS = (
    "-@all +eval +evalsha +time +get +set +strlen +getrange +setrange +exists +pttl +pexpire "
    "+pexpireat +persist +hset +type +zadd +zscore +zrevrange +zrangebyscore +zrandmember +sadd"
)


@pytest.mark.parametrize(
    "lacking", ["setrange", "set", "pexpire", "pexpireat", "hset", "zadd", "sadd"]
)
async def test_a_user_who_lacks_one_right_changes_nothing(
    server: ServerProcess, lacking: str
) -> None:
    async with SessionStore(server.url) as store:
        await store.create(REF)
    rules = [right for right in RIGHTS.split() if right != f"+{lacking}"]
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "some", "reset", "on", ">pw", "~*", *rules)
        old = client.get(store.keys.session(REF)).replace(b'"updated_at":"20', b'"updated_at":"19')
        client.set(store.keys.session(REF), old, ex=100)
        async with SessionStore(f"redis://some:pw@127.0.0.1:{server.port}/0") as store:
            failures, changes = [], False
            for write in (
                lambda: store.append(REF, {"n": 1}, DELTA, timestamp=1.0),
                lambda: store.create(REF._replace(session_id="new"), DELTA),
            ):
                before = server.dump()
                try:
                    await write()
                except ServerUnavailable as exc:
                    failures.append(str(exc))
                    changes |= server.dump() != before
        assert failures
        assert not changes
        assert all("does not permit this user" in failure for failure in failures)


async def test_a_document_at_the_size_limit(server: ServerProcess) -> None:
    async with SessionStore(server.url) as store:
        await store.create(REF, StateDelta({"large": "x" * 500_000}))
        await store.append(REF, {"x": "y" * 500_000}, timestamp=1.0)
        before = server.dump()
        with pytest.raises(SessionTooLarge, match="adksess trim"):
            await store.append(REF, {"x": "z" * 90_000}, DELTA, timestamp=2.0)
        assert server.dump() == before


async def test_an_impossible_count_does_not_loop_forever(client: Any, store: SessionStore) -> None:
    document = await store.create(REF)
    value = encode(document).replace(b'"event_count":         0', b'"event_count":        -1')
    client.set(store.keys.session(REF), value)
    with pytest.raises(SessionUnreadable):
        await store.append(REF, {"n": 1}, timestamp=1.0)
    assert client.get(store.keys.session(REF)) == value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    initial=st.dictionaries(state_keys, values, max_size=25),
    delta=st.dictionaries(state_keys, values, max_size=25),
    data=st.data(),
)
async def test_a_state_with_many_keys_is_merged_as_a_dict_is(
    valkey_url: str, initial: dict[str, Any], delta: dict[str, Any], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(sorted(initial)), unique=True)) if initial else []
    delta |= {key: data.draw(values) for key in again}
    async with SessionStore(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as store:
        await store.create(REF, StateDelta(initial))
        await store.append(REF, {"n": 1}, StateDelta(delta), timestamp=1.0)
        value = await store.value(REF)
        await store.delete([REF])
    assert value is not None
    state = decode(value, REF).tail.state
    assert list(state.items()) == list((initial | delta).items())


async def test_many_keys_of_a_large_state_do_not_block_the_server(server: ServerProcess) -> None:
    """It took 5 s, after which Redis answers every client with BUSY."""
    keys = [f"key-{number:05}" for number in range(8_000)]
    with server.client() as client:
        client.config_set("lua-time-limit", 2_000)
        client.config_resetstat()
        async with SessionStore(f"{server.url}?socket_timeout=60") as store:
            await store.create(REF, StateDelta(dict.fromkeys(keys, "x" * 80)))
            await store.append(
                REF, {"n": 1}, StateDelta(dict.fromkeys(reversed(keys), "y" * 80)), timestamp=1.0
            )
            found = await store.read(REF)
        assert found is not None
        assert list(found.document.tail.state) == keys
        assert set(found.document.tail.state.values()) == {"y" * 80}
        assert "Slow script detected" not in server.log


async def test_the_first_message_is_the_title(store: SessionStore) -> None:
    await store.create(REF)
    (summary,) = await store.summaries([REF])
    assert (summary.title, summary.title_source) == (None, None)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    hostile = '","updated_at":"x","ttl":5'
    for title in (hostile, "second"):
        await store.append(REF, {"title": title}, timestamp=2.0, title=title)
    (summary,) = await store.summaries([REF])
    assert (summary.title, summary.title_source) == (hostile, "message")
    assert summary.tail is not None
    assert (summary.tail.event_count, summary.tail.ttl) == (3, None)
    ui = {"__session_metadata__": {"displayName": "UI"}}
    await store.append(REF, {"n": 4}, StateDelta(ui), timestamp=3.0)
    (summary,) = await store.summaries([REF])
    assert (summary.title, summary.title_source) == ("UI", "ui")


async def test_a_document_without_a_title_field_gets_none(client: Any, store: SessionStore) -> None:
    """The next message of an old session is not its first."""
    document = await store.create(REF)
    tail = document.tail._replace(title=None)
    client.set(store.keys.session(REF), encode(type(document)(REF, tail)))
    await store.append(REF, {"n": 1}, timestamp=1.0, title="late")
    (summary,) = await store.summaries([REF])
    assert summary.title is None


async def test_only_unchanged_sessions_are_deleted(client: Any, store: SessionStore) -> None:
    refs = [SessionRef(app, "ada", f"s{n}") for app in ("a", "b") for n in range(3)]
    for ref in refs:
        await store.create(ref)
    client.set(store.keys.session(REF), b'{"events":[],"state":{}}')
    client.set(store.keys.session(REF._replace(session_id="f2")), b'{"events":[],"state":{}}')
    selected = await store.summaries([*refs, REF, REF._replace(session_id="f2")])
    assert len(selected) == 8
    await store.append(refs[1], {"n": 1}, timestamp=1.0)
    await store.append(refs[4], {"n": 1}, StateDelta({"big": "x" * 5_000}), timestamp=1.0)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    await store.delete([refs[2]])
    deleted, kept = await store.delete_unchanged(selected)
    assert set(kept) == {refs[1], refs[4], REF}
    assert set(deleted) == {refs[0], refs[3], refs[5], REF._replace(session_id="f2")}
    left = [one.ref async for batch in store.scan() for one in batch]
    assert set(left) == set(kept)


async def test_a_session_that_was_created_again_is_kept(store: SessionStore) -> None:
    await store.create(REF, now=5.0)
    selected = await store.summaries([REF])
    await store.delete([REF])
    await store.create(REF, now=5.0)
    assert await store.delete_unchanged(selected) == ([], [REF])


@pytest.mark.parametrize("kept", [0, 1, 3, 10])
async def test_a_replacement_sends_what_is_new(store: SessionStore, kept: int) -> None:
    await store.create(REF, StateDelta({"a": 1}))
    for number in range(10):
        await store.append(REF, {"n": number, "x": "y" * number}, timestamp=number + 1.0)
    (stored,) = await store.values([REF])
    before = decode(stored.value, REF)
    new = [b'{"new":1}', *before.events[10 - kept :]]
    after = type(before)(REF, before.tail._replace(event_count=len(new)), new)
    assert await store.replace_if_unchanged(stored, after)
    assert await store.value(REF) == encode(after)
    (stored,) = await store.values([REF])
    empty = type(before)(REF, before.tail._replace(event_count=0), [])
    assert await store.replace_if_unchanged(stored, empty)
    assert await store.value(REF) == encode(empty)
    assert iso_time(0)
