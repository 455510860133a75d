"""ADK's Runner with sessions in Redis: run it again, and the conversation continues."""

import asyncio
import os

from google.adk.runners import Runner
from google.genai import types

from adksess import RedisSessionService
from adksess.demo.agents.remember.agent import root_agent


async def main() -> None:
    uri = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    async with RedisSessionService(uri, ttl=7 * 86_400) as sessions:
        runner = Runner(
            app_name="remember",
            agent=root_agent,
            session_service=sessions,
            auto_create_session=True,
        )
        message = types.Content(role="user", parts=[types.Part(text="my name is Ada")])
        async for event in runner.run_async(
            user_id="ada", session_id="terminal", new_message=message
        ):
            if event.content and event.content.parts:
                print(event.content.parts[0].text)


asyncio.run(main())
