"""Writers in processes that are killed, and a check that indexes and documents agree afterwards."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store import recency
from adksess.store.errors import ServerUnavailable
from adksess.store.filters import SessionFilter
from tests.events import event
from tests.servers import ServerProcess, wait_until

PROCESSES, WRITERS_EACH = 4, 4
APPS, USERS, MOST_SESSIONS, SHORT_TTL = 3, 8, 30, 2
KILL_EVERY = 0.7
"""Seconds between two kills of a writing process."""


class Writer:
    """Creates, appends to, deletes and cancels calls on sessions of its own."""

    def __init__(self, service: RedisSessionService, seed: int) -> None:
        self.service = service
        self.rng = random.Random(seed)
        self.client = redis.Redis.from_url(service.store.settings.url)
        self.sessions: list[Session] = []

    async def work(self) -> None:
        """Run until the process is killed."""
        while True:
            try:
                await self._step()
            except (ServerUnavailable, redis.ConnectionError):  # the server is killed, too
                await asyncio.sleep(0.02)

    async def _step(self) -> None:
        rng = self.rng
        if not self.sessions or (len(self.sessions) < MOST_SESSIONS and rng.random() < 0.3):
            created = await self.service.create_session(
                app_name=f"app{rng.randrange(APPS)}",
                user_id=f"u{rng.randrange(USERS)}",
                ttl=SHORT_TTL if rng.random() < 0.3 else 0,
            )
            self.sessions.append(created)
        session = rng.choice(self.sessions)
        chance = rng.random()
        if chance < 0.1:
            await self.service.delete_session(
                app_name=session.app_name, user_id=session.user_id, session_id=session.id
            )
        elif chance < 0.15:
            ref = SessionRef(session.app_name, session.user_id, session.id)
            self.client.delete(self.service.store.keys.session(ref))
        elif await self._append(session):
            return
        self.sessions.remove(session)

    async def _append(self, session: Session) -> bool:
        """Append, and sometimes cancel it. False when the session has expired."""
        append = self.service.append_event(session, event("x" * self.rng.randrange(400)))
        task = asyncio.create_task(append)
        if self.rng.random() < 0.2:
            await asyncio.sleep(0)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True
        except ValueError:  # SessionNotFoundError
            return False
        return True


async def write(url: str, seed: int) -> None:
    """The work of one process."""
    service = RedisSessionService(url)
    await asyncio.gather(
        *(Writer(service, seed * 100 + number).work() for number in range(WRITERS_EACH))
    )


@contextmanager
def killed_writers(server: ServerProcess) -> Iterator[Callable[[float], None]]:
    """Writing processes, and a function that kills and replaces them for so many seconds."""
    rng = random.Random(5)
    seeds = iter(range(1, 1_000_000))

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.churn", server.url, str(next(seeds))]
        return subprocess.Popen(command)

    processes = [start() for _ in range(PROCESSES)]

    def churn(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(KILL_EVERY)
            number = rng.randrange(PROCESSES)
            processes[number].kill()
            processes[number].wait()
            processes[number] = start()

    try:
        yield churn
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def prove(server: ServerProcess, seconds: float) -> str:
    """Let writers be killed, the server once too, then compare. Returns what was compared."""
    async with SessionStore(server.url) as store:
        await store.audit(fix=True)  # marks the index as complete
        with server.client() as client, killed_writers(server) as churn:
            wait_until(lambda: client.dbsize() > 200, 60)
            await asyncio.to_thread(churn, seconds / 2)
            server.kill()
            server.start()
            await asyncio.to_thread(churn, seconds / 2)
        found = await store.audit()
        assert not found.unindexed, found.unindexed
        assert not found.unreadable, found.unreadable
        with server.client() as client:
            await _until(lambda: _none_expires(client, store))
            sessions = [ref async for batch in store.scan_refs() for ref in batch]
        listed = await _listed_by_index(store)
        assert len(listed) == len(set(listed))
        assert set(listed) == set(sessions)
        stale = (await store.audit()).stale.count
        await store.audit(fix=True)
        repaired = await store.audit()
        assert not repaired.stale
        assert not repaired.unindexed
        with server.client() as client:
            await _compare_scores(client, store, sessions)
        return f"{len(sessions)} sessions agree; {stale} stale entries were left"


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition, 30)


def _none_expires(client: redis.Redis, store: SessionStore) -> bool:
    keys = list(client.scan_iter(store.keys.sessions_pattern(), count=1_000))
    return all(client.pttl(key) == -1 for key in keys)


async def _listed_by_index(store: SessionStore) -> list[SessionRef]:
    """What a listing shows that takes this database for a large one."""
    small, recency.SMALL = recency.SMALL, 0
    try:
        page = await store.page(SessionFilter(), limit=0)
    finally:
        recency.SMALL = small
    assert page.plan.source.name == "INDEX"
    return [session.ref for session in page.sessions]


async def _compare_scores(client: Any, store: SessionStore, sessions: list[SessionRef]) -> None:
    """Each index holds every session and nothing else, with the second of its last update."""
    keys = store.keys
    summaries = {summary.ref: summary for summary in await store.summaries(sessions)}
    by_app = {ref.app_name: keys.app_sessions(ref.app_name) for ref in sessions}
    by_user = {ref.user: keys.user_sessions(*ref.user) for ref in sessions}
    assert sum(client.zcard(key) for key in by_app.values()) == len(sessions)
    assert sum(client.zcard(key) for key in by_user.values()) == len(sessions)
    for ref, summary in summaries.items():
        score = client.zscore(by_app[ref.app_name], keys.app_member(ref))
        assert abs(score - summary.updated) <= 1, ref
        assert client.zscore(by_user[ref.user], ref.session_id) == float("inf")


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2])))
