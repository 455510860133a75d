"""A password in the URL is never in our reprs, errors, tracebacks and log lines."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from adksess import RedisSessionService, SessionStore
from adksess.store.errors import AdksessError
from tests.events import event
from tests.servers import free_port, running, valkey_binary

SECRET, STORED = "s3cr3t", "what the user said"
CLOSED = [
    "redis://ada:{secret}@127.0.0.1:{port}/0",
    "redis://127.0.0.1:{port}/0?password={secret}",
    "rediss://:{secret}@127.0.0.1:{port}/0",
    "valkey://:{secret}@127.0.0.1:{port}/0",
    "unix://:{secret}@/nowhere/redis.sock",
    "redis+cluster://ada:{secret}@127.0.0.1:{port},127.0.0.1:1",
    "rediss+cluster://ada:{secret}@127.0.0.1:{port}",
    "redis+sentinel://ada:{secret}@127.0.0.1:{port}/main?sentinel_password={secret}",
    "redis://ada:{secret}@nowhere.invalid:{port}/0",
    "redis://ada:{secret}@127.0.0.1:{port}/0?unheard_of=1",
    "redis://ada:{secret}@127.0.0.1:{port}/0?ssl_ca_certs=/nowhere",
]


async def everything_said(url: str, log: pytest.LogCaptureFixture) -> str:
    """The repr, the errors and the log of a service."""
    log.set_level(logging.DEBUG)
    service = RedisSessionService(store=SessionStore(url, retries=1))
    said = [repr(service), str(service), repr(service.store), repr(service.store.settings)]
    with pytest.raises(AdksessError) as error:
        await service.create_session(app_name="demo", user_id="ada", state={"a": STORED})
    said += traceback.format_exception(error.value)
    said += [record.getMessage() for record in log.records]
    await service.aclose()
    return "\n".join(said)


@pytest.mark.parametrize("url", CLOSED)
async def test_no_password_in_errors_of_a_failed_connection(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = await everything_said(url.format(secret=SECRET, port=free_port()), caplog)
    assert SECRET not in said
    assert STORED not in said


@pytest.mark.parametrize(
    "say",
    [
        lambda port: f"redis://ada:{SECRET}@127.0.0.1:{port}/0",
        lambda port: f"redis://:{SECRET}@127.0.0.1:{port}/99",
        lambda port: f"redis+cluster://:{SECRET}@127.0.0.1:{port}",
        lambda port: f"redis+sentinel://:{SECRET}@127.0.0.1:{port}/main",
        lambda port: f"rediss://:{SECRET}@127.0.0.1:{port}/0?socket_timeout=0.5",
    ],
    ids=["unknown user", "no such database", "no cluster", "no sentinel", "no TLS"],
)
async def test_no_secret_in_errors_of_the_server(
    say: Callable[[int], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(valkey_binary(), tmp_path, requirepass=SECRET) as server:
        said = await everything_said(say(server.port), caplog)
    assert SECRET not in said
    assert STORED not in said


async def test_no_stored_text_in_errors(tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path) as server:
        async with RedisSessionService(server.url) as service:
            session = await service.create_session(app_name="demo", user_id="ada", session_id="s")
            await service.append_event(session, event(STORED))
            with server.client() as client:
                value = client.get("session:demo:ada:s") or b""
                client.set("session:demo:ada:s", value.replace(b'"parts":[', b'"parts":{'))
            with pytest.raises(AdksessError) as error:
                await service.get_session(app_name="demo", user_id="ada", session_id="s")
    said = "".join(traceback.format_exception(error.value))
    assert STORED not in said
