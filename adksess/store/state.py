"""The scopes of ADK's state: of one session, of a user, of an app."""

from collections.abc import Mapping
from typing import Any, NamedTuple

APP, USER, TEMP = "app:", "user:", "temp:"
"""Prefixes of state keys in ADK. A key with none belongs to its session; `temp:` is not stored."""

_EMPTY: Mapping[str, Any] = {}


class StateDelta(NamedTuple):
    """State to write, by scope. Keys are without `app:` and `user:`."""

    session: Mapping[str, Any] = _EMPTY
    app: Mapping[str, Any] = _EMPTY
    user: Mapping[str, Any] = _EMPTY


NO_STATE = StateDelta()


def split_scopes(state: Mapping[str, Any]) -> StateDelta:
    """Split a state by the prefixes of its keys; `temp:` keys are left out."""
    scopes: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    for key, value in state.items():
        if key.startswith(APP):
            scopes[1][key.removeprefix(APP)] = value
        elif key.startswith(USER):
            scopes[2][key.removeprefix(USER)] = value
        elif not key.startswith(TEMP):
            scopes[0][key] = value
    return StateDelta(*scopes)


def merge_scopes(
    session: Mapping[str, Any], app: Mapping[str, Any], user: Mapping[str, Any]
) -> dict[str, Any]:
    """The state as an agent sees it, with `app:` and `user:` keys."""
    merged = dict(session)
    merged.update((APP + key, value) for key, value in app.items())
    merged.update((USER + key, value) for key, value in user.items())
    return merged
