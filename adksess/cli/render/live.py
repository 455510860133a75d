"""Live views: poll, continue after an outage of Redis, end with `q` or Ctrl-C."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from adksess.cli.render.console import is_terminal, message, stderr
from adksess.cli.render.styles import MUTED
from adksess.cli.render.text import safe_text
from adksess.cli.render.times import moment
from adksess.store.errors import ServerUnavailable
from adksess.store.settings import Settings

Outage = Callable[[float | None], None]
"""Called with the time (Unix seconds) since when Redis does not answer, None when it does again."""


async def poll(
    step: Callable[[], Awaitable[None]], seconds: float, *, outage: Outage, answered: bool = False
) -> None:
    """Run `step` every so many seconds until `q` is typed.

    Once a step has succeeded (or if `answered`), an outage of Redis is reported and polling
    continues. Raises ServerUnavailable before that, and any other error of a step.
    """
    since: float | None = None
    with _quit_key() as quit_typed:
        while not quit_typed.is_set():
            try:
                if not await _unless(quit_typed, step()):
                    return
            except ServerUnavailable:
                if not answered:
                    raise
                since = since or time.time()
                outage(since)
            else:
                answered = True
                if since is not None:
                    since = None
                    outage(None)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await quit_typed.wait()


def say_waiting(server: str) -> None:
    """Say on a terminal that events are printed as they arrive. `server` is its name or address."""
    if is_terminal():
        sentence = f"Waiting for events in {server}; q or Ctrl-C ends."
        stderr().print(safe_text(sentence), style=MUTED, markup=False)


def report_outage(settings: Settings, *, utc: bool = False) -> Outage:
    """Return a function that reports on stderr when Redis stops answering and when it is back."""
    reported: list[float] = []

    def report(since: float | None) -> None:
        if since is None:
            now = f"{moment(time.time(), utc=utc):%H:%M:%S}"
            stderr().print(message("note", f"{settings.redacted} answers again at {now}."))
            reported.clear()
        elif not reported:
            reported.append(since)
            when = f"{moment(since, utc=utc):%H:%M:%S}"
            sentence = f"No answer from {settings.redacted} since {when}; retrying."
            stderr().print(message("warning", sentence))

    return report


async def _unless(quit_typed: asyncio.Event, work: Awaitable[None]) -> bool:
    """Await `work`. False if `q` was typed first: then it is cancelled."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.create_task(quit_typed.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, ServerUnavailable):
                await task
    if task.cancelled():
        return False
    task.result()
    return True


@contextmanager
def _quit_key() -> Iterator[asyncio.Event]:
    """Set the event when `q` is typed. Without a terminal nothing is read."""
    typed = asyncio.Event()
    if not sys.stdin.isatty():
        yield typed
        return
    import os
    import termios
    import tty

    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if b"q" in os.read(stdin, 1_024).lower():
            typed.set()

    before = termios.tcgetattr(stdin)
    # cbreak: keys arrive at once and are not shown; Ctrl-C still interrupts. By default setcbreak()
    # drops what was typed before.
    tty.setcbreak(stdin, termios.TCSADRAIN)
    loop.add_reader(stdin, read)
    try:
        yield typed
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
