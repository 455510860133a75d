"""ADK's web server with the demo agent: one message, from request to answer."""

import socket
from collections.abc import Awaitable, Callable

import httpx

from adksess.demo import AGENTS_DIR
from tests.bench.lab import Lab, python, wait_until
from tests.bench.table import Pair, race, row, within

AGENT = "remember"


@row(
    "web-run",
    "POST /run with the demo agent, p50",
    against="ADK's in-memory service",
    target=within(1.3),
)
async def post_run(lab: Lab) -> Pair:
    addresses = [start_web_server(lab, uri) for uri in ("memory://", lab.database())]
    async with httpx.AsyncClient(timeout=30) as http:
        calls = [await chatting(http, address) for address in addresses]
        return Pair(*await race(*calls, rounds=lab.pick(200, 40), most=1))


def start_web_server(lab: Lab, uri: str) -> str:
    """Start ADK's API server with a session service. Returns its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = python("-m", "adksess", "adk", "api_server", f"--session_service_uri={uri}")
    lab.start_process(*command, f"--port={port}", str(AGENTS_DIR), HOME=str(lab.folder))
    address = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            return httpx.get(f"{address}/health").is_success
        except httpx.TransportError:
            return False

    wait_until(is_up)
    return address


async def chatting(http: httpx.AsyncClient, address: str) -> Callable[[], Awaitable[None]]:
    """Return a call that sends the next message of a chat and reads the answer."""
    answer = await http.post(f"{address}/apps/{AGENT}/users/user/sessions")
    answer.raise_for_status()
    message = {
        "appName": AGENT,
        "userId": "user",
        "sessionId": answer.json()["id"],
        "newMessage": {"role": "user", "parts": [{"text": "my city is Lisbon"}]},
    }

    async def send() -> None:
        answer = await http.post(f"{address}/run", json=message)
        answer.raise_for_status()

    return send
