"""The size of sessions: memory of the server, bytes sent."""

from redis.asyncio import Redis

from tests.bench.lab import Lab, client
from tests.bench.services import ADK, OWN, event_bytes, new_event, open_service, session_of
from tests.bench.table import Pair, row, within

_APPENDS = 100


@row("memory", "memory of 2,000 events", against=ADK, target=within(0.55), unit="B")
async def memory(lab: Lab) -> Pair:
    used = []
    for name in (ADK, OWN):
        url = lab.database()
        await session_of(open_service(name, lab, url), 2_000)
        async with client(url) as redis:
            sizes = [await redis.memory_usage(key, samples=0) async for key in redis.scan_iter()]
        used.append(sum(sizes))
    return Pair(*used)


@row(
    "bytes-sent",
    "bytes sent for an append",
    against="event + delta",
    target=within(1.3, plus=300),
    unit="B",
)
async def bytes_sent(lab: Lab) -> Pair:
    url = lab.database()
    service = open_service(OWN, lab, url)
    session = await session_of(service, 100)
    event = new_event()
    delta = sum(len(f'"{k}":{v!r}') for k, v in event.actions.state_delta.items())
    async with client(url) as redis:
        await _received(redis)
        asking = -await _received(redis) + await _received(redis)
        before = await _received(redis)
        for _ in range(_APPENDS):
            await service.append_event(session, new_event())
        after = await _received(redis)
    return Pair(len(event_bytes(event)) + delta, (after - before - asking) / _APPENDS)


async def _received(redis: Redis) -> int:
    return int((await redis.info("stats"))["total_net_input_bytes"])
