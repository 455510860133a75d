"""TLS with a private CA and client certificates, and a unix socket."""

from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from adksess import RedisSessionService, SessionStore
from adksess.store.errors import ServerUnavailable
from tests.servers import running, valkey_binary
from tests.topology.conftest import Certificates
from tests.topology.conversation import converse


def tls_url(port: int, ca: Path, pair: tuple[Path, Path] | None) -> str:
    query = {"ssl_ca_certs": str(ca)}
    if pair:
        query |= {"ssl_certfile": str(pair[0]), "ssl_keyfile": str(pair[1])}
    return f"rediss://127.0.0.1:{port}/0?{urlencode(query)}"


async def test_tls_with_a_private_ca_and_a_client_certificate(
    tls_port: int, certificates: Certificates
) -> None:
    async with RedisSessionService(
        tls_url(tls_port, certificates.ca, certificates.client)
    ) as service:
        await converse(service)
    wrong = [
        tls_url(tls_port, certificates.ca, None),
        tls_url(tls_port, certificates.ca, certificates.stranger),
        tls_url(tls_port, certificates.stranger[0], certificates.client),
        f"redis://127.0.0.1:{tls_port}/0",
    ]
    for url in wrong:
        async with RedisSessionService(store=SessionStore(url, retries=0)) as service:
            with pytest.raises(ServerUnavailable, match="Cannot reach Redis"):
                await service.list_sessions(app_name="demo", user_id="ada")


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with running(valkey_binary(), tmp_path, unixsocket=str(path), requirepass="s3cr3t") as server:
        async with RedisSessionService(f"unix://:s3cr3t@{quote(str(path))}?db=3") as service:
            await converse(service)
            session = await service.create_session(app_name="demo", user_id="ada")
        with server.client(db=3, password="s3cr3t") as client:
            assert client.exists(f"session:demo:ada:{session.id}")


async def test_a_refused_login_names_no_password(tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path, requirepass="right") as server:
        address = f"127.0.0.1:{server.port}/0"
        async with RedisSessionService(f"redis://:right@{address}") as service:
            await converse(service)
        for login in (":s3cr3t@", "ada:s3cr3t@", ""):
            async with RedisSessionService(f"redis://{login}{address}") as service:
                with pytest.raises(ServerUnavailable, match="refused the login") as error:
                    await service.list_sessions(app_name="demo", user_id="ada")
                seen: BaseException | None = error.value
                while seen is not None:
                    assert "s3cr3t" not in str(seen) + repr(seen)
                    seen = seen.__cause__
