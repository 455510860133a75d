"""The server's log while Redis is unavailable."""

import logging
from collections.abc import Iterator

import pytest

from adksess.cli.commands.serve.outages import shorten_outages
from adksess.store.errors import ServerUnavailable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    make = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)  # another test may have served in this process
    clock = Clock()
    shorten_outages(clock)
    yield clock
    logging.setLogRecordFactory(make)


def log(error: BaseException) -> None:
    try:
        raise error
    except BaseException:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")


def outage() -> BaseException:
    """The error of an outage, wrapped as in a request."""
    inner = RuntimeError("in a task")
    inner.__cause__ = ServerUnavailable("Cannot reach Redis at redis://db.")
    return ExceptionGroup("unhandled", [inner])


def test_an_outage_is_one_line_a_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handler = logging.StreamHandler()
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    try:
        for clock.now in (0, 1, 59, 61, 62):
            log(outage())
        log(ValueError("of an agent"))
    finally:
        logger.removeHandler(handler)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "Cannot reach Redis at redis://db.",
        "Cannot reach Redis at redis://db. (2 more errors since the last line)",
        "Exception in ASGI application",
    ]
    assert lines[-1] == "ValueError: of an agent", "other errors keep their traceback"
    assert len(lines) < 10
