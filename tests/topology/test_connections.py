"""TLS with a private CA and client certificates, and a unix socket."""

import asyncio
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from redis.credentials import CredentialProvider

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
    ours, stranger = certificates.client, certificates.stranger
    other_host = tls_url(tls_port, certificates.ca, ours).replace("127.0.0.1", "localhost")
    wrong = [
        # the alert may come too late to be read
        (tls_url(tls_port, certificates.ca, None), "TLS: .*certificate required|reset by peer"),
        (tls_url(tls_port, certificates.ca, stranger), "TLS: .*unknown ca|reset by peer"),
        (tls_url(tls_port, stranger[0], ours), r"not trusted .self-signed .*\?ssl_ca_certs=FILE"),
        (other_host, "has the certificate of another host"),
        (f"redis://127.0.0.1:{tls_port}/0", "needs rediss://"),
    ]
    for url, says in wrong:
        async with RedisSessionService(store=SessionStore(url, retries=0)) as service:
            with pytest.raises(ServerUnavailable, match=says):
                await service.list_sessions(app_name="demo", user_id="ada")


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with running(valkey_binary(), tmp_path, unixsocket=str(path), requirepass="s3cr3t") as server:
        async with RedisSessionService(f"unix://:s3cr3t@{quote(str(path))}?db=3") as service:
            await converse(service)
            session = await service.create_session(app_name="demo", user_id="ada")
        with server.client(db=3, password="s3cr3t") as client:
            assert client.exists(f"session:demo:ada:{session.id}")


async def test_a_rejected_login_names_no_password(tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path, requirepass="right") as server:
        address = f"127.0.0.1:{server.port}/0"
        async with RedisSessionService(f"redis://:right@{address}") as service:
            await converse(service)
        for login in (":s3cr3t@", "ada:s3cr3t@", ""):
            async with RedisSessionService(f"redis://{login}{address}") as service:
                with pytest.raises(ServerUnavailable, match="rejected the login") as error:
                    await service.list_sessions(app_name="demo", user_id="ada")
                seen: BaseException | None = error.value
                while seen is not None:
                    assert "s3cr3t" not in str(seen) + repr(seen)
                    seen = seen.__cause__


@pytest.mark.parametrize("scheme", ["rediss", "rediss+cluster"])
async def test_tls_at_a_server_without(valkey_url: str, scheme: str) -> None:
    """A server without TLS reads the handshake as a command, and does not answer."""
    url = f"{scheme}{valkey_url.removeprefix('redis')}?socket_timeout=40&socket_connect_timeout=8"
    async with SessionStore(url) as store:
        says = f"does not use TLS: write {scheme.replace('ss', 's')}://"
        with pytest.raises(ServerUnavailable, match=re.escape(says)):
            async with asyncio.timeout(30):
                await store.key_count()


async def test_no_connection_left(tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path) as server, server.client() as client:
        client.config_set("maxclients", "2")
        with server.client() as other:
            other.ping()
            async with SessionStore(server.url, retries=1) as store:
                with pytest.raises(ServerUnavailable, match=r"limit of connections \(maxclients\)"):
                    await store.key_count()


async def test_a_password_file_is_read_at_each_connect(tmp_path: Path) -> None:
    path = tmp_path / "password"
    with running(valkey_binary(), tmp_path, requirepass="first") as server:
        url = f"redis://127.0.0.1:{server.port}/0?password_file={quote(str(path))}"
        async with SessionStore(url) as store:
            with pytest.raises(ServerUnavailable, match=r"password: No such file or directory"):
                await store.key_count()
            path.write_text("first\n")
            assert await store.key_count() == 0
            with server.client(password="first") as client:
                client.config_set("requirepass", "second")
                client.client_kill_filter(_type="normal")
            path.write_text("second")
            assert await store.key_count() == 0
            path.write_bytes(b"\xff")
            await store.aclose()
            with pytest.raises(ServerUnavailable, match="not UTF-8 text"):
                await store.key_count()


async def test_a_user_with_a_password_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cr3t")
    with running(valkey_binary(), tmp_path) as server:
        with server.client() as client:
            client.acl_setuser("ada", True, passwords="+s3cr3t", keys="*", commands=["+@all"])
            client.acl_setuser("default", False)
        url = f"redis://ada@127.0.0.1:{server.port}/0?password_file={quote(str(path))}"
        async with SessionStore(url) as store:
            assert await store.key_count() == 0


class Rotating(CredentialProvider):
    """Another password at each connect."""

    def __init__(self, *passwords: str) -> None:
        self.passwords = list(passwords)

    def get_credentials(self) -> tuple[str]:
        return (self.passwords.pop(0),)

    async def get_credentials_async(self) -> tuple[str]:
        return self.get_credentials()


def provider() -> Rotating:
    return Rotating("first", "first")


async def test_a_credential_provider(tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path, requirepass="first") as server:
        options = {
            "credential_provider": Rotating("first", "second"),
            "username": None,
            "password": None,
            "socket_timeout": None,
            "max_connections": 1,
            "protocol": 2,
        }
        async with RedisSessionService(server.url, **options) as service:
            await converse(service)
            with server.client(password="first") as client:
                client.config_set("requirepass", "second")
                client.client_kill_filter(_type="normal")
            await converse(service)
            with server.client(password="second") as client:
                client.config_set("requirepass", "first")
        url = f"{server.url}?credential_provider={__name__}:provider"
        async with RedisSessionService(url) as service:
            await converse(service)
