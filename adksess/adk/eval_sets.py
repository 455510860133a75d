"""Eval sets for `adk eval`: conversations as cases, with the state that they started from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adksess.adk.event_json import read_session
from adksess.adk.session_files import without_credentials
from adksess.store.document import json_bytes, parse_events, parse_json
from adksess.store.errors import AdksessError
from adksess.store.models import TITLE_KEY, StoredSession
from adksess.store.state import merge_scopes
from adksess.transfer.history import live_positions
from adksess.transfer.replay import initial_state

SUFFIX = ".evalset.json"


class EvalSetError(AdksessError):
    """A file is not an eval set, or ADK's evaluation cannot be imported."""


@dataclass
class EvalSetFile:
    """An eval set in the making: the cases of a file, and those that are added to it."""

    fields: dict[str, Any]
    added: int = 0
    replaced: int = 0
    notes: dict[str, None] = field(default_factory=dict)

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

    def add(self, stored: StoredSession) -> None:
        """Add a session as a case; a case of the same id is replaced. Raises SessionUnreadable."""
        case = _case(stored, self.notes)
        cases = self.fields["eval_cases"]
        for position, existing in enumerate(cases):
            if _case_id(existing) == case["eval_id"]:
                cases[position] = case
                self.replaced += 1
                return
        cases.append(case)
        self.added += 1

    def content(self) -> bytes:
        """Return the file, which `load_eval_set_from_file` of ADK reads."""
        _eval_set().model_validate(self.fields)
        return json_bytes(self.fields, indent=2) + b"\n"


def _case(stored: StoredSession, notes: dict[str, None]) -> dict[str, Any]:
    session = read_session(stored)
    live = live_positions(parse_events(stored.document))
    if len(live) < len(session.events):
        notes["rewound events are not in the eval set"] = None
    session.events = [session.events[position] for position in live]
    state = initial_state(stored.document)
    if state.unknown:
        notes["initial values that an event has overwritten are not known"] = None
    given = {key: value for key, value in state.known.items() if key != TITLE_KEY}
    initial = merge_scopes(given, *(_untouched(stored, scope) for scope in ("app:", "user:")))
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
    result: dict[str, Any] = without_credentials(fields)
    return result


def _untouched(stored: StoredSession, scope: str) -> dict[str, Any]:
    """Return the values of a scope that no event of the session has set."""
    values = stored.app_state if scope == "app:" else stored.user_state
    touched = _set_keys(parse_events(stored.document))
    return {key: value for key, value in values.items() if scope + key not in touched}


def _set_keys(events: Iterable[dict[str, Any]]) -> set[str]:
    from adksess.transfer.history import event_actions, get_object

    return {key for event in events for key in get_object(event_actions(event), "state_delta")}


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
