"""Servers that a test may break, on Valkey and on Redis."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import ServerProcess, redis_binary, running, valkey_binary


@pytest.fixture(params=["valkey", "redis"])
def binary(request: pytest.FixtureRequest) -> Path:
    return valkey_binary() if request.param == "valkey" else redis_binary()


@pytest.fixture
def start(binary: Path, tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts a server of the test's own, with the options of its configuration file."""
    with ExitStack() as stack:

        def start(name: str = "server", **options: str) -> ServerProcess:
            return stack.enter_context(running(binary, tmp_path / name, **options))

        yield start
