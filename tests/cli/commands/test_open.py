"""`adksess open`: a session's address in the running web UI, and the browser."""

import http.server
import json
import os
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from adksess.cli.web_servers import noted, running
from adksess.store.keys import SessionRef
from adksess.store.settings import Settings
from tests.cli.sessions import append_text, store_session
from tests.conftest import Run


@pytest.fixture(autouse=True)
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the browser was asked to open."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DISPLAY", ":0")
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


class _Apps(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/list-apps" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(["demo", "weather"]).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(valkey_url: str, opened: list[str]) -> Iterator[str]:
    """A running web UI for the worker's Valkey, as `open` sees it."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Apps) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with noted(url, Settings.parse(valkey_url), has_ui=True):
            yield url
        server.shutdown()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    run: Run, web: str, valkey_url: str, opened: list[str], columns: int
) -> None:
    store_session(valkey_url, user="ada@example.com", session_id="session 1/2")
    result = run("open", "session 1/2", columns=columns)
    address = f"{web}/dev-ui/?app=demo&session=session%201%2F2&userId=ada%40example.com"
    assert (result.code, result.out, result.err) == (0, f"{address}\n", "")
    assert opened == [address]


def test_without_an_id_it_is_the_session_that_was_updated_last(
    run: Run, web: str, valkey_url: str, opened: list[str]
) -> None:
    for name in ("first", "second", "third"):
        store_session(valkey_url, session_id=name)
    append_text(valkey_url, SessionRef("demo", "ada", "second"), "again")
    assert run("open").code == 0
    assert "session=second" in opened[0]


def test_without_a_browser_the_address_is_printed(
    run: Run, web: str, valkey_url: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    store_session(valkey_url, session_id="first")
    result = run("open", "first")
    assert (result.code, result.out.startswith(f"{web}/dev-ui/?app=demo"), opened) == (0, True, [])


def test_what_cannot_be_opened(run: Run, web: str, valkey_url: str, opened: list[str]) -> None:
    store_session(valkey_url, app="travel", session_id="first")
    result = run("open", "first")
    assert result.code == 1
    assert "is of the app travel, which the web UI at" in result.err
    assert "It serves demo, weather." in result.err
    assert run("open", "nowhere").code == 3
    result = run("open", "first", "-r", f"{valkey_url}?prefix=other:")
    assert result.code == 1
    assert f"No web UI is running for {valkey_url}, but {web} with {valkey_url}." in result.err
    assert opened == []


def test_no_web_ui(run: Run, valkey_url: str) -> None:
    result = run("open")
    assert result.code == 1
    assert result.err == (
        f"error: No web UI is running for {valkey_url}. Start it with adksess serve.\n"
    )
    settings = Settings.parse(valkey_url)
    with noted("http://127.0.0.1:1", settings, has_ui=False):
        assert "No web UI is running" in run("open").err
    store_session(valkey_url, session_id="first")
    with noted("http://127.0.0.1:1", settings, has_ui=True):
        result = run("open")
        assert (result.code, "does not answer" in result.err) == (1, True)


def test_no_sessions(run: Run, web: str) -> None:
    result = run("open")
    assert (result.code, result.err) == (3, "error: There are no sessions to open.\n")


def test_a_web_server_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    settings = Settings.parse("redis://:geheim@db/0")
    folder = tmp_path / "state" / "adksess" / "serve"
    with noted("http://127.0.0.1:1", settings, has_ui=True):
        (server,) = running()
        assert (server.pid, server.redis) == (os.getpid(), "redis://:***@db/0")
        (path,) = folder.iterdir()
        assert path.stat().st_mode & 0o077 == 0
        (folder / "dead.json").write_text(path.read_text().replace(str(server.pid), "4194305"))
        (folder / "broken.json").write_text("{")
        assert running() == [server]
        assert not (folder / "dead.json").exists()
    assert running() == []
