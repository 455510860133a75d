"""Whether the web server can have its port, found out before anything is started."""

import errno
import socket

from adksess.cli.errors import UsageProblem

_TRIES = 20


def claim_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises UsageProblem when the server could not listen there."""
    try:
        return _try_port(host, port)
    except socket.gaierror as exc:
        raise UsageProblem(f"--host {host} is not an address of this machine.") from exc
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            free = next(
                (p for p in range(port + 1, min(port + _TRIES, 65_536)) if _is_free(host, p)), 0
            )
            raise UsageProblem(
                f"Port {port} is in use, maybe by another adksess serve. Stop that, or take "
                f"another port: --port {free}"
            ) from exc
        if exc.errno == errno.EACCES:
            raise UsageProblem(
                f"Port {port} needs administrator rights: use one from 1024 on, such as --port 8000"
            ) from exc
        raise UsageProblem(f"--host {host} is not an address of this machine.") from exc


def _try_port(host: str, port: int) -> int:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        # As uvicorn does it: without this, a port that was just left counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        bound: int = probe.getsockname()[1]
        return bound


def _is_free(host: str, port: int) -> bool:
    try:
        _try_port(host, port)
    except OSError:
        return False
    return True
