"""`adksess tail`: how a line looks. What it prints and when is tested in tests/transfer."""

import pytest

from adksess.cli.render.event_lines import event_line
from adksess.conversation.tail import NewEvent
from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, called, said
from tests.conftest import Run

_REF = SessionRef("support", "bob@example.com", "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (said("user", "Where is\nmy order?"), "user Where is my order?"),
        (called("track", args={"id": 4711}), "helper → track(id=4711)"),
        (
            said("helper", "Done.", actions={"state_delta": {"n": 1}}),
            "helper Done. · state n = 1",
        ),
        ({"error_code": "429", "timestamp": NOW}, "? error 429"),
        ({"timestamp": NOW}, "? empty event"),
        (said("user", "\x1b[31mred"), "user \\x1b[31mred"),
    ],
)
def test_an_event_is_one_line(event: dict[str, object], expected: str) -> None:
    line = event_line(NewEvent(_REF, "key", 1, event), utc=True, width=200)
    assert line.plain == f"11:06:40 support/bob@example.com/8e42aa01 {expected}"


def test_a_pipe_gets_names_and_texts_in_full() -> None:
    line = event_line(NewEvent(_REF, "key", 1, said("user", "x" * 500)), utc=True)
    assert _REF.path in line.plain
    assert "x" * 500 in line.plain
    short = event_line(NewEvent(_REF, "key", 1, said("user", "x" * 500)), utc=True, width=80)
    assert short.cell_len == 80


def test_a_wrong_duration_is_a_usage_error(run: Run) -> None:
    assert run("tail", "--since", "soon").code == 2
