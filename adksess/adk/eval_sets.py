"""Eval sets for `adk eval`: conversations as cases, with the state that they started from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adksess.adk.event_json import read_session
from adksess.adk.session_files import without_credentials
from adksess.conversation.history import event_actions, get_object, live_positions
from adksess.store.document import json_bytes, parse_events, parse_json
from adksess.store.errors import AdksessError
from adksess.store.keys import SessionRef
from adksess.store.models import TITLE_KEY, StoredSession
from adksess.store.state import APP, USER, merge_scopes
from adksess.transfer.file_export import ExportedFile
from adksess.transfer.replay import initial_state

SUFFIX = ".evalset.json"


class EvalSetError(AdksessError):
    """A file is not an eval set, or ADK's evaluation cannot be imported."""


@dataclass
class EvalSetFile:
    """An eval set: the cases of an existing file, and cases that are added."""

    fields: dict[str, Any]

    @classmethod
    def load(cls, path: Path | None) -> "EvalSetFile":
        """Read an existing eval set; an empty one if there is no such file.

        Raises EvalSetError when the file is something else.
        """
        name = "sessions" if path is None else path.name.removesuffix(SUFFIX).removesuffix(".json")
        if path is None or not path.is_file():
            return cls({"eval_set_id": name, "name": name, "eval_cases": []})
        try:
            fields = parse_json(path.read_bytes())
            _eval_set().model_validate(fields)
        except (OSError, ValueError, ValidationError) as exc:
            raise EvalSetError(
                f"{path} is not an eval set of ADK: choose another file with --out."
            ) from exc
        return cls(fields)

    def __call__(self, stored: StoredSession) -> ExportedFile:
        """Add a session as a case; a case of the same id is replaced.

        The returned file has no content: it only names what the case lacks. Raises
        SessionUnreadable.
        """
        case, lacks = _case(stored)
        file = ExportedFile(stored.document.ref.session_id, SUFFIX, b"", lacks)
        cases = self.fields["eval_cases"]
        for position, existing in enumerate(cases):
            if _case_id(existing) == case["eval_id"]:
                cases[position] = case
                return file
        cases.append(case)
        return file

    def write(self, ref: SessionRef, file: ExportedFile) -> None:
        """Do nothing: the cases are written together, as content()."""

    def content(self) -> bytes:
        """Return the file, which `load_eval_set_from_file` of ADK reads."""
        _eval_set().model_validate(self.fields)
        return json_bytes(self.fields, indent=2) + b"\n"


def _case(stored: StoredSession) -> tuple[dict[str, Any], list[str]]:
    """Return a case, and the parts of the session that it lacks."""
    session = read_session(stored)
    parsed = parse_events(stored.document)
    live = live_positions(parsed)
    lacks: list[str] = []
    if len(live) < len(session.events):
        lacks.append("rewound events")
    session.events = [
        session.events[position] for position in live if parsed[position].get("content")
    ]
    state = initial_state(stored.document)
    if state.unknown:
        lacks.append("values given at creation that an event has replaced since")
    given = {key: value for key, value in state.known.items() if key != TITLE_KEY}
    changed = {key for event in parsed for key in get_object(event_actions(event), "state_delta")}
    initial = merge_scopes(
        given,
        {k: v for k, v in stored.app_state.items() if APP + k not in changed},
        {k: v for k, v in stored.user_state.items() if USER + k not in changed},
    )
    eval_case, session_input, convert = _adk_evaluation()
    case = eval_case(
        eval_id=session.id,
        conversation=convert(session),
        session_input=session_input(
            app_name=session.app_name, user_id=session.user_id, state=initial
        ),
        creation_timestamp=session.last_update_time,
    )
    fields: dict[str, Any] = case.model_dump(
        mode="json", exclude_unset=True, exclude_defaults=True, exclude_none=True
    )
    return without_credentials(fields), lacks


def _case_id(case: Any) -> Any:
    return case.get("eval_id", case.get("evalId")) if isinstance(case, dict) else None


def _eval_set() -> Any:
    try:
        from google.adk.evaluation.eval_set import EvalSet
    except ImportError as exc:
        raise _missing(exc) from exc
    return EvalSet


def _adk_evaluation() -> tuple[Any, Any, Any]:
    try:
        from google.adk.cli.utils.evals import convert_session_to_eval_invocations
        from google.adk.evaluation.eval_case import EvalCase, SessionInput
    except ImportError as exc:
        raise _missing(exc) from exc
    return EvalCase, SessionInput, convert_session_to_eval_invocations


def _missing(exc: ImportError) -> EvalSetError:
    return EvalSetError(
        f"ADK's evaluation cannot be imported ({exc.name or type(exc).__name__}): install "
        "google-adk[eval]."
    )
