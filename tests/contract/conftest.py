"""The session services under contract: ADK's own in-memory one is the reference for ours."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fakeredis
import pytest
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.sessions.in_memory_session_service import InMemorySessionService

from adksess import RedisSessionService, SessionStore
from adksess.store.settings import Settings
from tests.cluster import Cluster, running_cluster
from tests.servers import SERVERS

IN_REDIS = ("fakeredis", *SERVERS, "cluster")
BACKENDS = ("memory", *IN_REDIS)


@dataclass
class Backend:
    """One kind of session service. `open` gives a further instance over the same sessions."""

    name: str
    open: Callable[[], BaseSessionService]
    service: BaseSessionService = field(init=False)

    def __post_init__(self) -> None:
        self.service = self.open()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """An empty backend, under its own prefix."""
    name = request.param
    if name == "memory":
        service = InMemorySessionService()
        return Backend(name, lambda: service)
    prefix = f"t{uuid.uuid4().hex}:"
    if name == "fakeredis":
        fake = fakeredis.FakeServer()
        return Backend(name, lambda: RedisSessionService(store=fake_store(fake, prefix)))
    if name == "cluster":
        url = request.getfixturevalue("cluster").url
    else:
        url = request.getfixturevalue(f"{name}_url")
    return Backend(name, lambda: RedisSessionService(url, prefix=prefix))


@pytest.fixture
def service(backend: Backend) -> BaseSessionService:
    return backend.service


def fake_store(server: fakeredis.FakeServer, prefix: str = "") -> SessionStore:
    """A store over fakeredis."""

    def connect(settings: Settings) -> Any:
        return fakeredis.FakeAsyncRedis(server=server)

    return SessionStore(prefix=prefix, connect=connect)
