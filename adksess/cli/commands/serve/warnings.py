"""Warnings that `adksess serve` prints before ADK's server starts."""

import ipaddress
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path

from adksess.cli.commands.serve.banner import adksess_command
from adksess.cli.connection import Connection
from adksess.cli.render.text import counted
from adksess.cli.runner import with_store
from adksess.store.errors import AdksessError
from adksess.store.keys import SessionRef
from adksess.store.models import ServerInfo
from adksess.store.settings import Settings

_MAX_NAMES = 3
_MAX_LOCAL_SESSIONS = 10_000


def address_warnings(host: str, port: int) -> Iterator[str]:
    """Warn if other machines can reach the web server."""
    if not _is_loopback(host):
        yield (
            f"ADK's server has no authentication: anyone who can reach {host} port {port} can "
            "read, change and delete every session."
        )


def redis_warnings(info: ServerInfo, settings: Settings) -> Iterator[str]:
    """Warn of problems that make Redis unusable; milder ones are left to `adksess doctor`."""
    from adksess.cli.commands.doctor.checks import check_server

    for check in check_server(info, settings):
        if check.status == "fail":
            yield f"{check.detail[:1].upper()}{check.detail[1:]}. {check.remedy}"


def services_warnings(agents_dir: Path, settings: Settings) -> Iterator[str]:
    """Warn if the folder's own services.py or services.yaml overrides adksess or fails.

    Loading such a file in a child process takes a second.
    """
    from adksess.adk.registry import has_services
    from adksess.adk.services_subprocess import ServicesCheckFailed, check_services

    if not has_services(agents_dir):
        return
    try:
        report = check_services(agents_dir, settings.uri, register_first=True)
    except ServicesCheckFailed as exc:
        yield str(exc)
        return
    yield from report.problems
    if not report.registered.is_ours:
        service = report.registered.class_name or f"nothing ({report.registered.error})"
        files = " and ".join(report.files) or "services"
        yield (
            f"Sessions will NOT be stored by adksess: {files} in {agents_dir} registers {service} "
            f"for {settings.scheme}://, overriding adksess. Remove that registration."
        )


def folder_warnings(agents_dir: Path, names: Sequence[str]) -> Iterator[str]:
    """Warn if the agents are one or more folders deeper: their app names get a prefix."""
    parents = {name.rpartition(".")[0] for name in names}
    if len(parents) == 1 and (parent := parents.pop()):
        inner = agents_dir.joinpath(*parent.split("."))
        yield (
            f"The agents are in {inner}, so their apps are named {names[0]} and so on. Serve "
            f"that folder instead: adksess serve {shlex.quote(_relative(inner))}"
        )


def import_warnings(failures: Mapping[str, str]) -> Iterator[str]:
    """Warn of agents that cannot be imported; `failures` has the reason by agent."""
    for name, reason in failures.items():
        yield f"Agent {name} cannot be imported: {reason}"


def unserved_warnings(settings: Settings, names: Sequence[str]) -> Iterator[str]:
    """Warn of apps that have sessions and are not served here."""
    try:
        state = with_store(settings, lambda store: store.index_state())
    except AdksessError:  # such as missing permissions: they are for doctor to report
        return
    others = [app for app, count in state.sizes.items() if count and app not in names]
    if others:
        more = f" and {len(others) - _MAX_NAMES:,} more" if len(others) > _MAX_NAMES else ""
        yield (
            f"Not served here, but with sessions in this Redis: {', '.join(others[:_MAX_NAMES])}"
            f"{more}. An app is named after its agent's folder."
        )


def local_session_warnings(agents_dir: Path, connection: Connection) -> Iterator[str]:
    """Warn of sessions in ADK's own database files that are not in this Redis."""
    places = (agents_dir.glob(f"{folder}.adk/session.db") for folder in ("", "*/"))
    for path in sorted(chain(*places)):
        refs = _local_sessions(path)
        missing = refs - _stored(connection.settings, refs)
        apps = ", ".join(sorted({ref.app_name for ref in missing}))
        if missing:
            command = adksess_command(connection, "migrate", "--from", _relative(path))
            sessions = counted(len(missing), f"session of {apps} is", f"sessions of {apps} are")
            yield f"{sessions} in {_relative(path)} and not in Redis. To copy: {command}"


def _local_sessions(path: Path) -> set[SessionRef]:
    """The sessions in a database of ADK's SqliteSessionService; empty if it has other tables."""
    query = f"SELECT app_name, user_id, id FROM sessions LIMIT {_MAX_LOCAL_SESSIONS}"  # noqa: S608
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db,
    ):
        return {SessionRef(*map(str, row)) for row in db.execute(query)}
    return set()


def _stored(settings: Settings, refs: set[SessionRef]) -> set[SessionRef]:
    if not refs:
        return set()
    try:
        found = with_store(settings, lambda store: store.summaries(sorted(refs)))
    except AdksessError:
        return refs
    return {summary.ref for summary in found}


def _relative(path: Path) -> str:
    """The path, relative to the current folder if it is inside it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
