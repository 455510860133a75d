"""`adksess trim`: whole invocations are dropped, and ADK can continue with the rest."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
import redis
from google.adk.agents.base_agent import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.agents.llm_agent import LlmAgent
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions, EventCompaction
from google.adk.flows.llm_flows.contents import request_processor
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.plugins.plugin_manager import PluginManager
from google.adk.runners import Runner
from google.adk.sessions.session import Session
from google.genai import types

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.transfer import trim as trimming

Cli = Callable[..., Any]
REF = SessionRef("demo", "ada", "long")


class Silent(BaseLlm):
    """A model that is never called."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        return
        yield LlmResponse()


class Story:
    """Builds a history: each event is one second after the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, invocation: str, author: str, *parts: types.Part, **fields: Any) -> "Story":
        role = "user" if author == "user" else "model"
        self.events.append(
            Event(
                id=f"e{len(self.events)}",
                invocation_id=invocation,
                author=author,
                timestamp=1_795_000_000.5 + len(self.events),
                content=types.Content(role=role, parts=list(parts)) if parts else None,
                actions=EventActions(**fields),
            )
        )
        return self

    def turn(self, number: int, **fields: Any) -> "Story":
        """A question and its answer, which counts the turns."""
        self.add(f"i{number}", "user", types.Part(text=f"question {number}"))
        delta = {"turns": number, f"only{number}": True} | fields.pop("state_delta", {})
        answer = types.Part(text=f"answer {number}")
        return self.add(f"i{number}", "agent", answer, state_delta=delta, **fields)

    def call(self, invocation: str, call_id: str) -> "Story":
        call = types.FunctionCall(id=call_id, name="tool", args={})
        return self.add(invocation, "agent", types.Part(function_call=call))

    def answer(self, invocation: str, call_id: str, author: str = "agent") -> "Story":
        response = types.FunctionResponse(id=call_id, name="tool", response={"x": 1})
        return self.add(invocation, author, types.Part(function_response=response))

    def rewind(self, to: str) -> "Story":
        return self.add(f"rewind-{to}", "user", rewind_before_invocation_id=to)

    def compact(self, first: int, last: int) -> "Story":
        summary = types.Content(role="model", parts=[types.Part(text=f"summary {first}-{last}")])
        compaction = EventCompaction(
            start_timestamp=self.events[first].timestamp,
            end_timestamp=self.events[last].timestamp,
            compacted_content=summary,
        )
        return self.add(f"compact-{first}", "user", compaction=compaction)


@pytest.fixture
def service(target_url: str, target: redis.Redis) -> RedisSessionService:
    return RedisSessionService(target_url)


async def _store(service: RedisSessionService, story: Story) -> Session:
    async with service:
        session = await service.create_session(app_name="demo", user_id="ada", session_id="long")
        for event in story.events:
            await service.append_event(session, event)
        return session


def _trimmed(cli: Cli, service: RedisSessionService, url: str, story: Story, keep: int) -> Session:
    """The session of a story after a trim, as ADK reads it."""
    before = asyncio.run(_store(service, story))
    result = cli("trim", "long", "--keep-last", keep, "--yes", "-r", url)
    assert result.code == 0, result.err
    after = asyncio.run(_load(service))
    assert after.state == before.state
    assert after.last_update_time == before.last_update_time
    return after


async def _load(service: RedisSessionService) -> Session:
    async with service:
        found = await service.get_session(app_name="demo", user_id="ada", session_id="long")
    assert found is not None
    return found


def _ids(session: Session) -> list[str]:
    """The ids of the events, without the one that trim adds."""
    prefix = trimming.BASELINE_PREFIX
    return [e.id for e in session.events if not e.invocation_id.startswith(prefix)]


def _prompt(session: Session) -> list[str]:
    """What ADK would send to a model: the texts, and the names of calls and responses."""

    async def build() -> list[str]:
        agent = LlmAgent(name="agent", model=Silent(model="silent"))
        context = InvocationContext(
            invocation_id="now",
            agent=agent,
            session=session,
            session_service=RedisSessionService(),
            plugin_manager=PluginManager(),
        )
        request = LlmRequest()
        async for _ in request_processor.run_async(context, request):
            pass
        return [
            part.text or ("call" if part.function_call else "response")
            for content in request.contents
            for part in content.parts or ()
        ]

    return asyncio.run(build())


def test_the_last_invocations_are_kept_whole(
    cli: Cli, service: RedisSessionService, target: redis.Redis, target_url: str
) -> None:
    story = Story()
    for number in range(1, 6):
        story.turn(number)
    asyncio.run(_store(service, story))
    target.expire("session:demo:ada:long", 500)
    dry = cli("trim", "long", "--keep-last", 2, "--dry-run", "-r", target_url)
    assert dry.out.startswith("Would drop 3 invocations (6 events, ")
    result = cli("trim", "long", "--keep-last", 2, "--yes", "-r", target_url)
    assert "of 1 session." in result.out
    after = asyncio.run(_load(service))
    assert _ids(after) == ["e6", "e7", "e8", "e9"]
    value = json.loads(target.get("session:demo:ada:long") or b"")
    assert value["event_count"] == len(value["events"]) == 5
    assert value["state"]["turns"] == 5
    assert 480 < target.ttl("session:demo:ada:long") <= 500
    again = cli("trim", "long", "--keep-last", 2, "--yes", "-r", target_url)
    assert again.out == "Nothing to drop.\n"

    async def go_on() -> None:
        async with service:
            session = await _load(service)
            for event in Story().turn(1).events:
                event.timestamp += 100
                await service.append_event(session, event.model_copy(update={"id": "new"}))
            stored = await service.store.read(REF, last=3)
            assert stored is not None
            assert stored.document.tail.event_count == 7
            assert len(stored.document.events) == 3

    asyncio.run(go_on())


class TestToolCalls:
    def test_a_late_response_keeps_its_call(
        self, cli: Cli, service: RedisSessionService, target_url: str
    ) -> None:
        story = Story().turn(1)
        story.add("i2", "user", types.Part(text="long job")).call("i2", "job")
        story.answer("i2", "job")  # "started"
        story.turn(3).turn(4)
        story.answer("i5", "job", "user").add("i5", "agent", types.Part(text="done"))
        after = _trimmed(cli, service, target_url, story, 1)
        assert _ids(after) == ["e2", "e3", "e4", "e9", "e10"]
        assert "call" in _prompt(after)

    @pytest.mark.parametrize("pending", [True, False])
    def test_an_open_call_is_kept_whatever_its_age(
        self, cli: Cli, service: RedisSessionService, target_url: str, pending: bool
    ) -> None:
        story = Story().turn(1)
        story.add("i2", "user", types.Part(text="approve it")).call("i2", "job")
        story.events[-1].long_running_tool_ids = {"job"}
        if pending:
            story.answer("i2", "job")
            part = story.events[-1].content.parts[0]  # type: ignore[index,union-attr]
            part.function_response.response = {"status": "pending"}  # type: ignore[union-attr]
        for number in range(3, 9):
            story.turn(number)
        opened = [event.id for event in story.events if event.invocation_id == "i2"]
        after = _trimmed(cli, service, target_url, story, 1)
        assert _ids(after) == [*opened, story.events[-2].id, story.events[-1].id]
        late = Story().answer("i9", "job", "user")
        asyncio.run(_append(service, late))
        # without the call, ADK raises "No function call event found for function responses ids"
        assert _prompt(asyncio.run(_load(service)))[-1] == "response"
        again = cli("trim", "long", "--keep-last", 1, "--yes", "-r", target_url)
        assert again.code == 0
        assert _prompt(asyncio.run(_load(service)))[-2:] == ["call", "response"]

    def test_an_answered_long_running_call_is_dropped(
        self, cli: Cli, service: RedisSessionService, target_url: str
    ) -> None:
        story = Story().turn(1)
        story.add("i2", "user", types.Part(text="approve it")).call("i2", "job")
        story.events[-1].long_running_tool_ids = {"job"}
        story.answer("i2", "job", "user").turn(3).turn(4)
        after = _trimmed(cli, service, target_url, story, 1)
        assert _ids(after) == [story.events[-2].id, story.events[-1].id]


def test_changes_of_state_are_not_invocations(
    cli: Cli, service: RedisSessionService, target_url: str
) -> None:
    story = Story().turn(1).turn(2)
    story.add("p-1", "user", state_delta={"only1": "by hand"})
    story.turn(3)
    story.add("p-2", "user", state_delta={"__session_metadata__": {"displayName": "x"}})
    after = _trimmed(cli, service, target_url, story, 1)
    assert _ids(after) == ["e5", "e6", "e7"]
    assert _prompt(after) == ["question 3", "answer 3"]


class TestRewinds:
    def _story(self) -> Story:
        story = Story().turn(1).turn(2).turn(3)
        return story.rewind("i2").turn(4).turn(5)

    @pytest.mark.parametrize(
        ("keep", "ids"),
        [
            (3, None),
            (2, ["e7", "e8", "e9", "e10"]),
            (1, ["e9", "e10"]),
        ],
    )
    def test_rewound_events_stay_rewound(
        self,
        cli: Cli,
        service: RedisSessionService,
        target_url: str,
        keep: int,
        ids: list[str] | None,
    ) -> None:
        story = self._story()
        after = _trimmed(cli, service, target_url, story, keep)
        assert _ids(after) == (ids or [event.id for event in story.events])
        prompt = _prompt(after)
        assert not {"question 2", "answer 2", "question 3"} & set(prompt)
        assert len(prompt) == 2 * keep

    def test_a_rewind_after_a_trim_keeps_the_older_state(
        self, cli: Cli, service: RedisSessionService, target_url: str
    ) -> None:
        story = Story()
        for number in range(1, 6):
            story.turn(number)
        story.turn(6, state_delta={"only1": None})
        _trimmed(cli, service, target_url, story, 2)
        # trim again: the added event is merged into a new one
        asyncio.run(_append(service, Story().turn(7)))
        cli("trim", "long", "--keep-last", 2, "--yes", "-r", target_url)

        async def rewind() -> Session:
            async with service:
                runner = Runner(
                    app_name="demo", agent=BaseAgent(name="agent"), session_service=service
                )
                await runner.rewind_async(
                    user_id="ada", session_id="long", rewind_before_invocation_id="i7"
                )
                return await _load(service)

        state = asyncio.run(rewind()).state
        kept = {key for key, value in state.items() if value is not None}
        assert kept == {"turns", "only2", "only3", "only4", "only5", "only6"}
        assert state["turns"] == 6


async def _append(service: RedisSessionService, story: Story) -> None:
    async with service:
        session = await _load(service)
        for number, event in enumerate(story.events):
            event.id, event.timestamp = f"more{number}", 1_796_000_000.0 + number
            await service.append_event(session, event)


class TestSummaries:
    def test_summaries_replace_what_is_dropped(
        self, cli: Cli, service: RedisSessionService, target_url: str
    ) -> None:
        story = Story().turn(1).turn(2).compact(0, 3).turn(3).turn(4).compact(0, 8).turn(5)
        before = Session(id="s", app_name="a", user_id="u", events=list(story.events))
        expected = _prompt(before)
        after = _trimmed(cli, service, target_url, story, 1)
        assert _ids(after) == ["e9", "e10", "e11"]
        assert _prompt(after) == expected == ["summary 0-8", "question 5", "answer 5"]


class TestForeignEvents:
    def test_without_invocation_ids_a_turn_is_an_invocation(
        self, cli: Cli, target: redis.Redis, target_url: str
    ) -> None:
        def text(author: str, words: str) -> dict[str, Any]:
            content = {"parts": [{"text": words}]}
            return {"author": author, "timestamp": 5.0, "content": content}

        call = {"author": "agent", "content": {"parts": [{"functionCall": {"id": "c"}}]}}
        response = {"author": "user", "content": {"parts": [{"functionResponse": {"id": "c"}}]}}
        events = [text("user", "a"), text("agent", "b"), text("user", "c"), call, response]
        document = {"session_id": "old", "state": {"k": 1}, "events": [*events, text("x", "d")]}
        target.set("session:demo:ada:old", json.dumps(document), ex=900)
        result = cli("trim", "old", "--keep-last", 1, "--yes", "-r", target_url)
        assert result.code == 0
        value = json.loads(target.get("session:demo:ada:old") or b"")
        assert value["events"] == document["events"][2:]
        assert value["event_count"] == 4
        assert 880 < target.ttl("session:demo:ada:old") <= 900
        assert target.zrange("user_sessions:demo:ada", 0, -1) == [b"old"]


async def test_a_writer_at_the_same_time_loses_nothing(
    target: redis.Redis, target_url: str
) -> None:
    async with SessionStore(target_url) as store:
        ref = SessionRef("demo", "ada", "busy")
        await store.create(ref)

        async def write() -> None:
            for number in range(150):
                content = {"parts": [{"text": "x"}]}
                event = {"id": f"w{number}", "author": "user", "content": content}
                event["timestamp"] = float(number)
                await store.append(ref, event, timestamp=float(number))
                await asyncio.sleep(0.002)

        async def cut() -> int:
            done = 0
            while not writer.done():
                for stored in await store.values([ref]):
                    result = trimming.trim_document(_decode(stored), 5)
                    done += bool(
                        result and await store.replace_if_unchanged(stored, result.document)
                    )
                await asyncio.sleep(0)
            return done

        writer = asyncio.create_task(write())
        cuts = await cut()
        await writer
        found = await store.read(ref)
        assert found is not None
        ids = [json.loads(line)["id"] for line in found.document.events]
        assert cuts > 0
        assert ids == [f"w{number}" for number in range(150)][-len(ids) :]
        assert len(ids) == found.document.tail.event_count >= 5


def _decode(stored: Any) -> Any:
    from adksess.store.document import decode

    return decode(stored.value, stored.ref)
