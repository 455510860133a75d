"""The checks of `adksess doctor` of the server and of what it stores, each with its remedy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from adksess.cli.render.text import counted, human_size
from adksess.cli.runner import with_store
from adksess.store.audit import Audit, Findings
from adksess.store.durations import format_duration
from adksess.store.errors import AdksessError, ServerUnavailable, ServerUnreachable
from adksess.store.models import OLDEST_REDIS, ServerInfo
from adksess.store.settings import DEFAULT_URL, Settings

Status = Literal["ok", "warn", "fail"]

_FIX_FIRST = "Fix this first, then run doctor again."
_MAX_CLOCK_OFFSET = 2.0  # seconds
_MAX_NAMES = 3
_MEMORY_WARNING_RATIO = 0.9


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` says what to do, and is empty when there is nothing to do."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def check_connection(settings: Settings, origins: Sequence[str]) -> Check:
    """Report which Redis is used and what named it. The first of `origins` is in effect."""
    if origins:
        overridden = f", overriding {' and '.join(origins[1:])}" if origins[1:] else ""
        reason = f"named by {origins[0]}{overridden}"
    elif settings.url == DEFAULT_URL:
        reason = "the default: no option, environment variable or config.toml names a Redis"
    else:
        reason = "the embedded server of this folder: nothing names a Redis"
    return Check("connection", "ok", f"{settings.redacted}, {reason}")


def check_redis(settings: Settings) -> list[Check]:
    """Check whether Redis answers, which version it is and how it is configured."""
    try:
        info = with_store(settings, lambda store: store.check())
    except ServerUnavailable as exc:
        is_missing = isinstance(exc, ServerUnreachable) and exc.is_local
        remedy = (
            "adksess serve --demo --embedded starts a server of its own."
            if is_missing
            else _FIX_FIRST
        )
        return [Check("redis", "fail", str(exc), remedy)]
    return list(check_server(info, settings))


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
    if info.mode == "cluster" and not settings.is_cluster:
        scheme = f"{'rediss' if settings.scheme.startswith('rediss') else 'redis'}+cluster"
        yield Check(
            "cluster",
            "fail",
            f"this server is a node of a cluster, but the URL starts with {settings.scheme}://",
            f"Use {scheme}:// with the same host and port.",
        )
    if abs(info.clock_offset) >= _MAX_CLOCK_OFFSET:
        direction = "ahead of" if info.clock_offset > 0 else "behind"
        yield Check(
            "clock",
            "warn",
            f"the server's clock is {format_duration(abs(info.clock_offset))} {direction} this "
            "machine's: event times and ages do not match",
            "Synchronize both clocks, for example with NTP.",
        )
    yield _persistence(info)
    yield _memory(info)


def check_sessions(settings: Settings, *, full: bool, fix: bool) -> list[Check]:
    """Check sessions and index entries, of a large database a sample unless `full`.

    With `fix`, repair the indexes.
    """
    try:
        found = with_store(settings, lambda store: store.audit(full=full, fix=fix))
    except AdksessError as exc:
        return [Check("sessions", "fail", str(exc), _FIX_FIRST)]
    return list(check_stored(found, repaired=fix))


def check_stored(found: Audit, *, repaired: bool) -> Iterator[Check]:
    """Report what is stored, and whether the indexes agree with it."""
    about = "" if found.sample is None else "about "
    others = f", {about}{found.foreign:,} written by other tools" if found.foreign else ""
    guess = "" if found.state.is_complete else about
    yield Check(
        "sessions",
        "ok",
        f"{guess}{counted(found.sessions, 'session')}, "
        f"{about}{human_size(found.size_bytes)}{others}",
    )
    if found.unreadable:
        yield Check(
            "unreadable",
            "warn",
            f"keys named like sessions that are not sessions: {_some(found.unreadable)}",
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
            f"{about}{counted(found.without_ttl, 'session never expires', 'sessions never expire')}"
            "; list them with adksess list --no-ttl",
        )
    yield _index(found, repaired=repaired)


def _some(found: Findings) -> str:
    """The first names and the total number."""
    more = ", …" if found.count > _MAX_NAMES else ""
    return f"{', '.join(found.examples[:_MAX_NAMES])}{more} ({found.count:,} in total)"


def _index(found: Audit, *, repaired: bool) -> Check:
    missing, stale = found.unindexed.count, found.stale.count
    if found.state.wrong_type:
        return Check(
            "index",
            "warn",
            f"{', '.join(found.state.wrong_type)} is not what adksess wrote: there is no index, "
            "listings read every key",
            "Rename or delete it with redis-cli, then run adksess doctor --fix.",
        )
    if repaired:
        return Check(
            "index",
            "ok",
            f"added {counted(missing, 'missing entry', 'missing entries')}, "
            f"removed {counted(stale, 'stale entry', 'stale entries')}",
        )
    checked = (
        "every session and entry was checked"
        if found.sample is None
        else f"{found.sample:,} sessions were checked; --full checks all"
    )
    if found.state.lacks_user_entries:
        return Check(
            "index",
            "warn",
            f"a user's index was lost: lists of a user's sessions may be short or slow ({checked})",
            "Run adksess doctor --fix.",
        )
    if found.sample is not None and not found.state.is_complete:
        return Check(
            "index",
            "warn",
            f"the recency index is not complete: listings read every key ({checked})",
            "Run adksess doctor --fix.",
        )
    if not missing and not stale:
        detail = (
            f"every session is indexed ({checked})"
            if found.sample is None
            else f"no entry is missing or stale ({checked})"
        )
        return Check("index", "ok", detail)
    return Check(
        "index",
        "warn",
        f"{counted(missing, 'session is', 'sessions are')} missing from their index; "
        f"{counted(stale, 'stale entry', 'stale entries')} ({checked})",
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
