"""A password in the URL is never shown, whatever command runs or fails."""

import socket
import threading
from collections.abc import Iterator

import pytest
import redis

from tests.cli.sessions import store_session
from tests.conftest import Run

SECRET = "hunter2-and%23more"
BARE = ("hunter2", "and#more", "and%23more")

COMMANDS = [
    ["list"],
    ["list", "-o", "json"],
    ["show", "first"],
    ["ttl", "first"],
    ["ttl", "first", "--set", "1h"],
    ["delete", "first", "--dry-run"],
    ["delete", "first"],
    ["flush"],
    ["flush", "--dry-run"],
    ["stats"],
    ["doctor"],
    ["doctor", "-o", "json"],
    ["doctor", "."],
    ["export"],
    ["trim", "first", "--keep-last", "1"],
    ["migrate", "--detect"],
    ["serve", "--demo", "--port", "0"],
]


@pytest.fixture(scope="module")
def not_redis() -> Iterator[int]:
    """A port where a server other than Redis answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_failure_shows_the_password(run: Run, not_redis: int, words: list[str]) -> None:
    urls = [
        f"redis://user:{SECRET}@127.0.0.1:1/0",
        f"redis://:{SECRET}@127.0.0.1:{not_redis}/0",
        f"redis://:{SECRET}@127.0.0.1:badport/0",
        "redis://user:hunter2/and#more@127.0.0.1/0",
        f"mystery://:{SECRET}@127.0.0.1/0",
        f"redis://127.0.0.1:1/0?password={SECRET}",
        f"redis+sentinel://127.0.0.1:1/primary?sentinel_password={SECRET}",
        f"redis://:{SECRET}@127.0.0.1:1/0?nonsense=1",
    ]
    for url in urls:
        result = run(*words, "-r", url)
        assert result.code in (1, 2, 4), (url, result.err)
        shown = result.out + result.err
        assert shown.strip()
        assert "Traceback" not in shown
        assert not [secret for secret in BARE if secret in shown], url


def test_the_example_url_of_an_error_is_shown_whole(run: Run) -> None:
    result = run("list", "-r", "redis://[bad:secret@host/0")
    assert (result.code, "secret" in result.err) == (2, False)
    assert "write it like redis://user:password@host:6379/0 and" in result.err


def test_a_wrong_password_is_a_sentence(run: Run, database: redis.Redis, valkey_url: str) -> None:
    database.acl_setuser(
        "guarded", enabled=True, passwords=["+right"], categories=["+@all"], keys=["*"]
    )
    address = valkey_url.removeprefix("redis://")
    result = run("list", "-r", f"redis://guarded:hunter2@{address}")
    assert result.code == 4
    assert "rejected the login" in result.err
    assert "hunter2" not in result.err


def test_successful_commands_show_no_password(
    run: Run, database: redis.Redis, valkey_url: str
) -> None:
    database.acl_setuser(
        "guarded", enabled=True, passwords=["+hunter2"], categories=["+@all"], keys=["*"]
    )
    store_session(valkey_url, session_id="first")
    address = valkey_url.removeprefix("redis://")
    for words in [w for w in COMMANDS if w[0] != "serve"]:
        result = run(*words, "-r", f"redis://guarded:hunter2@{address}")
        assert result.code in (0, 2), result.err
        assert "hunter2" not in result.out + result.err
