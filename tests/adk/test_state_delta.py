"""State is split by scope and made JSON as ADK's own services do it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.adk.sessions._session_util import extract_json_safe_state_delta
from hypothesis import given

from adksess.adk.service import _state_delta
from tests.contract.strategies import states


@given(states)
def test_any_state(state: dict[str, Any]) -> None:
    _compare(state)


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 1, 2, tzinfo=UTC), {1, 2}, (1,), b"bytes", {1: 2}, object, [print], None],
    ids=str,
)
@pytest.mark.parametrize("prefix", ["", "app:", "user:", "temp:"])
def test_values_that_json_lacks(prefix: str, value: Any) -> None:
    _compare({f"{prefix}key": value, f"{prefix}app:": 1, "app": 2})


def _compare(state: dict[str, Any]) -> None:
    try:
        expected = extract_json_safe_state_delta(state)
    except UnicodeEncodeError:  # a lone surrogate: the store keeps it, as an escape
        return
    delta = _state_delta(state)
    assert delta._asdict() == {name: expected[name] for name in ("session", "app", "user")}
