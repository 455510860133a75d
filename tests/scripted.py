"""A scripted model, and conversations that it has with the agent of tests/agents."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from google.adk.models.google_llm import Gemini
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.sessions.base_session_service import BaseSessionService
from google.genai import types

from tests.agents.concierge.agent import root_agent

PICTURE = b"\x89PNG\x00\xff\xfe"
APP = "concierge"


def answer(request: LlmRequest) -> types.Part:
    """What the model says: it depends only on the last content."""
    part = (request.contents[-1].parts or [types.Part(text="")])[-1]
    if response := part.function_response:
        if response.name == "book_hotel":
            done = (response.response or {}).get("status") == "approved"
            return types.Part(text="Booked." if done else "I have asked for an approval.")
        return types.Part(text=f"It is mild: {(response.response or {}).get('degrees')} degrees.")
    text = part.text or ""
    if "weather" in text:
        return _call("get_weather", city="Rome \U0001f600")
    if "hotel" in text:
        return _call("book_hotel", city="Rome")
    if "helper" in text:
        return _call("transfer_to_agent", agent_name="helper")
    if "picture" in text:
        return types.Part(inline_data=types.Blob(mime_type="image/png", data=PICTURE))
    return types.Part(text=f"You said {len(text)} characters.")


async def _generate(
    model: Gemini, llm_request: LlmRequest, stream: bool = False
) -> AsyncGenerator[LlmResponse, None]:
    yield LlmResponse(content=types.Content(role="model", parts=[answer(llm_request)]))


def use_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the agent's model answer by the script, without a network."""
    monkeypatch.setattr(Gemini, "generate_content_async", _generate)


def text(words: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=words)])


async def converse(
    service: BaseSessionService, session_id: str, *, state: dict[str, Any] | None = None
) -> None:
    """Have a conversation of tool calls, state, bytes, a long-running call and a sub-agent."""
    await service.create_session(
        app_name=APP, user_id="ada", session_id=session_id, state=state or {}
    )
    for words in ("hello there", "what is the weather?", "show me a picture", "book a hotel"):
        await _run(service, session_id, text(words))
    session = await service.get_session(app_name=APP, user_id="ada", session_id=session_id)
    assert session is not None
    (call_id,) = {
        call.id
        for event in session.events
        for call in event.get_function_calls()
        if call.name == "book_hotel"
    }
    response = types.FunctionResponse(
        id=call_id, name="book_hotel", response={"status": "approved", "city": "Rome"}
    )
    part = types.Part(function_response=response)
    await _run(service, session_id, types.Content(role="user", parts=[part]))
    await _run(service, session_id, text("get me the helper"))
    await _run(service, session_id, text("and now?"))


async def _run(service: BaseSessionService, session_id: str, message: types.Content) -> None:
    runner = Runner(app_name=APP, agent=root_agent, session_service=service)
    async for _ in runner.run_async(user_id="ada", session_id=session_id, new_message=message):
        pass


def _call(name: str, **args: Any) -> types.Part:
    return types.Part(function_call=types.FunctionCall(name=name, args=args))
