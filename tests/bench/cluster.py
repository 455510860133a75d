"""A cluster of three nodes: costs that must not grow there."""

import asyncio

from redis.asyncio import RedisCluster

from adksess import RedisSessionService
from tests.bench.appends import CONCURRENT, Appending, long_against_short, throughput
from tests.bench.filling import PER_USER
from tests.bench.lab import Lab
from tests.bench.reads import listing
from tests.bench.services import APP, OWN, event_bytes, new_event, open_service, session_of
from tests.bench.table import Pair, at_least, race, row, within


@row(
    "cluster-32",
    f"{CONCURRENT} sessions appending to a cluster of 3",
    against="RPUSH there in the same loop",
    target=at_least(0.35),
    unit="/s",
)
async def cluster_against_rpush(lab: Lab) -> Pair:
    address = lab.start_cluster()
    service = RedisSessionService(f"redis+cluster://{address}")
    appends = [Appending(service, await session_of(service, 1)) for _ in range(CONCURRENT)]
    redis, line = RedisCluster.from_url(f"redis://{address}"), event_bytes(new_event())
    await redis.initialize()
    pushes = [lambda key=f"list{n}": redis.rpush(key, line) for n in range(CONCURRENT)]
    try:
        return await throughput(pushes, appends, rounds=lab.pick(15, 5))
    finally:
        await redis.aclose()


@row(
    "cluster-5000",
    "append at 5,000 events, on a cluster of 3",
    against="at 100 events there",
    target=within(1.2),
)
async def cluster_append_at_5000(lab: Lab) -> Pair:
    service = RedisSessionService(f"redis+cluster://{lab.start_cluster()}")
    return await long_against_short(lab, service)


@row(
    "cluster-list",
    "list one user's 10 sessions of 10,000, on a cluster of 3",
    against="of 100 there",
    target=within(1.2),
)
async def cluster_list_among_many(lab: Lab) -> Pair:
    calls = []
    for users in (10, lab.pick(1_000, 100)):
        service = RedisSessionService(f"redis+cluster://{lab.start_cluster()}")
        for user in range(40, 40 + users):  # listing() asks for u00000042
            await asyncio.gather(
                *(
                    service.create_session(app_name=APP, user_id=f"u{user:08}")
                    for _ in range(PER_USER)
                )
            )
        calls.append(listing(service))
    return Pair(*await race(*calls, rounds=lab.pick(25, 9)))


@row(
    "cluster-flat",
    f"{CONCURRENT} sessions appending to a cluster of 3",
    against="to one server",
    target=at_least(1),
    unit="/s",
)
async def cluster_against_one_server(lab: Lab) -> Pair:
    services = (
        open_service(OWN, lab),
        RedisSessionService(f"redis+cluster://{lab.start_cluster()}"),
    )
    appends = [
        [Appending(service, await session_of(service, 1)) for _ in range(CONCURRENT)]
        for service in services
    ]
    return await throughput(*appends, rounds=lab.pick(45, 5))
