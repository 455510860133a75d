"""Appends: compared with the other services at each length of history, and with RPUSH."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.adk.events import Event
from google.adk.sessions import BaseSessionService, Session

from tests.bench.lab import Lab, NotMeasured, client
from tests.bench.services import (
    ADK,
    OWN,
    REDIS_PEERS,
    SERVICES,
    event_bytes,
    new_event,
    next_event,
    open_service,
    session_of,
)
from tests.bench.table import Pair, at_least, faster, race, row, within

LENGTHS = (100, 300, 1_000, 5_000)
FLOOR = "RPUSH"
CONCURRENT = 32
EACH = 20

Call = Callable[[], Awaitable[Any]]


@dataclass
class Appending:
    """A call that appends the next of the prepared events."""

    service: BaseSessionService
    session: Session
    event: Event = field(default_factory=new_event)
    ready: list[Event] = field(default_factory=list)

    def prepare(self, count: int) -> None:
        """Create the events for `count` calls."""
        self.ready = [next_event(self.event) for _ in range(count)][::-1]

    async def __call__(self) -> None:
        if not self.ready:
            self.prepare(1)
        await self.service.append_event(self.session, self.ready.pop())


def pushing(url: str, key: str = "events") -> Call:
    """The lower bound: a call that pushes the bytes of an event to a list."""
    redis, line = client(url), event_bytes(new_event())

    async def push() -> None:
        await redis.rpush(key, line)

    return push


async def append_costs(lab: Lab) -> dict[str, dict[int, float]]:
    """Return seconds for one append, by service and length of history; measured once per run."""
    if lab.curves:
        return lab.curves
    contenders: list[tuple[str, int, Call]] = []
    for name in SERVICES:
        try:
            service = open_service(name, lab)
        except NotMeasured:
            continue
        for length in LENGTHS[: lab.pick(4, 3)]:
            contenders.append((name, length, Appending(service, await session_of(service, length))))
    contenders += [(FLOOR, length, pushing(lab.database())) for length in LENGTHS]
    taken = await race(*(append for _, _, append in contenders), rounds=lab.pick(7, 3), most=20)
    for (name, length, _), seconds in zip(contenders, taken, strict=True):
        lab.curves.setdefault(name, {})[length] = seconds
    return lab.curves


@row("append-300", "append at 300 events", against=ADK, target=faster(50))
async def append_at_300(lab: Lab) -> Pair:
    costs = await append_costs(lab)
    return Pair(costs[ADK][300], costs[OWN][300])


@row("append-1000", "append at 1,000 events", against=ADK, target=faster(200))
async def append_at_1000(lab: Lab) -> Pair:
    costs = await append_costs(lab)
    return Pair(costs[ADK][1_000], costs[OWN][1_000])


@row("append-peer", "append at 1,000 events", against="the fastest peer", target=faster(1.5))
async def append_against_peers(lab: Lab) -> Pair:
    contenders = {}
    for name in (OWN, *REDIS_PEERS):
        try:
            service = open_service(name, lab)
        except NotMeasured:
            continue
        contenders[name] = Appending(service, await session_of(service, 1_000))
    taken = await race(*contenders.values(), rounds=lab.pick(15, 5))
    costs = dict(zip(contenders, taken, strict=True))
    own = costs.pop(OWN)
    if not costs:
        raise NotMeasured("no peer installed")
    fastest = min(costs, key=costs.__getitem__)
    return Pair(costs[fastest], own, against=fastest)


@row("append-5000", "append at 5,000 events", against="at 100 events", target=within(1.2))
async def append_at_5000(lab: Lab) -> Pair:
    return await long_against_short(lab, open_service(OWN, lab))


async def long_against_short(lab: Lab, service: BaseSessionService) -> Pair:
    """Return seconds for an append at 100 events, and at 5,000."""
    sessions = [await session_of(service, length) for length in (100, 5_000)]
    appends = [Appending(service, session) for session in sessions]
    return Pair(*await race(*appends, rounds=lab.pick(25, 9)))


@row("append-rpush", "append", against="RPUSH of the same bytes", target=within(2.2))
async def append_against_rpush(lab: Lab) -> Pair:
    service = open_service(OWN, lab)
    append = Appending(service, await session_of(service, 100))
    return Pair(*await race(pushing(lab.database()), append, rounds=lab.pick(25, 9)))


@row(
    "append-32",
    f"{CONCURRENT} sessions appending at once",
    against="RPUSH in the same loop",
    target=at_least(0.35),
    unit="/s",
)
async def concurrent_appends(lab: Lab) -> Pair:
    service = open_service(OWN, lab)
    appends = [Appending(service, await session_of(service, 1)) for _ in range(CONCURRENT)]
    url = lab.database()
    redis, line = client(url), event_bytes(new_event())
    pushes = [lambda key=n: redis.rpush(key, line) for n in range(CONCURRENT)]
    return await throughput(pushes, appends, rounds=lab.pick(15, 5))


@dataclass
class Together:
    """A call that runs many calls concurrently, each `EACH` times in a row."""

    calls: Sequence[Call]

    def prepare(self, count: int) -> None:
        """Prepare the calls that need it."""
        for call in self.calls:
            if isinstance(call, Appending):
                call.prepare(count * EACH)

    async def __call__(self) -> None:
        await asyncio.gather(*map(self._repeat, self.calls))

    async def _repeat(self, call: Call) -> None:
        for _ in range(EACH):
            await call()


async def throughput(reference: Sequence[Call], subject: Sequence[Call], *, rounds: int) -> Pair:
    """Return calls per second of concurrent tasks, one for each call."""
    taken = await race(Together(reference), Together(subject), rounds=rounds, most=1)
    return Pair(*(len(subject) * EACH / seconds for seconds in taken))
