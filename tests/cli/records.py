"""Records of an export, as `adksess import` reads them."""

from typing import Any


def session_record(**changes: Any) -> dict[str, Any]:
    """The record of a session in a foreign layout, with some fields changed."""
    document = {"app_name": "a", "user_id": "u", "session_id": "s", "state": {}, "events": []}
    record = {"adksess": 1, "kind": "session", "app_name": "a", "user_id": "u"}
    return record | {"session_id": "s", "expires_at": None, "document": document} | changes


def document_record(**changes: Any) -> dict[str, Any]:
    """The record of a session in a foreign layout, with some fields of its document changed."""
    return session_record(document=session_record()["document"] | changes)


def own_record(**changes: Any) -> dict[str, Any]:
    """The record of a session in our layout, with some fields of its document changed."""
    moment = "2026-11-25T10:00:00.000000+00:00"
    document = {
        "app_name": "a",
        "user_id": "u",
        "session_id": "s",
        "events": [{"id": "e1", "timestamp": 5.0}],
        "state": {"k": 1},
        "created_at": moment,
        "updated_at": moment,
        "newest_event_time": 5.0,
        "last_update_time": 5.0,
        "event_count": 1,
        "tail_bytes": 217,
    }
    return session_record(document=document | changes)
