"""A FastAPI app with agents: one session service, opened and closed with the app."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from google.adk.runners import Runner
from google.genai import types

from adksess import RedisSessionService, SessionRef
from adksess.demo.agents.remember.agent import root_agent


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    uri = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    async with RedisSessionService(uri) as sessions:
        app.state.sessions = sessions
        app.state.runner = Runner(
            app_name="remember",
            agent=root_agent,
            session_service=sessions,
            auto_create_session=True,
        )
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat/{user_id}/{session_id}")
async def chat(user_id: str, session_id: str, text: str) -> list[str]:
    message = types.Content(role="user", parts=[types.Part(text=text)])
    events = app.state.runner.run_async(user_id=user_id, session_id=session_id, new_message=message)
    return [
        part.text
        async for event in events
        if event.content
        for part in event.content.parts or []
        if part.text
    ]


@app.get("/chat/{user_id}/{session_id}/size")
async def size(user_id: str, session_id: str) -> dict[str, int]:
    ref = SessionRef("remember", user_id, session_id)
    # Reads the end of the document only, however long the conversation is.
    for summary in await app.state.sessions.store.summaries([ref]):
        if summary.tail:
            return {"events": summary.tail.event_count, "bytes": summary.size_bytes}
    raise HTTPException(404, "There is no such session.")
