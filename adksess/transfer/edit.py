"""Change the title and the state of a session through an event, as ADK does.

ADK's `PATCH /apps/…/sessions/…` appends an event by `user` with a state delta, so that the history
and the state of a session agree. These functions append the same event.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from adksess.store.errors import InvalidName, SessionNotFound
from adksess.store.keys import SessionRef
from adksess.store.models import TITLE_KEY, StoredState
from adksess.store.state import TEMP, split_scopes
from adksess.store.store import SessionStore


async def set_title(store: SessionStore, ref: SessionRef, title: str) -> None:
    """Set the title that ADK's web UI shows. Raises SessionNotFound."""
    stored = await store.read(ref, last=0)
    if stored is None:
        raise SessionNotFound(f"Session {ref.session_id!r} not found.")
    metadata = stored.document.tail.state.get(TITLE_KEY)
    others = metadata if isinstance(metadata, dict) else {}
    await change_state(store, ref, {TITLE_KEY: {**others, "displayName": title}})


async def change_state(store: SessionStore, ref: SessionRef, delta: Mapping[str, Any]) -> None:
    """Append an event that changes the state of a session.

    Keys with `app:` and `user:` change the state of the app and the user, as in ADK. A value of
    None is ADK's way to remove a key of a session: the key stays, with null. Raises InvalidName
    for a `temp:` key, which is not stored, and for text that is not valid; SessionNotFound.
    """
    _check_text(delta)
    if any(key.startswith(TEMP) for key in delta):
        raise InvalidName("temp: state lasts for one invocation and is not stored.")
    now = await store.now()
    event = {
        "invocation_id": f"p-{uuid4()}",
        "author": "user",
        "actions": {"state_delta": dict(delta)},
        "id": str(uuid4()),
        "timestamp": now,
    }
    await store.append(ref, event, split_scopes(delta), timestamp=now)


async def set_shared_value(
    store: SessionStore, app_name: str, user_id: str | None, key: str, value: Any
) -> None:
    """Set a value of the state of an app (user None), or of a user. `key` has no prefix.

    Raises InvalidName for text that is not valid.
    """
    _check_text({key: value})
    await store.put_state(StoredState(app_name, user_id, {key: value}), replace=True)


def _check_text(values: Mapping[str, Any]) -> None:
    """Raise InvalidName for a lone surrogate: ADK's web server answers it with an error 500."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise InvalidName(
            "A key or value holds a lone surrogate, which is not text: use valid Unicode (UTF-8 "
            "on the command line)."
        ) from exc
