"""A cluster of three nodes: what stays flat there."""

from redis.asyncio import RedisCluster

from adksess import RedisSessionService
from tests.bench.appends import CONCURRENT, Appending, throughput
from tests.bench.lab import Lab
from tests.bench.services import OWN, event_bytes, new_event, open_service, session_of
from tests.bench.table import Pair, at_least, row


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
    return await throughput(*appends, rounds=lab.pick(15, 5))
