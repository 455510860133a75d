"""A chat in ADK's web UI, and the same sessions on the command line."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat import Chat
from tests.web import WebServer, adksess, clean_environment

pytestmark = pytest.mark.web


@pytest.fixture
def url(valkey_url: str) -> str:
    return f"{valkey_url}?prefix=browser:"


@pytest.fixture
def web(tmp_path: Path, url: str) -> Iterator[WebServer]:
    """`adksess serve --demo`, with a home in which ADK's question about telemetry is answered."""
    (tmp_path / ".adk").mkdir()
    (tmp_path / ".adk" / "config.json").write_text('{"telemetry": false}')
    with WebServer(adksess("serve", "--demo", "-r", url), tmp_path) as web:
        yield web


def test_a_chat_in_the_browser_and_on_the_command_line(
    browser: Browser, web: WebServer, url: str, tmp_path: Path
) -> None:
    def command(*words: str) -> str:
        return subprocess.run(
            adksess(*words, "-r", url),
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def listed() -> dict[str, Any]:
        return {s["session_id"]: s["title"] for s in json.loads(command("list", "-o", "json"))}

    address = f"http://127.0.0.1:{web.port}/dev-ui/?app=remember"
    with Chat(browser, address) as chat:
        chat.say("My name is Ada")
        chat.say("Remember that the key is under the mat")
        session_id = chat.session_id
        said = chat.messages(4)
        assert said[2] == "Remember that the key is under the mat"
        assert "Turn 2" in said[3]

        chat.page.reload()
        assert (chat.session_id, chat.messages(4)) == (session_id, said)

        web.send(signal.SIGKILL)
        web.start()
        chat.page.reload()
        assert (chat.session_id, chat.messages(4)) == (session_id, said)
        assert chat.failed == []
    assert listed() == {session_id: "My name is Ada"}
    assert "My name is Ada" in command("list")

    opened = command("open", session_id).strip()
    with Chat(browser, opened) as chat:
        assert (chat.session_id, chat.messages(4)) == (session_id, said)
        chat.say("what do you know?")
        said = chat.messages(6)
        assert "You are Ada" in said[5]
        assert chat.failed == []
    assert command("open").strip() == opened, "the session that was updated last"

    with Chat(browser, address) as chat:
        items = chat.open_list()
        expect(items).to_have_count(1)
        expect(items.locator(".session-id")).to_have_text("My name is Ada")
        items.click()  # which closes the list
        assert chat.messages(6) == said
        assert chat.session_id == session_id

        chat.open_list()
        chat.rename("Where the key is")
        assert listed() == {session_id: "Where the key is"}
        chat.close_list()

        chat.page.get_by_role("button", name="New Session").click()
        assert chat.messages(0) == []
        chat.say("what do you know?")
        assert "You are Ada" in chat.messages(2)[1], "user state reaches a new session"
        second = chat.session_id
        expect(chat.open_list()).to_have_count(2)
        chat.delete(second)
        assert listed() == {session_id: "Where the key is"}
        chat.close_list()

        command("delete", session_id, "--yes")
        expect(chat.open_list()).to_have_count(0)
        assert chat.failed == []
