"""Redis as the source of a migration: the documents of adksess, and the layouts of other tools."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Protocol
from urllib.parse import urlsplit

from adksess.store.document import decode, find_tail, parse_json
from adksess.store.foreign import ReadOnlyRedis
from adksess.store.foreign_json import as_seconds
from adksess.store.models import StoredValue
from adksess.store.settings import Settings
from adksess.store.store import SessionStore
from adksess.transfer.layouts import LAYOUTS
from adksess.transfer.migration import (
    Migration,
    MigrationReport,
    Outcome,
    copy_documents,
)
from adksess.transfer.source_session import SkippedSession, SourceSession

ADKSESS = "adksess"
"""The name of our own layout, which is not in LAYOUTS."""

_BATCH = 100


class Counter(Protocol):
    """Counts the sessions that are done."""

    def advance(self, steps: int) -> None: ...


Progress = Callable[[str, int | None], AbstractContextManager[Counter]]
"""Shows the progress of one step of the work, by its text and the number of sessions, if known."""


async def migrate_layouts(
    source: Settings,
    migration: Migration,
    progress: Progress,
    *,
    app: str | None,
    layout: str | None,
) -> None:
    """Migrate the sessions of other tools: every known layout, or one by its name."""
    report = migration.report
    async with ReadOnlyRedis(source) as redis:
        for known in LAYOUTS:
            if layout not in (None, known.name):
                continue
            with progress(f"Migrating: {known.title}", None) as bar:
                before, report.apps = report.apps, set()
                await migration.sessions(known.sessions(redis, app), bar.advance)
                for name in sorted(report.apps):
                    await migration.states(known.states(redis, name))
                report.apps |= before


async def migrate_own(
    source: Settings,
    target: SessionStore | None,
    migration: Migration,
    progress: Progress,
    *,
    app: str | None,
    ttl: int | None,
    dry_run: bool,
    include_foreign: bool,
) -> None:
    """Migrate documents of adksess: unchanged to a store, or, if None, to another service."""
    async with SessionStore(source) as store:
        documents = stored_documents(store, app, include_foreign=include_foreign)
        with progress("Copying sessions", await store.key_count()) as bar:
            if target is None:
                await migration.sessions(_as_sources(documents), bar.advance)
            else:
                await copy_documents(
                    target,
                    documents,
                    migration.report,
                    ttl=ttl,
                    dry_run=dry_run,
                    advance=bar.advance,
                )
            await migration.states(store.all_states(app))


async def detect_layouts(
    source: Settings, progress: Progress, *, app: str | None
) -> list[tuple[str, str, MigrationReport]]:
    """Return name, title and counts of each layout that a Redis holds."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(ReadOnlyRedis(source))
        await redis.key_count()  # raises ServerUnavailable before any output
        found = []
        for layout in LAYOUTS:
            with progress(f"Looking for {layout.title}", None) as bar:
                report = await count_sessions(layout.sessions(redis, app), bar.advance)
            if report.failed or report.sessions:
                found.append((layout.name, layout.title, report))
        own = MigrationReport()
        store = await stack.enter_async_context(SessionStore(source))
        async for batch in stored_documents(store, app, include_foreign=False):
            for stored in batch:
                own.outcomes[Outcome.COPIED] += 1
                own.events += decode(stored.value, stored.ref).tail.event_count
                own.apps.add(stored.ref.app_name)
        if own.sessions:
            found.append((ADKSESS, ADKSESS, own))
        return found


async def count_sessions(
    batches: AsyncIterable[Sequence[SourceSession | SkippedSession]],
    advance: Callable[[int], None],
) -> MigrationReport:
    """Count the sessions and events of a source."""
    report = MigrationReport()
    async for batch in batches:
        for item in batch:
            if isinstance(item, SkippedSession):
                report.fail(item.name, item.reason)
            else:
                report.outcomes[Outcome.COPIED] += 1
                report.events += len(item.events)
                report.apps.add(item.ref.app_name)
        advance(len(batch))
    return report


async def stored_documents(
    store: SessionStore, app: str | None, *, include_foreign: bool
) -> AsyncIterator[list[StoredValue]]:
    """Yield the documents at our keys, without those of other tools unless `include_foreign`."""
    async for batch in store.scan(app):
        readable = [summary.ref for summary in batch if summary.tail]
        for start in range(0, len(readable), _BATCH):
            stored = await store.values(readable[start : start + _BATCH])
            yield [v for v in stored if include_foreign or find_tail(v.value) is not None]


def is_same_place(one: Settings | str, other: Settings | str) -> bool:
    """Return whether two places are the same Redis database and prefix, or the same URI."""
    return _place(one) == _place(other)


def _place(settings: Settings | str) -> object:
    if isinstance(settings, str):
        return settings
    parts = urlsplit(settings.url)
    host = parts.netloc.rpartition("@")[2].replace("localhost", "127.0.0.1")
    return host, parts.path.strip("/") or "0", settings.prefix


async def _as_sources(
    documents: AsyncIterable[list[StoredValue]],
) -> AsyncIterator[Sequence[SourceSession | SkippedSession]]:
    async for batch in documents:
        for stored in batch:
            document = decode(stored.value, stored.ref)
            yield [
                SourceSession(
                    name=stored.ref.path,
                    ref=stored.ref,
                    state=document.tail.state,
                    events=[parse_json(line) for line in document.events],
                    last_update_time=document.tail.last_update_time,
                    created=as_seconds(document.tail.created_at),
                    ttl_ms=stored.ttl_ms,
                )
            ]
