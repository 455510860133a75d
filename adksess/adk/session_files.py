"""ADK's session files: what `adk run --resume` and the import of ADK's web UI read."""

from collections.abc import Mapping
from typing import Any

from google.adk.sessions.session import Session

from adksess.adk.event_json import read_session
from adksess.conversation.redaction import ADK_INTERNAL, is_token_cache
from adksess.store.document import json_bytes
from adksess.store.models import StoredSession
from adksess.transfer.file_export import ExportedFile

_CREDENTIAL_FIELDS = {
    *("raw_auth_credential", "rawAuthCredential"),
    *("exchanged_auth_credential", "exchangedAuthCredential"),
}
_SECRET_FIELDS = {"oauth2", "http", "api_key", "apiKey", "service_account", "serviceAccount"}


def session_file(stored: StoredSession, *, with_credentials: bool = False) -> ExportedFile:
    """Return the session file of a whole session, as ADK writes it.

    Session.model_validate_json() of it equals get_session(), except that ADK's internal metadata
    and, unless `with_credentials`, credentials are removed: those of auth requests and their
    answers, and those that ADK's tools keep in state. Raises SessionUnreadable.
    """
    fields = _public_fields(read_session(stored))
    public = fields if with_credentials else without_credentials(fields)
    lacks = [] if public == fields else ["credentials (--with-credentials keeps them)"]
    content = json_bytes(public, indent=2) + b"\n"
    return ExportedFile(stored.document.ref.session_id, ".session.json", content, lacks)


def _public_fields(session: Session) -> dict[str, Any]:
    fields: dict[str, Any] = session.model_dump(mode="json", by_alias=True, exclude_none=True)
    for event in fields.get("events", ()):
        metadata = event.get("customMetadata")
        if isinstance(metadata, dict):
            kept = {k: v for k, v in metadata.items() if not k.startswith(ADK_INTERNAL)}
            event["customMetadata"] = kept
            if not kept:
                del event["customMetadata"]
    return fields


def without_credentials(value: Any) -> Any:
    """Return JSON without the credentials that ADK's authentication writes into it."""
    if isinstance(value, list):
        return [without_credentials(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    secret = _SECRET_FIELDS if value.keys() & {"auth_type", "authType"} else set()
    removed = _CREDENTIAL_FIELDS | secret
    return {
        key: without_credentials(item)
        for key, item in value.items()
        if key not in removed and not is_token_cache(str(key))
    }
