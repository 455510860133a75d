"""Warnings that `adksess serve` prints before ADK's server starts."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from adksess.store.models import ServerInfo
from adksess.store.settings import Settings


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
