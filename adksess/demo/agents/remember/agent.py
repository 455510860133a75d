"""The demo agent: one event per message, with the state delta in its actions."""

from collections.abc import AsyncGenerator

from google.adk.agents import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events import Event, EventActions
from google.genai import types

from .dialog import reply_to


class RememberAgent(BaseAgent):
    """An agent that answers by rules, so that it needs no model, no key and no network."""

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        parts = (ctx.user_content.parts if ctx.user_content else None) or []
        reply = reply_to("".join(part.text or "" for part in parts), ctx.session.state)
        yield Event(
            invocation_id=ctx.invocation_id,
            author=self.name,
            branch=ctx.branch,
            content=types.Content(role="model", parts=[types.Part(text=reply.text)]),
            # A session service stores only state changes that are in an event's actions.
            actions=EventActions(state_delta=reply.state_delta),
        )


root_agent = RememberAgent(
    name="remember",
    description="Remembers what it is told, to show what a session stores.",
)
