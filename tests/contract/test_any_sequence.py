"""Any sequence of calls gets equal answers from the in-memory reference and our service."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, ClassVar

from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.platform import time as platform_time
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.adk.sessions.session import Session
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from adksess import RedisSessionService
from tests.contract.strategies import names, session_ids, states, times
from tests.events import event

EXPECTED_ERRORS = (AlreadyExistsError, SessionNotFoundError)


class Sessions(RuleBasedStateMachine):
    """Calls both services with the same arguments and compares the results."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.ours = RedisSessionService(self.url, prefix=f"t{uuid.uuid4().hex}:")
        self.services: tuple[BaseSessionService, ...] = (InMemorySessionService(), self.ours)
        self.hands: list[tuple[Session, Session]] = []
        self.events: list[Event] = []
        self.clock = 1_000.0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def at_a_fixed_time() -> Any:
            platform_time.set_time_provider(lambda: self.clock)
            try:
                return await work
            except EXPECTED_ERRORS as exc:
                return type(exc)

        return self.loop.run_until_complete(at_a_fixed_time())

    def both(self, method: str, **arguments: Any) -> tuple[Any, Any]:
        """The two answers, which are equal."""
        self.clock += 1
        reference, ours = (
            self.run(getattr(service, method)(**arguments)) for service in self.services
        )
        assert ours == reference
        return reference, ours

    def keep(self, answers: tuple[Any, Any]) -> None:
        if isinstance(answers[0], Session):
            self.hands.append(answers)

    @rule(app=names, user=names, session_id=session_ids, state=states)
    def create(self, app: str, user: str, session_id: str, state: dict[str, Any]) -> None:
        name = {"app_name": app, "user_id": user, "session_id": session_id}
        self.keep(self.both("create_session", **name, state=state))

    @rule(
        data=st.data(),
        last=st.none() | st.integers(0, 8),
        since=st.none() | times,
        whole=st.booleans(),
    )
    @precondition(lambda self: self.hands)
    def read(self, data: st.DataObject, last: int | None, since: float | None, whole: bool) -> None:
        hand = data.draw(st.sampled_from(self.hands))[0]
        config = GetSessionConfig(num_recent_events=last, after_timestamp=since)
        name = {"app_name": hand.app_name, "user_id": hand.user_id, "session_id": hand.id}
        self.keep(self.both("get_session", **name, config=None if whole else config))

    @rule(data=st.data(), state=states, at=times, size=st.sampled_from([0, 1, 300, 20_000]))
    @precondition(lambda self: self.hands)
    def append(self, data: st.DataObject, state: dict[str, Any], at: float, size: int) -> None:
        given = event("x" * size, state=state, timestamp=at)
        self.events.append(given)
        self.deliver(data, given)

    @rule(data=st.data())
    @precondition(lambda self: self.hands and self.events)
    def deliver_again(self, data: st.DataObject) -> None:
        # one that was appended somewhere already: to this session, or to another
        self.deliver(data, data.draw(st.sampled_from(self.events)))

    def deliver(self, data: st.DataObject, given: Event) -> None:
        hands = data.draw(st.sampled_from(self.hands))
        copies = given.model_copy(deep=True), given.model_copy(deep=True)
        answers = [
            self.run(service.append_event(hand, copy))
            for service, hand, copy in zip(self.services, hands, copies, strict=True)
        ]
        assert answers[1] == answers[0]
        assert hands[1] == hands[0]
        assert copies[1] == copies[0]
        if isinstance(answers[0], Event):  # as it was stored: without its temp: state
            given.actions.state_delta = copies[0].actions.state_delta

    @rule(data=st.data())
    @precondition(lambda self: self.hands)
    def delete(self, data: st.DataObject) -> None:
        hand = data.draw(st.sampled_from(self.hands))[0]
        name = {"app_name": hand.app_name, "user_id": hand.user_id, "session_id": hand.id}
        self.both("delete_session", **name)

    @rule(app=names, user=st.none() | names)
    def list_them(self, app: str, user: str | None) -> None:
        self.both("list_sessions", app_name=app, user_id=user)

    @rule(app=names, user=names)
    def user_state(self, app: str, user: str) -> None:
        self.both("get_user_state", app_name=app, user_id=user)

    def teardown(self) -> None:
        for hand, _ in self.hands:
            name = {"app_name": hand.app_name, "user_id": hand.user_id, "session_id": hand.id}
            self.both("get_session", **name)
            self.both("list_sessions", app_name=hand.app_name)
        self.run(self.ours.aclose())
        self.loop.close()


def test_any_sequence_of_calls(valkey_url: str) -> None:
    Sessions.url = valkey_url
    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
