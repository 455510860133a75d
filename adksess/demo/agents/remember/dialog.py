"""The answers of the demo agent: a function of the message and the session's state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HELP = """I understand:

- `my name is Ada`: kept for you, in all your sessions (`user:` state)
- `remember that the key is under the mat`: kept in this session
- `everyone should know that lunch is at noon`: kept for every user (`app:` state)
- `what do you know?`
- `forget everything`: empties this session's notes"""

WELCOME = f"""Hello! I am a demo agent without a model. I count our turns and remember what you \
tell me, and everything is stored in Redis: stop the server, start it again, reload this page, \
and I still know it.

{HELP}"""

_NAME = re.compile(r"(?:my name is|call me|i am called)\s+(?P<what>.+)", re.I | re.S)
_EVERYONE = re.compile(
    r"(?:everyone should know|everybody should know|tell everyone)(?:\s+that)?[\s:,]+(?P<what>.+)",
    re.I | re.S,
)
_REMEMBER = re.compile(r"remember(?:\s+that)?[\s:,]+(?P<what>.+)", re.I | re.S)
_FORGET = re.compile(r"forget\b.*", re.I | re.S)
_RECALL = re.compile(
    r"(?:what do you (?:know|remember)|what.?s my name|what is my name|who am i)\b.*", re.I
)


@dataclass(frozen=True)
class Reply:
    """An answer in Markdown and its state delta, with ADK's `app:` and `user:` prefixes."""

    text: str
    state_delta: dict[str, Any]


def reply_to(message: str, state: Mapping[str, Any]) -> Reply:
    """Answer a message. `state` is the session's merged state; it is not changed."""
    turn = _count(state.get("turns")) + 1
    text, delta = _respond(message.strip(), state)
    if turn == 1:
        text = WELCOME if text is None else f"{text}\n\n{WELCOME}"
    elif text is None:
        text = f"You said: {message}\n\nTry `what do you know?` or `help`."
    return Reply(f"{text}\n\n*Turn {turn} of this session.*", {"turns": turn, **delta})


def _respond(message: str, state: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the answer, None if the message is not understood, and the state delta."""
    if found := _NAME.match(message):
        name = _clean(found["what"])
        return f"Nice to meet you, {name}. All your sessions know your name now.", {
            "user:name": name
        }
    if found := _EVERYONE.match(message):
        fact = _clean(found["what"])
        facts = [*_list(state.get("app:facts")), fact]
        return f"Every user of this app can learn from me now: {fact}.", {"app:facts": facts}
    if found := _REMEMBER.match(message):
        note = _clean(found["what"])
        notes = [*_list(state.get("notes")), note]
        return f"I will remember, in this session: {note}.", {"notes": notes}
    if _FORGET.fullmatch(message):
        return "This session's notes are empty again.", {"notes": []}
    if _RECALL.fullmatch(message):
        return _recall(state), {}
    if message.lower().strip(" ?!.") == "help" and state.get("turns"):
        return HELP, {}
    return None, {}


def _recall(state: Mapping[str, Any]) -> str:
    name = state.get("user:name")
    lines = [f"You are {name} (`user:` state)." if name else "I do not know your name yet."]
    for heading, key in (
        ("In this session you told me", "notes"),
        ("Everyone knows (`app:` state)", "app:facts"),
    ):
        if known := _list(state.get(key)):
            lines += ["", f"{heading}:", "", *(f"- {item}" for item in known)]
    return "\n".join(lines)


def _clean(text: str) -> str:
    return text.strip().rstrip(".!").rstrip()


def _count(value: object) -> int:
    """Return the stored count, or 0: state can be edited by hand."""
    return value if isinstance(value, int) else 0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
