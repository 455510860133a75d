"""Servers that a test may break."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import SERVERS, ServerProcess, running, server_binary


@pytest.fixture(params=SERVERS)
def binary(request: pytest.FixtureRequest) -> Path:
    return server_binary(request.param)


@pytest.fixture(params=["valkey", "redis8"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """A server of the test worker: take a prefix, and break only the way to it."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def start(binary: Path, tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts a server of the test's own, with the options of its configuration file."""
    with ExitStack() as stack:

        def start(name: str = "server", **options: str) -> ServerProcess:
            return stack.enter_context(running(binary, tmp_path / name, **options))

        yield start
