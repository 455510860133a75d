"""The checks of `adksess doctor`. Each returns findings with their remedies."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from adksess.adk.probe import probe
from adksess.adk.registry import look_up, register_services
from adksess.adk.services_subprocess import ServicesCheckFailed, check_services
from adksess.cli.render.text import counted, human_size
from adksess.cli.runner import with_store
from adksess.store.audit import Audit
from adksess.store.errors import AdksessError, ServerUnavailable
from adksess.store.models import OLDEST_REDIS, ServerInfo
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

Status = Literal["ok", "warn", "fail"]

_MAX_NAMES = 3
_MEMORY_WARNING_RATIO = 0.9


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` says what to do, and is empty when there is nothing to do."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def check_redis(settings: Settings) -> list[Check]:
    """Check whether Redis answers, which version it is and how it is configured."""
    try:
        info = with_store(settings, lambda store: store.check())
    except ServerUnavailable as exc:
        remedy = "Without a Redis: adksess serve --demo starts an embedded one."
        return [Check("redis", "fail", str(exc), remedy)]
    return [*check_server(info, settings), check_probe(settings)]


def check_server(info: ServerInfo, settings: Settings) -> Iterator[Check]:
    """Check what the server reports about itself."""
    version_name = f"{info.server} {info.version}"
    yield Check(
        "redis", "ok", f"{version_name} at {settings.redacted} answers in {info.latency_ms:.1f} ms"
    )
    if info.is_too_old:
        oldest = ".".join(map(str, OLDEST_REDIS))
        yield Check(
            "version",
            "fail",
            f"{version_name} is too old: adksess needs Redis {oldest} or newer, or Valkey",
            "Upgrade the server.",
        )
    if info.role in ("slave", "replica"):
        yield Check(
            "role",
            "fail",
            "this server is a replica and rejects writes",
            "Name the primary with --redis-url, or use redis+sentinel://.",
        )
    yield _persistence(info)
    yield _memory(info)


def check_probe(settings: Settings) -> Check:
    """Check whether a session can be created, appended to, read and deleted."""
    try:
        with_store(settings, probe)
    except AdksessError as exc:
        return Check("probe", "fail", str(exc), "Fix this first; ADK would hit the same error.")
    return Check("probe", "ok", "a session was created, appended to, read and deleted")


def check_versions() -> Iterator[Check]:
    """Report the installed versions."""
    for name, package in (("adksess", "adksess"), ("adk", "google-adk"), ("redis-py", "redis")):
        yield Check(name, "ok", f"{package} {version(package)}")


def check_registry(settings: Settings) -> Check:
    """Check that ADK creates our service for the URI."""
    register_services()
    found = look_up(settings.uri)
    if found.is_ours:
        return Check("registry", "ok", f"ADK creates {found.class_name} for {settings.redacted}")
    return Check(
        "registry",
        "fail",
        f"ADK does not create adksess's service for {settings.redacted}: "
        f"{found.error or found.class_name}",
        "Reinstall adksess and google-adk in the same environment.",
    )


def check_folder(agents_dir: Path, settings: Settings) -> Iterator[Check]:
    """Check how the service files of a folder and of its agents change the registry.

    `adk web` and `adk api_server` load those of the folder, `adk run` those of the agent's folder.
    """
    inner = (file.parent for file in sorted(agents_dir.glob("*/services.*")))
    for folder in dict.fromkeys([agents_dir, *inner]):
        name = f"services in {folder.name}"
        try:
            served = check_services(folder, settings.uri, register_first=True)
            plain = check_services(folder, settings.uri, register_first=False)
        except ServicesCheckFailed as exc:
            yield Check(name, "fail", str(exc), f"Fix the service files in {folder}.")
            continue
        for problem in served.problems:
            yield Check(name, "fail", problem, f"Fix it in {folder}.")
        if not served.registered.is_ours:
            found = served.registered.class_name or served.registered.error
            yield Check(
                name,
                "fail",
                f"{' and '.join(served.files)} register {found} for {settings.scheme}://, "
                "overriding adksess",
                f"Remove the registration of {settings.scheme}:// in {folder}.",
            )
        command = "adk web" if folder == agents_dir else "adk run"
        if plain.registered.is_ours:
            yield Check(name, "ok", f"plain {command} {folder.name} stores sessions in Redis too")
        elif not served.problems and served.registered.is_ours:
            yield Check(
                name,
                "warn",
                f"adksess serve stores sessions in Redis, plain {command} does not know "
                f"{settings.scheme}:// ({plain.registered.error or plain.registered.class_name})",
                f"Start the agents with adksess serve, or run adksess init {folder}.",
            )


def check_sessions(settings: Settings, *, fix: bool) -> list[Check]:
    """Check every session and index entry; with `fix`, repair the indexes."""

    async def work(store: SessionStore) -> Audit:
        found = await store.audit()
        if fix:
            await store.repair(found)
        return found

    try:
        return list(check_stored(with_store(settings, work), repaired=fix))
    except AdksessError as exc:
        return [Check("sessions", "fail", str(exc), "Fix this first, then run doctor again.")]


def check_stored(found: Audit, *, repaired: bool) -> Iterator[Check]:
    """Report what is stored, and whether the indexes agree with it."""
    others = f", {found.plain:,} written by other tools" if found.plain else ""
    yield Check(
        "sessions",
        "ok",
        f"{counted(found.sessions, 'session')}, {human_size(found.size_bytes)}{others}",
    )
    if found.unreadable:
        yield Check(
            "unreadable",
            "warn",
            "keys named like sessions that are not sessions: "
            f"{_some([session.ref.path for session in found.unreadable])}",
            "Inspect them with redis-cli; adksess does not change them.",
        )
    if found.wrong_type:
        yield Check(
            "other types",
            "warn",
            f"adksess keys of the wrong Redis type: {_some(found.wrong_type)}",
            "Rename or delete them with redis-cli: they block writes to their sessions.",
        )
    if found.without_ttl:
        yield Check(
            "expiry",
            "ok",
            f"{counted(found.without_ttl, 'session never expires', 'sessions never expire')}; "
            "list them with adksess list --no-ttl",
        )
    yield _index(found, repaired=repaired)


def _some(names: list[str]) -> str:
    """The first names and the total number."""
    more = ", …" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{more} ({len(names):,} in total)"


def _index(found: Audit, *, repaired: bool) -> Check:
    missing, stale = len(found.unindexed), len(found.stale)
    if not missing and not stale:
        return Check("index", "ok", "every session is indexed")
    if repaired:
        return Check(
            "index",
            "ok",
            f"added {counted(missing, 'missing entry', 'missing entries')}, "
            f"removed {counted(stale, 'stale entry', 'stale entries')}",
        )
    return Check(
        "index",
        "warn",
        f"{counted(missing, 'session is', 'sessions are')} missing from their index; "
        f"{counted(stale, 'stale entry', 'stale entries')}",
        "Run adksess doctor --fix.",
    )


def _persistence(info: ServerInfo) -> Check:
    kind = info.persistence
    if "append-only" in kind:
        return Check("persistence", "ok", kind)
    lost = {
        "snapshots": "snapshots only: changes since the last one are lost when the server stops",
        "none": "off: all sessions are lost when the server stops",
    }.get(kind, "the server does not report whether it keeps data on disk")
    return Check("persistence", "warn", lost, "Set appendonly yes in the server's configuration.")


def _memory(info: ServerInfo) -> Check:
    policy = info.maxmemory_policy
    if info.maxmemory and policy not in ("noeviction", "unknown"):
        return Check(
            "memory",
            "warn",
            f"maxmemory-policy {policy}: the server deletes sessions when its memory is full",
            "Set maxmemory-policy noeviction, or use a separate Redis for sessions.",
        )
    used = human_size(info.used_memory)
    if info.maxmemory and info.used_memory > _MEMORY_WARNING_RATIO * info.maxmemory:
        return Check(
            "memory",
            "warn",
            f"{used} of {human_size(info.maxmemory)} used: writes will soon be rejected",
            "Raise maxmemory, or delete old sessions with adksess delete --idle 30d.",
        )
    return Check("memory", "ok", f"{used} used, sessions are not evicted (policy {policy})")
