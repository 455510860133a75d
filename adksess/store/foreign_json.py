"""Sessions in the JSON of other tools: field names and time formats."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

_NAME_LABELS = (
    ("app_name", "appName"),
    ("user_id", "userId"),
    ("id", "session_id", "sessionId"),
)
_UPDATED_LABELS = (
    "last_update_time",
    "lastUpdateTime",
    "updated_at",
    "updatedAt",
    "update_time",
    "updateTime",
)
_CREATED_LABELS = ("created_at", "createdAt", "create_time", "createTime")


class ForeignSession(NamedTuple):
    """A session as another tool wrote it. Times are Unix seconds; what is missing is None.

    `names` are app, user and session id.
    """

    names: tuple[str | None, str | None, str | None]
    state: dict[str, Any]
    events: list[dict[str, Any]]
    last_update_time: float | None
    created: float | None


def read_foreign(fields: Any) -> ForeignSession:
    """Read a parsed JSON value. Raises ValueError, which says what is wrong without content."""
    if not isinstance(fields, dict):
        raise ValueError("its value is not a JSON object")
    events, state = fields.get("events", []), fields.get("state", {})
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("its events are not a list of objects")
    if not isinstance(state, dict):
        raise ValueError("its state is not an object")
    app_name, user_id, session_id = (_first_text(fields, labels) for labels in _NAME_LABELS)
    return ForeignSession(
        (app_name, user_id, session_id),
        state,
        events,
        last_update_time=_first_time(fields, _UPDATED_LABELS),
        created=_first_time(fields, _CREATED_LABELS),
    )


def as_seconds(value: Any) -> float | None:
    """Unix seconds of a number or of ISO 8601 text; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            return None
        return seconds if math.isfinite(seconds) else None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _first_time(fields: Mapping[str, Any], labels: tuple[str, ...]) -> float | None:
    times = (as_seconds(fields.get(label)) for label in labels)
    return next((seconds for seconds in times if seconds is not None), None)


def _first_text(fields: Mapping[str, Any], labels: tuple[str, ...]) -> str | None:
    return next((fields[label] for label in labels if isinstance(fields.get(label), str)), None)
