"""The demo agent's answers and state deltas."""

from typing import Any

import pytest

from adksess.demo.agents.remember.dialog import WELCOME, reply_to


@pytest.mark.parametrize(
    ("message", "delta"),
    [
        ("my name is Ada.", {"user:name": "Ada"}),
        ("My Name Is Ada Lovelace", {"user:name": "Ada Lovelace"}),
        ("remember that the key is under the mat", {"notes": ["old", "the key is under the mat"]}),
        ("Remember: milk!", {"notes": ["old", "milk"]}),
        ("everyone should know that lunch is at noon", {"app:facts": ["lunch is at noon"]}),
        ("tell everyone: hello", {"app:facts": ["hello"]}),
        ("forget everything", {"notes": []}),
        ("help", {}),
        ("what do you know?", {}),
        ("something else", {}),
        ("", {}),
    ],
)
def test_messages_change_state_of_the_right_scope(message: str, delta: dict[str, Any]) -> None:
    state = {"turns": 4, "notes": ["old"]}
    reply = reply_to(message, state)
    assert reply.state_delta == {"turns": 5, **delta}
    assert "Turn 5" in reply.text
    assert state == {"turns": 4, "notes": ["old"]}, "the given state is not changed"


def test_first_reply_explains_the_agent() -> None:
    for message in ("hi", "help", ""):
        reply = reply_to(message, {})
        assert reply.text.startswith(WELCOME)
        assert reply.state_delta == {"turns": 1}
    assert "start it again, reload" in WELCOME


def test_new_session_uses_user_and_app_state() -> None:
    state = {"user:name": "Ada", "app:facts": ["lunch is at noon"]}
    first = reply_to("what do you know?", state)
    assert "You are Ada" in first.text
    assert "- lunch is at noon" in first.text
    assert "told me" not in first.text
    assert WELCOME in first.text


def test_invalid_state_is_ignored() -> None:
    state = {"turns": "many", "notes": "a string", "user:name": None, "app:facts": None}
    assert reply_to("what do you know?", state).state_delta == {"turns": 1}
    assert reply_to("remember that x", state).state_delta == {"turns": 1, "notes": ["x"]}
