"""A TCP proxy in front of a server, with the faults of a network."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

BEFORE, WITHIN, AFTER, STALL, DELAY = "before", "within", "after", "stall", "delay"
"""Close the connection before the request reaches the server, within the reply, or after the server
has sent a reply, which is lost; hold the reply back for good, or for a moment."""


class Proxy:
    """Forwards to a port. `choose` names the fault of each request, None for none.

    `latency` is the time, in seconds, that a new connection takes for one way.
    """

    def __init__(
        self,
        target: int,
        choose: Callable[[], str | None],
        latency: Callable[[], float] = lambda: 0,
    ) -> None:
        self.target = target
        self.choose = choose
        self.latency = latency
        self.requests = 0
        self.faults = 0
        self.opened = 0
        self._frozen = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def freeze(self) -> None:
        """Forward nothing more on the connections that are open, and keep them open."""
        self._frozen = self.opened

    async def _pass(self, number: int, latency: float) -> None:
        if number <= self._frozen:
            await asyncio.Event().wait()
        await asyncio.sleep(latency)

    async def _connection(
        self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_in, server_out = await asyncio.open_connection("127.0.0.1", self.target)
        faults: list[str] = []
        latency = self.latency()
        self.opened += 1
        way = faults, self.opened, latency
        try:
            pumps = (
                asyncio.ensure_future(self._requests(client_in, server_out, *way)),
                asyncio.ensure_future(self._answers(server_in, client_out, *way)),
            )
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the proxy ends
        finally:
            for writer in (client_out, server_out):
                with suppress(OSError):
                    writer.transport.abort()
            self._tasks.discard(task)

    async def _requests(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        faults: list[str],
        number: int,
        latency: float,
    ) -> None:
        while data := await source.read(65_536):
            await self._pass(number, latency)
            self.requests += 1
            fault = self.choose()
            if fault:
                self.faults += 1
                if fault == BEFORE:
                    return
                faults.append(fault)
            sink.write(data)
            await sink.drain()

    async def _answers(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        faults: list[str],
        number: int,
        latency: float,
    ) -> None:
        while data := await source.read(65_536):
            await self._pass(number, latency)
            fault = faults.pop(0) if faults else None
            if fault == STALL:
                await asyncio.Event().wait()
            if fault == DELAY:
                await asyncio.sleep(0.02)
            if fault == WITHIN:
                sink.write(data[: max(1, len(data) // 2)])
                await sink.drain()
            if fault in (WITHIN, AFTER):
                return
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def proxy(
    target: int,
    choose: Callable[[], str | None] = lambda: None,
    latency: Callable[[], float] = lambda: 0,
) -> AsyncIterator[Proxy]:
    """A running proxy."""
    one = Proxy(target, choose, latency)
    server = await asyncio.start_server(one._connection, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in list(one._tasks):
            task.cancel()
        await asyncio.gather(*one._tasks, return_exceptions=True)
