"""The work of `adksess migrate`: open both sides, take over, report."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.table import Table
from rich.text import Text

from adksess.cli.commands._migrate_options import LayoutName
from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.progress import Meter
from adksess.cli.render.text import counted, safe_text
from adksess.store.document import decode, find_tail, parse_json
from adksess.store.foreign import ReadOnlyRedis
from adksess.store.foreign_json import as_seconds
from adksess.store.models import StoredValue
from adksess.store.settings import SCHEMES, Settings
from adksess.store.store import SessionStore
from adksess.transfer.layouts import LAYOUTS
from adksess.transfer.migration import (
    Migration,
    MigrationReport,
    Outcome,
    Receiver,
    StoreReceiver,
    copy_store,
)
from adksess.transfer.source_session import SkippedSession, SourceSession

if TYPE_CHECKING:
    from google.adk.sessions.base_session_service import BaseSessionService

_BATCH = 100


@dataclass(frozen=True)
class MigrateOptions:
    """What was asked for. Without a source or a target, that side is our own store."""

    source: str | None
    target: str | None
    own: Settings
    app: str | None
    layout: LayoutName | None
    ttl: int | None
    dry_run: bool


def migrate_sessions(migration: MigrateOptions) -> bool:
    """Take the sessions over and report. False when one could not be."""
    source = _place(migration.source, migration.own)
    target = _place(migration.target, migration.own)
    if isinstance(target, str) and migration.ttl is not None:
        raise UsageProblem("--ttl is for a target in Redis: databases have no expiry.")
    in_redis = isinstance(source, Settings) and isinstance(target, Settings)
    if in_redis and migration.source is None and _same_place(source, target):
        raise UsageProblem("--to names the place where the sessions are already.")
    taken = asyncio.run(_migrate(migration, source, target))
    _report(migration, taken, is_service=isinstance(target, str))
    return not taken.failed


def detect_in(uri: str | None, own: Settings, app: str | None) -> None:
    """Print what a Redis or a database holds, by the layout of the tool that wrote it."""
    place = _place(uri, own)
    found = asyncio.run(_detect(place, app))
    if not found:
        stdout().print("No sessions of any layout that adksess knows.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("LAYOUT", "WRITTEN BY", "APPS"):
        table.add_column(name, overflow="fold")
    for name in ("SESSIONS", "EVENTS", "UNUSABLE"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, title, taken in found:
        table.add_row(
            name,
            title,
            Text(safe_text(", ".join(sorted(taken.apps)))),
            f"{sum(taken.outcomes.values()):,}",
            f"{taken.events:,}",
            f"{taken.failed:,}",
        )
    stdout().print(table)
    where = place.redacted if isinstance(place, Settings) else "URI"
    if any(name != LayoutName.ADKSESS for name, _, _ in found):
        stderr().print(
            f"adksess migrate --from {where} takes them over; --dry-run tries it.",
            style="dim",
            markup=False,
        )


def _place(uri: str | None, own: Settings) -> Settings | str:
    """Redis, as settings, or the URI of a session service of ADK."""
    if uri is None:
        return own
    if urlsplit(uri).scheme in SCHEMES:
        return Settings.parse(uri)
    if "://" not in uri and Path(uri).is_file():
        return f"sqlite:///{uri}"
    if "://" not in uri:
        raise UsageProblem(
            "That is neither a URI nor a file: write redis://host:6379/0, sqlite:///sessions.db "
            "or postgresql+asyncpg://user:password@host/database."
        )
    return uri


async def _migrate(
    migration: MigrateOptions, source: Settings | str, target: Settings | str
) -> MigrationReport:
    from adksess.adk.other_services import encode_event

    async with AsyncExitStack() as stack:
        receiver: Receiver
        store: SessionStore | None = None
        if isinstance(target, Settings):
            store = await stack.enter_async_context(SessionStore(target))
            await store.check()
            receiver = StoreReceiver(store, encode_event, migration.ttl)
        else:
            receiver = await _service_receiver(target, stack)
        work = Migration(receiver, encode_event, dry_run=migration.dry_run)
        if isinstance(source, str):
            service = await _service(source, stack, must_exist=True)
            await _from_service(service, migration.app, work)
        else:
            await _from_redis(stack, migration, source, store, work)
        await work.left_over_states()
        return work.taken


async def _from_redis(
    stack: AsyncExitStack,
    migration: MigrateOptions,
    source: Settings,
    target: SessionStore | None,
    work: Migration,
) -> None:
    """Every layout there. Our own documents go from store to store as they are."""
    wanted = migration.layout
    if migration.source is not None:
        redis = await stack.enter_async_context(ReadOnlyRedis(source))
        for layout in LAYOUTS:
            if wanted in (None, layout.name):
                with Meter(f"Taking over: {layout.title}") as meter:
                    before, work.taken.apps = work.taken.apps, set()
                    await work.sessions(layout.sessions(redis, migration.app), meter.advance)
                    for app in sorted(work.taken.apps):
                        await work.states(layout.states(redis, app))
                    work.taken.apps |= before
    if wanted not in (None, LayoutName.ADKSESS):
        return
    if target is not None and _same_place(source, target.settings):
        return
    ours = await stack.enter_async_context(SessionStore(source))
    # plain JSON at our keys was just taken over as another tool's
    documents = _documents(
        ours, migration.app, plain_too=migration.source is None or bool(source.prefix)
    )
    with Meter("Copying sessions", await ours.key_count()) as meter:
        if target is None:
            await work.sessions(_as_found(documents), meter.advance)
            await work.states(ours.all_states(migration.app))
        else:
            await copy_store(
                target,
                documents,
                work.taken,
                ttl=migration.ttl,
                dry_run=migration.dry_run,
                advance=meter.advance,
            )
            await work.states(ours.all_states(migration.app))


async def _from_service(service: "BaseSessionService", app: str | None, work: Migration) -> None:
    from adksess.adk.other_services import app_names, sessions

    apps = [app] if app is not None else await app_names(service)
    if not apps:
        raise UsageProblem("That service holds no sessions, or cannot list its apps: add --app.")
    with Meter("Taking over") as meter:
        await work.sessions(sessions(service, apps), meter.advance)


async def _service_receiver(uri: str, stack: AsyncExitStack) -> Receiver:
    from adksess.adk.other_services import ServiceReceiver

    return ServiceReceiver(await _service(uri, stack, must_exist=False))


async def _service(uri: str, stack: AsyncExitStack, *, must_exist: bool) -> "BaseSessionService":
    from adksess.adk.other_services import open_service, require_database

    if must_exist:
        require_database(uri)
    service = open_service(uri)
    if close := getattr(service, "close", None):
        stack.push_async_callback(close)
    return service


async def _documents(
    store: SessionStore, app: str | None, *, plain_too: bool
) -> AsyncIterator[list[StoredValue]]:
    async for batch in store.scan(app):
        readable = [summary.ref for summary in batch if summary.tail]
        for start in range(0, len(readable), _BATCH):
            stored = await store.values(readable[start : start + _BATCH])
            yield [item for item in stored if plain_too or find_tail(item.value) is not None]


async def _as_found(
    documents: AsyncIterator[list[StoredValue]],
) -> AsyncIterator[Sequence[SourceSession | SkippedSession]]:
    """Our own sessions in the form of everybody's, for a session service of ADK."""
    async for batch in documents:
        for stored in batch:
            document = decode(stored.value, stored.ref)
            yield [
                SourceSession(
                    name="/".join(stored.ref),
                    ref=stored.ref,
                    state=document.tail.state,
                    events=[parse_json(line) for line in document.events],
                    last_update_time=document.tail.last_update_time,
                    created=as_seconds(document.tail.created_at),
                    ttl_ms=stored.ttl_ms,
                )
            ]


async def _detect(place: Settings | str, app: str | None) -> list[tuple[str, str, MigrationReport]]:
    """Layout, title and what there is of it, for each layout that there is."""
    async with AsyncExitStack() as stack:
        if isinstance(place, str):
            from adksess.adk.other_services import app_names, sessions

            service = await _service(place, stack, must_exist=True)
            apps = [app] if app is not None else await app_names(service)
            taken = await _counted(sessions(service, apps), "Reading")
            return [(urlsplit(place).scheme, type(service).__name__, taken)] if apps else []
        redis = await stack.enter_async_context(ReadOnlyRedis(place))
        await redis.key_count()
        found = []
        for layout in LAYOUTS:
            taken = await _counted(layout.sessions(redis, app), f"Looking for {layout.title}")
            if taken.failed or any(taken.outcomes.values()):
                found.append((layout.name, layout.title, taken))
        ours = MigrationReport()
        store = await stack.enter_async_context(SessionStore(place))
        async for batch in _documents(store, app, plain_too=False):
            for stored in batch:
                ours.outcomes[Outcome.COPIED] += 1
                ours.events += decode(stored.value, stored.ref).tail.event_count
                ours.apps.add(stored.ref.app_name)
        if ours.apps:
            found.append((LayoutName.ADKSESS.value, "adksess", ours))
        return found


async def _counted(
    batches: AsyncIterator[list[SourceSession | SkippedSession]], text: str
) -> MigrationReport:
    taken = MigrationReport()
    with Meter(text) as meter:
        async for batch in batches:
            for item in batch:
                if isinstance(item, SkippedSession):
                    taken.fail(item.name, item.why)
                else:
                    taken.outcomes[Outcome.COPIED] += 1
                    taken.events += len(item.events)
                    taken.apps.add(item.ref.app_name)
            meter.advance(len(batch))
    return taken


def _same_place(one: Settings | str, other: Settings | str) -> bool:
    def place(settings: Settings | str) -> Any:
        if isinstance(settings, str):
            return settings
        parts = urlsplit(settings.url)
        host = parts.netloc.rpartition("@")[2].replace("localhost", "127.0.0.1")
        return host, parts.path.strip("/") or "0", settings.prefix

    return bool(place(one) == place(other))


def _report(migration: MigrateOptions, taken: MigrationReport, *, is_service: bool) -> None:
    console = stderr()
    for problem in taken.problems:
        console.print(message("error", f"{problem.name} is not taken over: {problem.why}."))
    if more := taken.failed - len(taken.problems):
        console.print(message("error", f"{more:,} more are not taken over."))
    copied, anew = taken.outcomes[Outcome.COPIED], taken.outcomes[Outcome.REFRAMED]
    verb = "Would take over" if migration.dry_run else "Took over"
    parts = [
        f"{verb} {counted(copied + anew, 'session')} with {counted(taken.events, 'event')}",
        counted(taken.state_values, "state value"),
    ]
    if anew:
        parts.append(f"{anew:,} laid out anew in place")
    if there := taken.outcomes[Outcome.THERE]:
        parts.append(f"{there:,} there already")
    if taken.failed:
        parts.append(f"{taken.failed:,} not")
    stdout().print(", ".join(parts) + ".", markup=False)
    if is_service and copied:
        console.print("They do not expire there: databases have no expiry.", style="dim")
    elif (copied or anew) and not migration.dry_run:
        kept = "All else in the source" if anew else "The source"
        console.print(f"{kept} is as it was. See them with adksess list", style="dim")
