"""Migrate sessions between Redis and any of ADK's session services."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from urllib.parse import urlsplit

from google.adk.sessions.base_session_service import BaseSessionService

from adksess.adk.other_services import (
    NoApps,
    ServiceReceiver,
    app_names,
    encode_event,
    open_service,
    require_database,
    sessions,
)
from adksess.store.settings import Settings
from adksess.store.store import SessionStore
from adksess.transfer.migration import Migration, MigrationReport, Receiver
from adksess.transfer.redis_source import (
    ADKSESS,
    Counter,
    Progress,
    count_sessions,
    detect_layouts,
    is_same_place,
    migrate_layouts,
    migrate_own,
)
from adksess.transfer.store_receiver import StoreReceiver


class _NoCounter:
    def advance(self, steps: int) -> None:
        """Show nothing."""


def _no_progress(text: str, total: int | None) -> AbstractContextManager[Counter]:
    return nullcontext(_NoCounter())


@dataclass(frozen=True)
class MigrateOptions:
    """A migration. A place is a Redis, as settings, or the URI of one of ADK's session services.

    `layout` names the only layout in Redis to migrate; `ttl` in seconds (0 for never) replaces
    every expiry. With `only_own` the source is not searched for documents of other tools, and those
    at our keys are copied unchanged.
    """

    source: Settings | str
    target: Settings | str
    app: str | None = None
    layout: str | None = None
    ttl: int | None = None
    dry_run: bool = False
    only_own: bool = False


async def migrate(options: MigrateOptions, progress: Progress = _no_progress) -> MigrationReport:
    """Copy sessions and state, read each session back, and compare it.

    The source is not changed, except where documents of another tool are at our own keys: those
    are converted in place. Can be interrupted and repeated. Raises ServerUnavailable and
    ServiceError.
    """
    async with AsyncExitStack() as stack:
        store: SessionStore | None = None
        receiver: Receiver
        if isinstance(options.target, Settings):
            store = await stack.enter_async_context(SessionStore(options.target))
            await store.check()
            receiver = StoreReceiver(store, encode_event, options.ttl)
        else:
            service = await stack.enter_async_context(_opened(options.target, must_exist=False))
            receiver = ServiceReceiver(service)
        migration = Migration(receiver, encode_event, dry_run=options.dry_run)
        if isinstance(options.source, str):
            service = await stack.enter_async_context(_opened(options.source, must_exist=True))
            apps = [options.app] if options.app else await app_names(service, options.source)
            with progress("Migrating sessions", None) as bar:
                await migration.sessions(sessions(service, apps), bar.advance)
        else:
            await _from_redis(options.source, store, options, migration, progress)
        await migration.shared_states()
        return migration.report


async def detect(
    source: Settings | str, app: str | None = None, progress: Progress = _no_progress
) -> list[tuple[str, str, MigrationReport]]:
    """Return name, title and counts of each layout that a place holds."""
    if isinstance(source, Settings):
        return await detect_layouts(source, progress, app=app)
    async with _opened(source, must_exist=True) as service:
        try:
            apps = [app] if app is not None else await app_names(service, source)
        except NoApps:
            return []
        with progress("Reading sessions", None) as bar:
            report = await count_sessions(sessions(service, apps), bar.advance)
        return [(urlsplit(source).scheme, type(service).__name__, report)]


async def _from_redis(
    source: Settings,
    target: SessionStore | None,
    options: MigrateOptions,
    migration: Migration,
    progress: Progress,
) -> None:
    if not options.only_own:
        await migrate_layouts(source, migration, progress, app=options.app, layout=options.layout)
    if options.layout not in (None, ADKSESS):
        return
    if target is not None and is_same_place(source, target.settings):
        return
    await migrate_own(
        source,
        target,
        migration,
        progress,
        app=options.app,
        ttl=options.ttl,
        dry_run=options.dry_run,
        # other tools have no prefix: what they wrote at our keys was migrated above
        include_foreign=options.only_own or bool(source.prefix),
    )


@asynccontextmanager
async def _opened(uri: str, *, must_exist: bool) -> AsyncIterator[BaseSessionService]:
    if must_exist:
        require_database(uri)
    service = open_service(uri)
    try:
        yield service
    finally:
        if close := getattr(service, "close", None):
            await close()
