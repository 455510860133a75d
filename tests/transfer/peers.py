"""One conversation for every session service, so that all can be compared."""

from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.sessions.base_session_service import BaseSessionService
from google.genai import types

STATE = {
    "topic": "math",
    "app:limit": 3,
    "user:name": "Ada é",
    "empty": [],
    "float": 1.0,
    "none": None,
}
NAMES = (("demo", "ada", "one"), ("demo", "ada", "two"), ("shop", "bob", "three:with:colons"))


async def converse(service: BaseSessionService) -> None:
    """Have the conversation in every session."""
    for app, user, session_id in NAMES:
        session = await service.create_session(
            app_name=app, user_id=user, session_id=session_id, state=dict(STATE)
        )
        for event in events():
            await service.append_event(session, event)


def events() -> list[Event]:
    """Text, a tool call and its response, bytes, an event without content."""
    call = types.FunctionCall(id="c1", name="add", args={"a": 1, "none": None, "f": 1.0})
    response = types.FunctionResponse(id="c1", name="add", response={"r": [1, None]})
    blob = types.Blob(mime_type="image/png", data=b"\x00\xff\xfe>>??")
    delta = {"turns": 1, "big": 2**60, "user:lang": "en", "app:seen": True, "temp:x": 1}
    found = [
        _event(0, "user", types.Part(text="hello \u2028 \U0001f600"), state_delta=delta),
        _event(1, "agent", types.Part(function_call=call)),
        _event(2, "agent", types.Part(function_response=response)),
        _event(3, "agent", types.Part(inline_data=blob), artifact_delta={"a.png": 0}),
        _event(4, "agent", types.Part(text="bye"), state_delta={"turns": 2}),
    ]
    found[1].long_running_tool_ids = {"c1"}
    found[4].custom_metadata = {"k": None, "n": 1}
    return found


def _event(number: int, author: str, part: types.Part, **actions: object) -> Event:
    return Event(
        id=f"e{number}",
        invocation_id=f"inv{number // 4}",
        author=author,
        timestamp=1_795_000_000.1234567 + number,
        content=types.Content(role="user" if author == "user" else "model", parts=[part]),
        actions=EventActions.model_validate(actions),
    )
