"""Commands on a million sessions, compared with the same on a thousand."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha1
from statistics import median
from typing import Any

from redis.asyncio import RedisCluster

from adksess.store import scripts
from adksess.store.keys import Keys
from adksess.store.scripts import Script
from tests.bench.commands import READ_ALL, UNLINK_ALL, adksess, program
from tests.bench.lab import Lab, NotMeasured, child_environment, client, python
from tests.bench.million_data import APPS, add_idle, drop_user_indexes, fill, large, small
from tests.bench.services import OWN, new_event, next_event, open_service, session_of
from tests.bench.table import Pair, Target, at_least, race, row, timed, within

FIND_ID = """
import sys
import redis

client = redis.Redis.from_url(sys.argv[1])
for key in client.scan_iter(match="session:*:*:" + sys.argv[2] + "*", count=10_000):
    print(key)
"""


def compared(name: str, words: str, target: Target, rounds: int = 9) -> None:
    """Register a row: a command on a million sessions against the same on a thousand."""

    @row(f"million-{name}", f"adksess {words}, 1,000,000 sessions", against="1,000", target=target)
    async def measure(lab: Lab) -> Pair:
        urls = await small(lab), await large(lab)
        calls = [adksess(lab, *words.split(), "-r", url) for url in urls]
        return Pair(*await race(*calls, rounds=lab.pick(rounds, 3)))


compared("list", "list", within(1.3))
compared("list-since", "list --since 1h", within(1.3))
compared("list-app", "list --app support", within(1.3))
compared("list-user", "list --app support --user u00000000", within(1.3))
compared("show-path", "show support/u00000000/s00000000", within(1.2))
compared("stats", "stats", within(2))
compared("doctor", "doctor", within(2), rounds=5)


@row(
    "million-quick",
    "adksess doctor --quick, 1,000,000 sessions",
    against="adksess list",
    target=within(1.2),
)
async def health_check(lab: Lab) -> Pair:
    url = await large(lab)
    calls = (adksess(lab, "list", "-r", url), adksess(lab, "doctor", "--quick", "-r", url))
    return Pair(*await race(*calls, rounds=lab.pick(9, 3)))


@row(
    "million-show-id",
    "adksess show ID, 1,000,000 sessions",
    against="SCAN MATCH, COUNT 10,000",
    target=within(1.3),
)
async def show_by_id(lab: Lab) -> Pair:
    url = await large(lab)
    calls = (program(lab, FIND_ID, url, "s00000123"), adksess(lab, "show", "s00000123", "-r", url))
    return Pair(*await race(*calls, rounds=lab.pick(5, 3)))


@row(
    "million-delete",
    "adksess delete --idle, 100 of 1,000,000",
    against="100 of 1,000",
    target=within(1.5),
)
async def delete_idle(lab: Lab) -> Pair:
    urls = f"redis://{lab.start_server()}/0", await large(lab)
    taken: list[list[float]] = [[], []]
    for _ in range(lab.pick(5, 3)):
        for url, seconds in zip(urls, taken, strict=True):
            async with client(url) as redis:
                if url == urls[0]:
                    await redis.flushall()
                    await fill(redis, 1_000)
                await add_idle(redis, 100)
            seconds.append(await timed(adksess(lab, "delete", "--idle", "80d", "--yes", "-r", url)))
    return Pair(*map(median, taken))


@row(
    "million-ndjson",
    "adksess list -n 0 -o ndjson, 1,000,000 sessions",
    against="SCAN, GETRANGE, PTTL",
    target=within(1.5),
)
async def list_all(lab: Lab) -> Pair:
    url = await large(lab)
    own = adksess(lab, "list", "-n", "0", "-o", "ndjson", "-r", url)
    return Pair(*await race(program(lab, READ_ALL, url), own, rounds=lab.pick(2, 2)))


@row(
    "million-ndjson-memory",
    "the memory of list -n 0 -o ndjson, 1,000,000 sessions",
    against="100 MB",
    target=within(1),
    unit="B",
)
async def memory_of_a_stream(lab: Lab) -> Pair:
    url = await large(lab)
    return Pair(100e6, peak_of(lab, "list", "-n", "0", "-o", "ndjson", "-r", url))


@row(
    "million-memory",
    "the most memory of list, show, stats, doctor, delete",
    against="80 MB",
    target=within(1),
    unit="B",
)
async def peak_memory(lab: Lab) -> Pair:
    url = await large(lab)
    commands = (
        "list",
        "list --since 1h",
        "list --app support",
        "show s00000123",
        "stats",
        "doctor --quick",
        "delete --idle 80d --yes",
    )
    return Pair(80e6, max(peak_of(lab, *words.split(), "-r", url) for words in commands))


PEAK = """
import resource
import subprocess
import sys

command = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, command.returncode)
"""


def peak_of(lab: Lab, *words: str) -> float:
    """The peak memory of an adksess command, in bytes.

    A small process starts it: a child begins with the peak of the process that forked it.
    """
    command = python("-c", PEAK, *python("-m", "adksess", *words))
    done = subprocess.run(
        command,
        cwd=lab.folder,
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    peak, code = map(int, done.stdout.split())
    if code not in (0, 1):
        raise NotMeasured(f"adksess {words[0]} failed")
    return peak * (1 if sys.platform == "darwin" else 1024)


@row(
    "million-index",
    "the recency index, for each session",
    against="150 bytes",
    target=within(1),
    unit="B",
)
async def index_memory(lab: Lab) -> Pair:
    url = await large(lab)
    async with client(url) as redis:
        keys = [Keys().app_sessions(app) for app in APPS]
        sizes = [await redis.memory_usage(key, samples=0) for key in keys]
        counts = [await redis.zcard(key) for key in keys]
    return Pair(150, sum(sizes) / sum(counts))


@row(
    "append-8000-keys",
    "append that sets 8,000 keys of the state again",
    against="1,000 keys",
    target=within(10),
)
async def append_many_keys(lab: Lab) -> Pair:
    calls = []
    for count in (1_000, 8_000):
        service = open_service(OWN, lab)
        session = await session_of(service, 1)
        delta = {f"key{number:05}": "x" * 80 for number in range(count)}

        async def append(
            service: Any = service, session: Any = session, delta: Any = delta
        ) -> None:
            event = next_event(new_event())
            event.actions.state_delta = dict(delta)
            await service.append_event(session, event)

        calls.append(append)
    return Pair(*await race(*calls, rounds=lab.pick(9, 3)))


@row(
    "index-throughput",
    "creates and appends of 10,000 users, 16 at once, indexed",
    against="without the recency index",
    target=at_least(0.95),
    unit="/s",
)
async def index_throughput(lab: Lab) -> Pair:
    rates: list[list[float]] = [[], []]
    for _ in range(lab.pick(7, 3)):
        for position, indexed in enumerate((False, True)):
            with contextlib.nullcontext() if indexed else _without_index():
                rates[position].append(await _creates_and_appends(lab, lab.pick(2_000, 500)))
    return Pair(*map(median, rates))


async def _creates_and_appends(lab: Lab, count: int) -> float:
    url = lab.database()
    async with client(url) as redis:
        await redis.flushdb()
    service = open_service(OWN, lab, url)
    numbers = iter(range(count))

    async def writer() -> None:
        for number in numbers:
            session = await service.create_session(app_name="demo", user_id=f"u{number}")
            await service.append_event(session, next_event(new_event()))

    started = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(16)))
    return 2 * count / (time.perf_counter() - started)


@contextlib.contextmanager
def _without_index() -> Iterator[None]:
    """Let the scripts write no recency index."""
    kept = scripts.CREATE_SESSION, scripts.APPEND_EVENT
    try:
        for name, script in zip(("CREATE_SESSION", "APPEND_EVENT"), kept, strict=True):
            text = script.text.replace("add_to_app(app_index", "skipped(app_index")
            text = text.replace("redis.call('ZRANDMEMBER', app_index, samples)", "{}")
            if text == script.text or "ZRANDMEMBER" in text:
                raise NotMeasured(f"{name} writes the recency index in another way than expected")
            text = f"local function skipped() end\n{text}"
            sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
            setattr(scripts, name, Script(text, sha))
        yield
    finally:
        scripts.CREATE_SESSION, scripts.APPEND_EVENT = kept


@row(
    "cluster-list-300k",
    "adksess list, 300,000 sessions on a cluster of 3",
    against="1,000 there",
    target=within(1.5),
)
async def cluster_list(lab: Lab) -> Pair:
    calls = []
    for count in (1_000, lab.pick(300_000, 20_000)):
        address = lab.start_cluster()
        redis = RedisCluster.from_url(f"redis://{address}")
        try:
            await fill(redis, count)
        finally:
            await redis.aclose()
        calls.append(adksess(lab, "list", "-r", f"redis+cluster://{address}"))
    return Pair(*await race(*calls, rounds=lab.pick(9, 3)))


@row(
    "flush-unindexed",
    "adksess flush --yes of 100,000 that no index names",
    against="SCAN, UNLINK",
    target=within(4),
)
async def flush_unindexed(lab: Lab) -> Pair:
    return await _flush(lab, indexed=False)


@row(
    "flush-indexed",
    "adksess flush --yes, 100,000 sessions",
    against="SCAN, UNLINK",
    target=within(2),
)
async def flush_indexed(lab: Lab) -> Pair:
    return await _flush(lab, indexed=True)


async def _flush(lab: Lab, *, indexed: bool) -> Pair:
    url = f"redis://{lab.start_server()}/0"
    bare, own = program(lab, UNLINK_ALL, url), adksess(lab, "flush", "--yes", "-r", url)
    taken: list[list[float]] = [[], []]
    for _ in range(lab.pick(3, 2)):
        for call, seconds in zip((bare, own), taken, strict=True):
            async with client(url) as redis:
                await redis.flushall()
                await fill(redis, lab.pick(100_000, 20_000), indexed=indexed)
                if not indexed:
                    await drop_user_indexes(redis)
            seconds.append(await timed(call))
    return Pair(*map(median, taken))
