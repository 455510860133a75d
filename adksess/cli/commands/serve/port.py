"""Check that the web server can listen on its port, before anything is started."""

import errno
import os
import socket

from adksess.cli.errors import UsageProblem

_PORTS_TRIED = 20


def claim_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0. Raises UsageProblem if the server cannot listen there."""
    try:
        return _try_port(host, port)
    except socket.gaierror as exc:
        raise UsageProblem(f"--host {host} is not an address of this machine.") from exc
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            free = _next_free(host, port)
            # make sets MAKELEVEL; its target serve takes PORT
            other = f"make serve PORT={free}" if "MAKELEVEL" in os.environ else f"--port {free}"
            raise UsageProblem(
                f"Port {port} is in use, maybe by another adksess serve. Stop that process, or "
                f"choose another port: {other}"
            ) from exc
        if exc.errno == errno.EACCES:
            raise UsageProblem(
                f"Port {port} needs administrator rights. Choose a port from 1024 on, such as "
                "--port 8000"
            ) from exc
        raise UsageProblem(f"--host {host} is not an address of this machine.") from exc


def _next_free(host: str, port: int) -> int:
    """The next free port; 0, which selects any free one, if none of the next ports is free."""
    candidates = range(port + 1, min(port + _PORTS_TRIED, 65_536))
    return next((candidate for candidate in candidates if _is_free(host, candidate)), 0)


def _try_port(host: str, port: int) -> int:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        # As uvicorn does: without it, a port in TIME_WAIT counts as taken.
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
