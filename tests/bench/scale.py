"""The cost of one call (CPU time of client and server, bytes, round trips), and memory."""

import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from google.adk.sessions.base_session_service import GetSessionConfig
from redis.asyncio import Redis

from tests.bench.appends import CONCURRENT, EACH, FLOOR, Appending, Call, Together, pushing
from tests.bench.filling import PER_USER, multiply
from tests.bench.lab import Lab, client
from tests.bench.reads import getting, listing
from tests.bench.services import APP, OWN, USER, open_service, session_of

TYPICAL = 40
"""Events of a typical session: ten turns of a question, a tool call, its result and an answer."""

_LENGTHS = (0, TYPICAL, 1_000)


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the server's main thread and of the client, bytes to and from the server,
    and the number of reads by the server.
    """

    server_seconds: float
    client_seconds: float
    sent: float
    received: float
    round_trips: float

    def since(self, before: "Cost") -> "Cost":
        """Return the difference from an earlier reading."""
        return Cost(*(b - a for a, b in zip(astuple(before), astuple(self), strict=True)))

    def for_each(self, count: int) -> "Cost":
        """Return the cost of one of `count` calls."""
        return Cost(*(value / count for value in astuple(self)))


@dataclass(frozen=True)
class Footprint:
    """Bytes of a session's document, and of all its keys in the memory of the server."""

    document: int
    memory: int


async def costs(lab: Lab) -> dict[str, Cost]:
    """Measure each kind of call, with enough concurrent calls to keep the server busy."""
    url = lab.database()
    service = open_service(OWN, lab, url)
    sessions = [await session_of(service, TYPICAL) for _ in range(CONCURRENT)]
    ids = [session.id for session in sessions]
    nothing = GetSessionConfig(num_recent_events=0)
    works: dict[str, Sequence[Call]] = {
        f"{FLOOR} of an event": [pushing(url, f"list{n}") for n in range(CONCURRENT)],
        "existence check": [getting(service, one, nothing) for one in ids],
        f"get_session, {TYPICAL} events": [getting(service, one) for one in ids],
        "append": [Appending(service, session) for session in sessions],  # last: they grow
    }
    rounds = lab.pick(10, 2)
    found = {work: await _cost(url, calls, rounds) for work, calls in works.items()}
    url, count = lab.database(), lab.pick(10_000, 1_000)
    service = open_service(OWN, lab, url)
    await multiply(service, url, count)
    found[f"list one user's {PER_USER} sessions"] = await _cost(
        url, [listing(service)] * CONCURRENT, rounds
    )
    everything = await _cost(url, [lambda: service.list_sessions(app_name=APP)], 1)
    found["list all sessions, for each"] = everything.for_each(count)
    return found


async def footprints(lab: Lab) -> dict[int, Footprint]:
    """Measure the size of a session, indexes included, by its number of events."""
    found = {}
    for length in _LENGTHS:
        url = lab.database()
        session = await session_of(open_service(OWN, lab, url), length)
        async with client(url) as redis:
            sizes = [await redis.memory_usage(key, samples=0) async for key in redis.scan_iter()]
            document = await redis.strlen(f"session:{APP}:{USER}:{session.id}")
        found[length] = Footprint(document, sum(sizes))
    return found


async def _cost(url: str, calls: Sequence[Call], rounds: int) -> Cost:
    together = Together(calls)
    await together()  # opens connections, loads scripts
    together.prepare(rounds)
    async with client(url) as redis:
        await _spent(redis)
        first, before = await _spent(redis), await _spent(redis)
        for _ in range(rounds):
            await together()
        spent = (await _spent(redis)).since(before)
    asking = before.since(first)
    return spent.since(asking).for_each(rounds * len(calls) * EACH)


async def _spent(redis: Redis) -> Cost:
    info = await redis.info("all")
    return Cost(
        info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"],
        time.process_time(),
        info["total_net_input_bytes"],
        info["total_net_output_bytes"],
        info["total_reads_processed"],
    )
