"""What the demo agent answers, and which state it changes."""

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
def test_what_is_told_becomes_state_in_its_scope(message: str, delta: dict[str, Any]) -> None:
    state = {"turns": 4, "notes": ["old"]}
    reply = reply_to(message, state)
    assert reply.state_delta == {"turns": 5, **delta}
    assert "Turn 5" in reply.text
    assert state == {"turns": 4, "notes": ["old"]}, "the state that was read is left alone"


def test_the_first_reply_says_what_it_can_do_and_what_to_try() -> None:
    for message in ("hi", "help", ""):
        reply = reply_to(message, {})
        assert reply.text.startswith(WELCOME)
        assert reply.state_delta == {"turns": 1}
    assert "start it again, reload" in WELCOME


def test_a_new_session_knows_what_the_user_and_everyone_told_before() -> None:
    state = {"user:name": "Ada", "app:facts": ["lunch is at noon"]}
    first = reply_to("what do you know?", state)
    assert "You are Ada" in first.text
    assert "- lunch is at noon" in first.text
    assert "told me" not in first.text
    assert WELCOME in first.text


def test_odd_state_does_not_stop_it() -> None:
    state = {"turns": "many", "notes": "a string", "user:name": None, "app:facts": None}
    assert reply_to("what do you know?", state).state_delta == {"turns": 1}
    assert reply_to("remember that x", state).state_delta == {"turns": 1, "notes": ["x"]}
