"""Sessions that expire soon and are never listed: the sizes of the indexes meanwhile and later."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from adksess import RedisSessionService
from tests.servers import ServerProcess

PROCESSES, WRITERS_EACH = 3, 16
TTL = 60
"""Seconds."""

APPS, USERS = 4, 50_000
CAMPAIGNS = 10
"""Apps that are used one after the other and then never again; a fifth of the sessions."""

TRICKLE = 4.0
"""Creates per second after the load."""

REPORT_SECONDS = 5
AFTER_SECONDS = 120


class Sizes(NamedTuple):
    """Live sessions, entries of all app indexes and user indexes, apps; memory in bytes."""

    sessions: int
    app_entries: int
    user_indexes: int
    user_entries: int
    apps: int
    index_bytes: int
    used_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.sessions:9,} sessions  {self.app_entries:9,} in {self.apps:2} app indexes "
            f"({self.index_bytes / 1e6:5.1f} MB)  {self.user_entries:9,} in "
            f"{self.user_indexes:6,} user indexes  {self.used_bytes / 1e6:6.1f} MB used"
        )


def measure(client: Any) -> Sizes:
    """Read the sizes as another program would."""
    sessions = sum(1 for _ in client.scan_iter("session:*", count=10_000))
    apps = list(client.scan_iter("app_sessions:*", count=10_000))
    users = list(client.scan_iter("user_sessions:*", count=10_000))
    with client.pipeline(transaction=False) as pipeline:
        for key in [*apps, *users]:
            pipeline.zcard(key)
        sizes = pipeline.execute()
    return Sizes(
        sessions,
        sum(sizes[: len(apps)]),
        len(users),
        sum(sizes[len(apps) :]),
        client.scard("session_apps"),
        sum(client.memory_usage(key, samples=50) or 0 for key in apps),
        client.info("memory")["used_memory"],
    )


async def write(url: str, seed: int, creates: int, rate: float) -> None:
    """Create sessions in a process; `rate` per second, 0 for as many as possible."""
    rng = random.Random(seed)
    async with RedisSessionService(f"{url}?ttl={TTL}") as service:
        left = iter(range(creates))

        async def work() -> None:
            for number in left:
                campaign = f"campaign-{number * CAMPAIGNS // creates}"
                app = campaign if rng.random() < 0.2 else f"app-{rng.randrange(APPS)}"
                user = f"user-{rng.randrange(USERS)}"
                await service.create_session(app_name=app, user_id=user, state={"n": number})
                if rate:
                    await asyncio.sleep(1 / rate)

        await asyncio.gather(*(work() for _ in range(1 if rate else WRITERS_EACH)))


@contextmanager
def writers(url: str, count: int, creates: int, rate: float = 0) -> Iterator[list[Any]]:
    """Processes that create sessions."""
    command = [sys.executable, "-m", "tests.short_lived", url]
    processes = [
        subprocess.Popen([*command, str(seed), str(creates // count), str(rate)])
        for seed in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def prove(server: ServerProcess, creates: int) -> None:
    """Create sessions, then a few, then none. Print the sizes of the indexes; they are bounded."""
    started = time.monotonic()
    most = 0
    with server.client(socket_timeout=60) as client:

        def report(label: str) -> Sizes:
            nonlocal most
            sizes = measure(client)
            most = max(most, sizes.sessions)
            print(f"{time.monotonic() - started:6.0f} s {label:8} {sizes}", flush=True)
            assert sizes.app_entries <= 1.5 * most + 5_000, "the app indexes grow"
            assert sizes.user_entries <= 1.5 * most + 5_000, "the user indexes grow"
            return sizes

        with writers(server.url, PROCESSES, creates) as processes:
            while any(process.poll() is None for process in processes):
                with suppress(subprocess.TimeoutExpired):
                    processes[0].wait(REPORT_SECONDS)
                report("creates")
            assert all(process.returncode == 0 for process in processes)
        with writers(server.url, 1, creates, TRICKLE):
            end = time.monotonic() + AFTER_SECONDS
            while time.monotonic() < end:
                time.sleep(REPORT_SECONDS)
                report("trickle")
        for _ in range(4):
            time.sleep(20)
            sizes = report("none")
        assert sizes.sessions == sizes.user_entries == 0
        assert sizes.app_entries <= most / 2, "the trickle removes what the load has left"


if __name__ == "__main__":
    url, seed, creates, rate = sys.argv[1:]
    asyncio.run(write(url, int(seed), int(creates), float(rate)))
