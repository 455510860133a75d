"""The status of conversations by ADK's Runner, and of unusual ones."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from google.adk.agents import Agent
from google.adk.events import Event
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.tools.function_tool import FunctionTool
from google.adk.tools.long_running_tool import LongRunningFunctionTool
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.conversation.overview import read_statuses
from adksess.conversation.quick_status import quick_status
from adksess.conversation.status import SessionStatus, Status, session_status
from adksess.store.document import json_bytes

REF = SessionRef("demo", "ada", "s1")
Step = types.Part | Exception | LlmResponse


class ScriptedModel(BaseLlm):
    """A model that gives one prepared answer per call."""

    model: str = "scripted"
    steps: list[Any] = []  # noqa: RUF012 - a pydantic field

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, LlmResponse):
            yield step
            return
        yield LlmResponse(content=types.Content(role="model", parts=[step]))


def text(words: str) -> types.Part:
    return types.Part(text=words)


def call(name: str, **arguments: Any) -> types.Part:
    return types.Part(function_call=types.FunctionCall(id="call-1", name=name, args=arguments))


def request_refund(amount: int) -> dict[str, Any]:
    return {"status": "pending", "ticket": "T-1"}


def request_quietly(amount: int) -> None:
    return None


def transfer_money(amount: int) -> dict[str, Any]:
    return {"done": True}


def failing(amount: int) -> dict[str, Any]:
    return {"error": "no such account"}


class Chat:
    """One session of a scripted agent, stored in Redis."""

    def __init__(self, url: str, *steps: Step, tools: Sequence[Any] = ()) -> None:
        self.url = url
        agent = Agent(name="helper", model=ScriptedModel(steps=list(steps)), tools=list(tools))
        self.service = RedisSessionService(url)
        self.runner = Runner(
            app_name="demo", agent=agent, session_service=self.service, auto_create_session=True
        )

    async def say(self, *parts: types.Part) -> None:
        message = types.Content(role="user", parts=list(parts))
        async for _ in self.runner.run_async(user_id="ada", session_id="s1", new_message=message):
            pass

    async def status(self) -> SessionStatus:
        async with SessionStore(self.url) as store:
            return (await read_statuses(store, [REF]))[REF]


@pytest.fixture
def url(valkey_url: str, request: pytest.FixtureRequest) -> str:
    return f"{valkey_url}?prefix={request.node.name}:"


async def test_an_answered_message_is_ok(url: str) -> None:
    chat = Chat(url, text("hello"))
    await chat.say(text("hi"))
    assert await chat.status() == SessionStatus(Status.OK)


@pytest.mark.parametrize("tool", [request_refund, request_quietly])
async def test_a_long_running_tool_waits_until_the_user_answers(url: str, tool: Any) -> None:
    steps = (call(tool.__name__, amount=5), text("I asked for it."), text("Approved, then."))
    chat = Chat(url, *steps, tools=[LongRunningFunctionTool(tool)])
    await chat.say(text("refund me"))
    status, (waiting,), _ = await chat.status()
    assert status is Status.WAITING
    assert (waiting.tool, waiting.request, dict(waiting.arguments)) == (
        tool.__name__,
        "",
        {"amount": 5},
    )
    assert waiting.since > 1_700_000_000
    answer = types.FunctionResponse(
        id=waiting.call_id, name=tool.__name__, response={"status": "approved"}
    )
    await chat.say(types.Part(function_response=answer))
    assert (await chat.status()).status is Status.OK


async def test_a_confirmation_waits_for_a_person(url: str) -> None:
    tool = FunctionTool(transfer_money, require_confirmation=True)
    chat = Chat(url, call("transfer_money", amount=7), text("Sent."), tools=[tool])
    await chat.say(text("send 7"))
    status, (waiting,), _ = await chat.status()
    assert status is Status.WAITING
    assert (waiting.tool, waiting.request) == ("transfer_money", "confirmation")
    assert dict(waiting.arguments) == {"amount": 7}
    answer = types.FunctionResponse(
        id=waiting.call_id, name="adk_request_confirmation", response={"confirmed": True}
    )
    await chat.say(types.Part(function_response=answer))
    assert (await chat.status()).status is Status.OK


async def test_a_failing_tool_failed_unless_it_was_answered(url: str) -> None:
    chat = Chat(url, call("failing", amount=1), RuntimeError("boom"), tools=[failing])
    with suppress(RuntimeError):
        await chat.say(text("try it"))
    status = await chat.status()
    assert status.status is Status.FAILED
    assert status.error


async def test_a_failing_tool_with_an_answer_is_ok(url: str) -> None:
    chat = Chat(url, call("failing", amount=1), text("That failed, sorry."), tools=[failing])
    await chat.say(text("try it"))
    assert (await chat.status()).status is Status.OK


async def test_a_model_that_reports_an_error_failed(url: str) -> None:
    broken = LlmResponse(error_code="SAFETY", error_message="blocked")
    chat = Chat(url, broken, text("better"))
    await chat.say(text("hi"))
    assert await chat.status() == SessionStatus(Status.FAILED, error="SAFETY: blocked")
    await chat.say(text("again"))
    assert (await chat.status()).status is Status.OK


async def test_a_model_that_raises_leaves_no_answer(url: str) -> None:
    chat = Chat(url, RuntimeError("boom"))
    with suppress(RuntimeError):
        await chat.say(text("hi"))
    assert (await chat.status()).status in (Status.UNANSWERED, Status.FAILED)


async def test_an_aborted_run_failed(url: str) -> None:
    chat, running, stop = await _run_that_hangs(url)
    stop.set()
    with suppress(asyncio.CancelledError):
        await running
    status = await chat.status()
    assert status.status is Status.FAILED
    assert status.error.startswith("INVOCATION_ABORTED")


async def test_a_cancelled_run_leaves_its_message_unanswered(url: str) -> None:
    chat, running, _ = await _run_that_hangs(url)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert (await chat.status()).status is Status.UNANSWERED


async def _run_that_hangs(url: str) -> tuple[Chat, "asyncio.Task[None]", asyncio.Event]:
    """Start a run whose tool never returns. Returns it with the event that aborts it."""
    reached, stop = asyncio.Event(), asyncio.Event()

    async def never() -> str:
        reached.set()
        await asyncio.Event().wait()
        return ""

    chat = Chat(url, call("never"), tools=[never])

    async def run() -> None:
        message = types.Content(role="user", parts=[text("go")])
        async for _ in chat.runner.run_async(
            user_id="ada", session_id="s1", new_message=message, abort_signal=stop
        ):
            pass

    running = asyncio.create_task(run())
    await reached.wait()
    return chat, running, stop


async def test_a_long_history_is_not_read(url: str) -> None:
    """The end of a document is enough, also when its last event is larger than the first read."""
    async with SessionStore(url) as store:
        await store.create(REF)
        for number in range(30):
            author = "user" if number % 2 == 0 else "helper"
            await store.append(REF, _said(author, "x" * 2_000), timestamp=float(number))
        assert (await read_statuses(store, [REF]))[REF].status is Status.OK
        await store.append(REF, _said("user", "y" * 300_000), timestamp=31.0)
        assert (await read_statuses(store, [REF]))[REF].status is Status.UNANSWERED


def test_state_changes_and_summaries_are_not_messages() -> None:
    answered = [_said("user", "hi"), _said("helper", "hello")]
    renamed = {"author": "user", "actions": {"state_delta": {"a": 1}}}
    assert session_status([*answered, renamed]).status is Status.OK
    assert session_status([answered[0], renamed]).status is Status.UNANSWERED
    assert session_status([]).status is Status.OK


def test_a_rewound_failure_does_not_count() -> None:
    failed = {"author": "helper", "invocation_id": "i2", "error_code": "X"}
    rewind = {"author": "user", "actions": {"rewind_before_invocation_id": "i2"}}
    before = [
        _said("user", "hi") | {"invocation_id": "i1"},
        _said("helper", "hello") | {"invocation_id": "i1"},
    ]
    assert session_status([*before, failed]).status is Status.FAILED
    assert session_status([*before, failed, rewind]).status is Status.OK
    # the rewound invocation may begin before the events that were read
    earlier = {"author": "user", "actions": {"rewind_before_invocation_id": "i0"}}
    assert session_status([failed, earlier], is_whole=False).status is Status.OK


def test_speech_is_a_message_and_an_answer() -> None:
    asked = {"author": "user", "input_transcription": {"text": "hello?"}}
    said = {"author": "helper", "output_transcription": {"text": "yes"}}
    over = {"author": "helper", "turn_complete": True}
    assert session_status([asked]).status is Status.UNANSWERED
    assert session_status([asked, said, over]).status is Status.OK


def test_camel_case_is_read_too() -> None:
    event = {
        "author": "helper",
        "longRunningToolIds": ["c1"],
        "content": {"parts": [{"functionCall": {"id": "c1", "name": "ask", "args": {}}}]},
    }
    assert session_status([event]).waiting_for[0].tool == "ask"


def test_a_credential_request_never_shows_its_secrets() -> None:
    secret = {"function_call_id": "c0", "auth_config": {"client_secret": "hunter2"}}
    asked = {"function_call": {"id": "c1", "name": "adk_request_credential", "args": secret}}
    made = {"function_call": {"id": "c0", "name": "read_calendar", "args": {"day": 1}}}
    events = [
        {"author": "helper", "content": {"parts": [made]}},
        {"author": "helper", "content": {"parts": [asked]}},
    ]
    (waiting,) = session_status(events).waiting_for
    assert (waiting.tool, waiting.request, dict(waiting.arguments)) == (
        "read_calendar",
        "credential",
        {"day": 1},
    )


_NAMES = ("author", "content", "parts", "function_call", "function_response", "id", "name", "args")
_OTHERS = ("response", "long_running_tool_ids", "actions", "error_code", "output", "text", "status")
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["user", "helper", "c1", "pending"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_NAMES, *_OTHERS]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*_NAMES, *_OTHERS]), _VALUES), max_size=4))
def test_events_may_be_anything(events: list[dict[str, Any]]) -> None:
    assert session_status(events).status in Status
    assert session_status(events, is_whole=False).status in Status


def _said(author: str, words: str) -> dict[str, Any]:
    return {"author": author, "content": {"parts": [{"text": words}]}}


_MESSAGES = st.builds(
    lambda author, content, extra: {"author": author, "content": content} | extra,
    st.sampled_from(["user", "demo"]),
    st.sampled_from(
        [None, {}, {"parts": []}, {"parts": [{}]}, {"parts": [{"text": "an error"}]}]
        + [{"parts": [{"text": word}]} for word in ("", "hello", "rewind")]
    ),
    st.sampled_from(
        [
            {},
            {"actions": {"state_delta": {"turns": 1}}},
            {"error_code": "E"},
            {"output": 1},
            {"outputTranscription": {"text": "hi"}},
            {"invocationId": "i", "actions": {"rewindBeforeInvocationId": "i"}},
            {"long_running_tool_ids": ["c"]},
            {"invocation_id": "adksess-trim-1"},
        ]
    ),
)


_STORED = st.builds(
    lambda author, text, invocation, actions, extra: (
        {
            "content": {"parts": [{"text": text}], "role": "model"},
            "invocation_id": invocation,
            "author": author,
            "actions": actions,
            "id": "e",
            "timestamp": 1.5,
        }
        | extra
    ),
    st.sampled_from(["user", "demo", 'us"er']),
    st.text(max_size=8) | st.sampled_from(['"author":"user"', "a\\", "functions", "}]}"]),
    st.sampled_from(["i", "adksess-trim-1"]),
    st.sampled_from(
        [
            {},
            {"state_delta": {}, "artifact_delta": {}},
            {"state_delta": {"a": "}", "b": "error"}},
            {"compaction": {"start_timestamp": 1, "end_timestamp": 2}},
        ]
    ),
    st.sampled_from(
        [
            {},
            {"error_code": "E"},
            {"errorMessage": "E"},
            {"output": "x"},
            {"output_transcription": {"text": "hi"}},
        ]
    ),
)


@given(st.lists(_MESSAGES | _STORED, max_size=6), st.booleans())
def test_the_quick_status_is_the_status(events: list[dict[str, Any]], is_whole: bool) -> None:
    quick = quick_status(_history(events))
    if quick is not None:
        assert SessionStatus(quick) == session_status(events, is_whole=is_whole)


def test_messages_have_a_quick_status() -> None:
    asked, answered = _said("user", "hello"), _said("demo", "hi")
    assert quick_status(_history([])) is Status.OK
    assert quick_status(_history([asked])) is Status.UNANSWERED
    assert quick_status(_history([asked, answered])) is Status.OK
    assert quick_status(_history([asked | {"error_code": "E"}])) is None


def test_messages_of_adk_have_a_quick_status_without_being_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adksess.conversation.quick_status.parse_json", None)
    used = types.GenerateContentResponseUsageMetadata(prompt_token_count=3, total_token_count=9)
    events = [
        Event(author="user", content=types.UserContent('Say "hi"')),
        Event(
            author="demo",
            content=types.ModelContent("Hi.\nAnd you?"),
            model_version="gemini-2.5-flash",
            finish_reason=types.FinishReason.STOP,
            usage_metadata=used,
        ),
    ]
    stored = [event.model_dump(mode="json", exclude_none=True) for event in events]
    assert quick_status(_history(stored[:1])) is Status.UNANSWERED
    assert quick_status(_history(stored)) is Status.OK


def _history(events: Sequence[dict[str, Any]]) -> bytes:
    """The end of a history as the store writes it."""
    return b'[{"cut":' + b"".join(b"\n" + json_bytes(event) + b"," for event in events)[:-1]
