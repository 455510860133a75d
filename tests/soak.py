"""Load that is run by hand.

python -m tests.soak [MINUTES]          mixed load; prints numbers that must not grow
python -m tests.soak index [MINUTES]    writers and a server are killed, then indexes and documents
                                        compared (16 writers, 1 minute by default)
python -m tests.soak cancel [MINUTES]   every append on an uneven network may be cancelled; order
                                        and sessions are compared
python -m tests.soak expire [CREATES]   sessions with a TTL of a minute that are never listed (a
                                        million by default); the indexes stay bounded
python -m tests.soak pages [MINUTES]    listings in pages of 1, 7 and 50 sessions while eight
                                        writers append, create and delete (1 minute by default)
"""

import asyncio
import gc
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import redis
from google.adk.sessions.base_session_service import GetSessionConfig

from adksess import RedisSessionService
from tests import paging, short_lived
from tests.churn import prove
from tests.events import event
from tests.faults.proxy import proxy
from tests.servers import running, valkey_binary

WORKERS = 16
LIVE_SESSIONS = 400
EVENTS_EACH = 60
REPORT_SECONDS = 60


class Soak:
    """Workers that create, append, read, list and delete, with a bounded number of sessions."""

    def __init__(self, url: str) -> None:
        self.service = RedisSessionService(f"{url}?ttl=2h")
        self.client = redis.Redis.from_url(url)
        self.calls = 0

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._work(n, end) for n in range(WORKERS)), self._report(end))

    async def _work(self, number: int, end: float) -> None:
        rng, user = random.Random(number), f"user-{number}"
        names = {"app_name": "soak", "user_id": user}
        sessions = []
        while time.monotonic() < end:
            if len(sessions) < LIVE_SESSIONS // WORKERS:
                sessions.append(await self.service.create_session(**names, state={"n": 0}))
            session = rng.choice(sessions)
            state = {"n": len(session.events), "user:last": session.id, "app:calls": self.calls}
            await self.service.append_event(session, event("x" * rng.randrange(900), state=state))
            self.calls += 1
            if rng.random() < 0.1:
                config = GetSessionConfig(num_recent_events=rng.randrange(5))
                found = await self.service.get_session(
                    **names, session_id=session.id, config=config
                )
                assert found is not None
            if rng.random() < 0.02:
                listed = await self.service.list_sessions(**names)
                assert len(listed.sessions) == len(sessions)
            if len(session.events) >= EVENTS_EACH:
                stored = await self.service.get_session(**names, session_id=session.id)
                assert stored is not None
                assert [e.id for e in stored.events] == [e.id for e in session.events]
                await self.service.delete_session(**names, session_id=session.id)
                sessions.remove(session)

    async def _report(self, end: float) -> None:
        started = time.monotonic()
        while time.monotonic() < end:
            await asyncio.sleep(min(REPORT_SECONDS, max(0, end - time.monotonic())))
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            count = sum(1 for _ in self.client.scan_iter("session:*", count=1_000))
            used = self.client.info("memory")["used_memory"]
            print(
                f"{time.monotonic() - started:6.0f} s  {self.calls:9,} appends  process "
                f"{pages * resource.getpagesize() / 1e6:5.1f} MB  redis {used / 1e6:5.1f} MB, "
                f"{used / max(count, 1) / 1e3:5.1f} kB a session  "
                f"{len(self.client.client_list())} connections",
                flush=True,
            )


async def main(minutes: float) -> None:
    """Run the load, then check that indexes and documents agree."""
    with tempfile.TemporaryDirectory() as folder, running(valkey_binary(), Path(folder)) as server:
        soak = Soak(server.url)
        await soak.run(minutes * 60)
        found = await soak.service.store.audit()
        print(
            f"{found.sessions} sessions; {found.unindexed.count} not in the index, "
            f"{found.stale.count} entries without a session, {found.unreadable.count} unreadable"
        )
        await soak.service.aclose()


async def index(minutes: float) -> None:
    """Kill writers and the server, then compare indexes and documents."""
    persistent = {"appendonly": "yes", "appendfsync": "always"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(valkey_binary(), Path(folder), **persistent) as server,
    ):
        print(await prove(server, minutes * 60))


async def cancel(minutes: float) -> None:
    """Cancel appends at any moment, on connections of different latency."""
    chance = random.Random(1)
    end = time.monotonic() + minutes * 60
    counts: Counter[str] = Counter()

    async def write(service: RedisSessionService) -> None:
        session = await service.create_session(app_name="soak", user_id="ada")
        for number in range(20):
            task = asyncio.create_task(service.append_event(session, event(f"{number}")))
            await asyncio.wait([task], timeout=chance.uniform(0, 0.04))
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            counts["cancelled"] += task.cancelled()
            assert len(session.events) == number + 1
        names = {"app_name": "soak", "user_id": "ada", "session_id": session.id}
        assert await service.get_session(**names) == session
        await service.delete_session(**names)
        counts["sessions"] += 1

    with tempfile.TemporaryDirectory() as folder, running(valkey_binary(), Path(folder)) as server:
        async with proxy(server.port, latency=lambda: chance.uniform(0.000_25, 0.01)) as between:
            while time.monotonic() < end:  # new connections, with new latencies
                async with RedisSessionService(f"{between.url}?conflict=reject") as service:
                    await asyncio.gather(*(write(service) for _ in range(40)))
    print(f"{counts['sessions']:,} sessions in order, {counts['cancelled']:,} cancelled appends")


async def expire(creates: float) -> None:
    """Create sessions that expire soon, in processes of their own."""
    with tempfile.TemporaryDirectory() as folder, running(valkey_binary(), Path(folder)) as server:
        await asyncio.to_thread(short_lived.prove, server, int(creates))


async def pages(minutes: float) -> None:
    """List page by page while others write: no session twice, none missing."""
    with tempfile.TemporaryDirectory() as folder, running(valkey_binary(), Path(folder)) as server:
        print(await paging.prove(server.url, minutes * 60))


MODES = {
    "index": (index, 1),
    "cancel": (cancel, 1),
    "expire": (expire, 1_000_000),
    "pages": (pages, 1),
}

if __name__ == "__main__":
    mode, default = MODES.get(sys.argv[1] if len(sys.argv) > 1 else "", (main, 20))
    minutes = sys.argv[2:] if mode is not main else sys.argv[1:]
    asyncio.run(mode(float(minutes[0]) if minutes else default))
