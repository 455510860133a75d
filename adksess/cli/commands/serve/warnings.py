"""What `adksess serve` warns of before it hands over to ADK."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from adksess.store.models import ServerInfo
from adksess.store.settings import Settings


def about_the_address(host: str, port: int) -> Iterator[str]:
    """Whether others can reach the web server."""
    if not _is_loopback(host):
        yield (
            f"ADK's server has no authentication: whoever can reach {host} port {port} can read, "
            "change and delete every session."
        )


def about_redis(info: ServerInfo, settings: Settings) -> Iterator[str]:
    """Whether Redis can do the work at all: what else there is to know is for doctor to say."""
    from adksess.cli.commands.doctor.checks import check_server

    for check in check_server(info, settings):
        if check.status == "fail":
            yield f"{check.detail[:1].upper()}{check.detail[1:]}. {check.remedy}"


def about_a_borrowed_server(folder: Path | None) -> Iterator[str]:
    """Whether the server is the embedded one of another `adksess serve`, by its data folder."""
    if folder:
        yield (
            f"This Redis is the embedded one of another adksess serve (data in {folder}) and stops "
            "with it: keep that one running as long as this one."
        )


def about_services(agents_dir: Path, settings: Settings) -> Iterator[str]:
    """Whether the folder's own services.py or services.yaml gets in the way.

    Takes a second where there is such a file: it is loaded in a process of its own.
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
        found = report.registered.class_name or f"nothing ({report.registered.error})"
        yield (
            f"Sessions will NOT be stored by adksess: {' and '.join(report.files) or 'services'} "
            f"in {agents_dir} takes {settings.scheme}:// away from it, for {found}. Remove the "
            f"registration of {settings.scheme}:// there."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
