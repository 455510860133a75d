"""Commands in a log: with keys, without values and secrets."""

import pytest

from adksess.store.command_log import describe


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("AUTH", "ada", "secret"), "AUTH (2 arguments)"),
        (("HELLO", 3, "AUTH", "ada", "secret"), "HELLO (4 arguments)"),
        (("SET", b"key", b"a conversation"), "SET (2 arguments)"),
        (("HSET", b"user_state:demo:ada", b"token", b"secret"), "HSET (3 arguments)"),
        (("GET", b"session:demo:ada:1"), "GET session:demo:ada:1"),
        (("scan", 0, "MATCH", b"session:*"), "SCAN 0 MATCH session:*"),
        (("EVALSHA", "0123456789", 1, b"key", b"secret"), "EVALSHA 01234567 key (1 argument)"),
        (("EVAL", "return 1", 0), "EVAL (script)"),
        (("GET", b"k" * 90), f"GET {'k' * 80}…"),
        (("GET", b"\xff"), "GET \ufffd"),
    ],
)
def test_one_line_for_each_command(words: tuple[object, ...], text: str) -> None:
    assert describe(words) == text
