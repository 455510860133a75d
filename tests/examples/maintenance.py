"""A job for cron: list an app's sessions, search them, fork one, and trim them."""

import asyncio
import os

from adksess import SessionStore
from adksess.conversation.search import SearchOptions, search
from adksess.conversation.text_pattern import TextPattern
from adksess.store.filters import SessionFilter
from adksess.transfer.copy import CopyOptions, copy_session
from adksess.transfer.trim import TrimOptions, trim_sessions


async def main() -> None:
    selected = SessionFilter(apps=("remember",))
    uri = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    async with SessionStore(uri) as store:
        page = await store.page(selected, limit=100)
        for session in page.sessions:
            print(session.ref.path, session.title, session.tail.event_count)

        async for matches in search(store, selected, SearchOptions(TextPattern("mat"))):
            for match in matches:
                print(f"event {match.number} of {match.ref.path}: {match.found.line}")

        fork = await copy_session(store, page.sessions[0].ref, CopyOptions(before=3))
        print(f"{fork.ref.path} has {fork.event_count} events")

        report = await trim_sessions(store, page.sessions, TrimOptions(keep_last=1))
        print(f"{report.events} events dropped, {report.freed_bytes} bytes freed")


asyncio.run(main())
