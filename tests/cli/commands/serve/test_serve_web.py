"""`adksess serve` with ADK's real web server, over HTTP."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
import redis

from adksess.embedded import is_listening
from tests.servers import free_port, running, valkey_binary, wait_until
from tests.web import WebServer, adk, adksess, clean_environment

pytestmark = pytest.mark.web


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """A folder with one agent that registers adksess itself, when it is loaded."""
    bot = tmp_path / "agents" / "bot"
    bot.mkdir(parents=True)
    (bot / "__init__.py").write_text("")
    (bot / "agent.py").write_text(
        "from adksess import register_services\n"
        "from adksess.demo.agents.remember.agent import RememberAgent\n"
        "register_services()\n"
        "root_agent = RememberAgent(name='bot')\n"
    )
    return bot.parent


def test_a_chat_survives_a_restart(tmp_path: Path, valkey_url: str) -> None:
    url = f"{valkey_url}?ttl=2h&prefix=serve:"
    command = adksess("serve", "--demo", "-r", url)
    with WebServer(command, tmp_path) as web:
        web.create("s1")
        assert "created remember/ada/s1" not in web.output
        assert "Nice to meet you, Ada." in web.say("my name is Ada", "s1")
        web.say("remember that tea is at four", "s1")
        before = web.get("s1")
    with WebServer(command, tmp_path) as web:
        assert web.get("s1") == before
        assert "tea is at four" in web.say("what do you know?", "s1")
        assert web.get("s1")["state"]["turns"] == 3
        web.create("s2")
        assert "You are Ada" in web.say("what do you know?", "s2")
        assert set(web.ids()) == {"s1", "s2"}
        web.delete("s1")
        assert web.ids() == ["s2"]
    with redis.Redis.from_url(valkey_url) as client:
        keys = set(client.scan_iter("serve:*"))
        assert b"serve:session:remember:ada:s2" in keys
        assert b"serve:session:remember:ada:s1" not in keys
        assert 7100 < client.ttl("serve:session:remember:ada:s2") <= 7200
        assert not set(client.scan_iter("session:remember:*"))


def test_the_embedded_server_starts_stops_and_keeps_the_chat(tmp_path: Path) -> None:
    port = free_port()
    command = adksess("serve", "--demo", default_port=port)

    web = WebServer(command, tmp_path).start()
    web.create("s1")
    web.say("my name is Ada", "s1")
    assert "embedded, data in .adksess/" in web.output
    assert web.send(signal.SIGTERM) == 0
    assert not is_listening("127.0.0.1", port)

    web = WebServer(command, tmp_path).start()
    assert len(web.get("s1")["events"]) == 2
    web.say("remember that this was before the kill", "s1")
    web.send(signal.SIGKILL)
    assert is_listening("127.0.0.1", port), "the orphan that the next start recovers"

    web = WebServer(command, tmp_path).start()
    assert "embedded (recovered)" in web.output
    assert "before the kill" in web.say("what do you know?", "s1")
    # In a terminal Ctrl-C reaches every process of the group at once.
    assert web.send(signal.SIGINT, to_group=True) == 0
    wait_until(lambda: not is_listening("127.0.0.1", port))
    assert "Application shutdown complete" in web.output
    assert "Stopped." in web.output
    assert "Traceback" not in web.output


def test_a_closed_terminal_ends_it_in_order(tmp_path: Path, valkey_url: str) -> None:
    with WebServer(adksess("serve", "--demo", "-r", valkey_url), tmp_path) as web:
        web.create("busy")
        for turn in range(1, 6):
            web.say(f"message {turn}", "busy")
        assert web.send(signal.SIGHUP) == 0
        assert "Traceback" not in web.output
    with redis.Redis.from_url(valkey_url, decode_responses=True) as client:
        document = json.loads(client.get("session:remember:ada:busy") or "{}")
    assert [e["content"]["parts"][0]["text"] for e in document["events"][::2]] == [
        f"message {turn}" for turn in range(1, 6)
    ]


def test_api_serves_without_the_ui(agents: Path, tmp_path: Path, valkey_url: str) -> None:
    url = f"{valkey_url}?prefix=api:"
    command = adksess("serve", "--api", "--log_level", "DEBUG", "--verbose", "agents", "-r", url)
    with WebServer(command, tmp_path) as web:
        web.create("s1", app="bot")
        assert re.search(r"^\d\d:\d\d:\d\d  created bot/ada/s1$", web.output, re.MULTILINE)
        assert web.output.count("created bot/ada/s1") == 1
        assert "I am a demo agent" in web.say("hello", "s1", app="bot")
        assert web.http.get("/dev-ui/").status_code == 404
        assert re.search(r"API +http://127.0.0.1:\d+/docs", web.output)


def test_registering_in_the_agent_is_too_late_but_serve_registers_first(
    agents: Path, tmp_path: Path, valkey_url: str
) -> None:
    uri = f"--session_service_uri={valkey_url}"
    plain = subprocess.run(
        [*adk("web", uri, agents), f"--port={free_port()}"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode != 0
    assert re.search("sqlalchemy", plain.stderr, re.IGNORECASE), plain.stderr

    with WebServer(adksess("adk", "web", uri, agents), tmp_path) as web:
        web.create("early", app="bot")
        web.say("hello", "early", app="bot")
    with redis.Redis.from_url(valkey_url) as client:
        assert client.exists("session:bot:ada:early")


def test_an_outage_is_one_line_in_the_log(tmp_path: Path) -> None:
    with (
        running(valkey_binary(), tmp_path / "valkey") as server,
        WebServer(adksess("serve", "--demo", "-r", server.url), tmp_path) as web,
    ):
        web.create("s1")
        web.say("hello", "s1")
        web.http.headers["Connection"] = "close"  # as the server closes it after an error
        lines = len(web.output.splitlines())
        server.kill()
        for _ in range(3):
            assert web.http.get("/apps/remember/users/ada/sessions/s1").status_code == 500
        message = {"role": "user", "parts": [{"text": "hello"}]}
        body = {"appName": "remember", "userId": "ada", "sessionId": "s1", "newMessage": message}
        for path in ("/run", "/run_sse"):
            assert web.http.post(path, json=body).is_server_error
        new = [line for line in web.output.splitlines()[lines:] if "INFO" not in line]
        assert len(new) == 1, new
        assert "Cannot reach Redis at" in new[0]
        server.start()
        web.create("s2")
        assert web.say("hello", "s2")


def test_two_folders_are_served_at_once(tmp_path: Path) -> None:
    port = free_port()
    command = adksess("serve", "--demo", default_port=port)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with WebServer(command, folders[0]) as one, WebServer(command, folders[1]) as two:
        for web, folder in ((one, folders[0]), (two, folders[1])):
            web.create(folder.name)
            assert web.ids() == [folder.name]
            listed = subprocess.run(
                adksess("list", "-o", "ids", default_port=port),
                cwd=folder,
                env=clean_environment(folder),
                capture_output=True,
                text=True,
                check=True,
            )
            assert (listed.stdout, listed.stderr) == (f"{folder.name}\n", "")
