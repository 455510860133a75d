"""What `adksess doctor` looks at: each check is one finding, with its remedy."""

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
from adksess.cli.selection import path
from adksess.store.audit import Audit
from adksess.store.errors import AdksessError, ServerUnavailable
from adksess.store.models import OLDEST_REDIS, ServerInfo
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

Status = Literal["ok", "warn", "fail"]

_NAMES_SHOWN = 3
_TIGHT = 0.9


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` is what to do about it, empty when nothing is to be done."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def check_redis(settings: Settings) -> list[Check]:
    """Whether Redis answers; if it does, which it is and how it is set up."""
    try:
        info = with_store(settings, lambda store: store.check())
    except ServerUnavailable as exc:
        remedy = "No Redis at hand? adksess serve --demo brings an embedded one."
        return [Check("redis", "fail", str(exc), remedy)]
    return [*check_server(info, settings), check_probe(settings)]


def check_server(info: ServerInfo, settings: Settings) -> Iterator[Check]:
    """What the server says of itself."""
    which = f"{info.server} {info.version}"
    yield Check(
        "redis", "ok", f"{which} at {settings.redacted} answers in {info.latency_ms:.1f} ms"
    )
    if info.is_too_old:
        oldest = ".".join(map(str, OLDEST_REDIS))
        yield Check(
            "version",
            "fail",
            f"{which} is too old: adksess needs Redis {oldest} or newer, or Valkey",
            "Upgrade the server.",
        )
    if info.role in ("slave", "replica"):
        yield Check(
            "role",
            "fail",
            "this server is a replica, which refuses writes",
            "Name the primary with --redis-url, or use redis+sentinel://.",
        )
    yield _persistence(info)
    yield _memory(info)


def check_probe(settings: Settings) -> Check:
    """Whether a session can be created, appended to, read and deleted."""
    try:
        with_store(settings, probe)
    except AdksessError as exc:
        return Check("probe", "fail", str(exc), "Mend that first: ADK would meet it too.")
    return Check("probe", "ok", "a session was created, appended to, read and deleted")


def check_versions() -> Iterator[Check]:
    """Which versions work together here."""
    for name, package in (("adksess", "adksess"), ("adk", "google-adk"), ("redis-py", "redis")):
        yield Check(name, "ok", f"{package} {version(package)}")


def check_registry(settings: Settings) -> Check:
    """Whether ADK, asked for the URI, answers with our service."""
    register_services()
    found = look_up(settings.uri)
    if found.is_ours:
        return Check("registry", "ok", f"ADK creates {found.class_name} for {settings.redacted}")
    return Check(
        "registry",
        "fail",
        f"ADK does not get adksess's service for {settings.redacted}: "
        f"{found.error or found.class_name}",
        "Install adksess and google-adk again, in one environment.",
    )


def check_folder(agents_dir: Path, settings: Settings) -> Iterator[Check]:
    """What the services files of a folder, and of the agents in it, make of the registry.

    `adk web` and `adk api_server` load the folder's own, `adk run` those of the agent's folder.
    """
    inner = (file.parent for file in sorted(agents_dir.glob("*/services.*")))
    for folder in dict.fromkeys([agents_dir, *inner]):
        name = f"services in {folder.name}"
        try:
            served = check_services(folder, settings.uri, register_first=True)
            plain = check_services(folder, settings.uri, register_first=False)
        except ServicesCheckFailed as exc:
            yield Check(name, "fail", str(exc), f"Mend the services files in {folder}.")
            continue
        for problem in served.problems:
            yield Check(name, "fail", problem, f"Mend it in {folder}.")
        if not served.registered.is_ours:
            found = served.registered.class_name or served.registered.error
            yield Check(
                name,
                "fail",
                f"{' and '.join(served.files)} there take {settings.scheme}:// away from "
                f"adksess: sessions go to {found}",
                f"Remove the registration of {settings.scheme}:// there.",
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
                f"Start it with adksess, or run adksess init {folder}.",
            )


def check_sessions(settings: Settings, *, fix: bool) -> list[Check]:
    """Look at every session and index, and with `fix` make them agree."""

    async def work(store: SessionStore) -> Audit:
        found = await store.audit()
        if fix:
            await store.repair(found)
        return found

    try:
        return list(check_stored(with_store(settings, work), repaired=fix))
    except AdksessError as exc:
        return [Check("sessions", "fail", str(exc), "Mend that first, then ask again.")]


def check_stored(found: Audit, *, repaired: bool) -> Iterator[Check]:
    """What is stored, and whether the indexes agree with it."""
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
            "keys that look like sessions and are none: "
            f"{_some([path(session.ref) for session in found.unreadable])}",
            "Look at them with redis-cli; adksess leaves them alone.",
        )
    if found.wrong_type:
        yield Check(
            "other types",
            "warn",
            f"keys of adksess by their names, which hold something else: {_some(found.wrong_type)}",
            "Rename or delete them with redis-cli: sessions there cannot be created or changed.",
        )
    if found.without_ttl:
        yield Check(
            "expiry",
            "ok",
            f"{counted(found.without_ttl, 'session never expires', 'sessions never expire')}; "
            "adksess list --no-ttl names them",
        )
    yield _index(found, repaired=repaired)


def _some(names: list[str]) -> str:
    """The first of some names, and how many there are."""
    more = ", …" if len(names) > _NAMES_SHOWN else ""
    return f"{', '.join(names[:_NAMES_SHOWN])}{more} ({len(names):,} in all)"


def _index(found: Audit, *, repaired: bool) -> Check:
    missing, stale = len(found.unindexed), len(found.stale)
    if not missing and not stale:
        return Check("index", "ok", "every session is in its user's list")
    if repaired:
        return Check(
            "index", "ok", f"entered {counted(missing, 'session')}, dropped {stale:,} that are gone"
        )
    return Check(
        "index",
        "warn",
        f"{counted(missing, 'session is', 'sessions are')} missing from their user's list in ADK, "
        f"{counted(stale, 'entry has', 'entries have')} no session",
        "Run adksess doctor --fix.",
    )


def _persistence(info: ServerInfo) -> Check:
    kind = info.persistence
    if "append-only" in kind:
        return Check("persistence", "ok", kind)
    lost = {
        "snapshots": "snapshots only: what came after the last one is lost when the server stops",
        "none": "off: all sessions are lost when the server stops",
    }.get(kind, "the server does not say whether it keeps data on disk")
    return Check("persistence", "warn", lost, "Set appendonly yes in the server's configuration.")


def _memory(info: ServerInfo) -> Check:
    policy = info.maxmemory_policy
    if info.maxmemory and policy not in ("noeviction", "unknown"):
        return Check(
            "memory",
            "warn",
            f"maxmemory-policy {policy}: the server deletes sessions when its memory is full",
            "Set maxmemory-policy noeviction, or give the sessions a Redis of their own.",
        )
    used = human_size(info.used_memory)
    if info.maxmemory and info.used_memory > _TIGHT * info.maxmemory:
        return Check(
            "memory",
            "warn",
            f"{used} of {human_size(info.maxmemory)} are used: soon nothing can be stored",
            "Raise maxmemory, or delete old sessions with adksess delete --idle 30d.",
        )
    return Check("memory", "ok", f"{used} used, no session is evicted (policy {policy})")
