"""A travel concierge. Its model is Gemini, which the tests replace by a script."""

from typing import Any

from google.adk.agents.llm_agent import LlmAgent
from google.adk.tools.long_running_tool import LongRunningFunctionTool
from google.adk.tools.tool_context import ToolContext

MODEL = "gemini-2.5-flash"


def get_weather(city: str, tool_context: ToolContext) -> dict[str, Any]:
    """The weather in a city."""
    cities = [*tool_context.state.get("cities", []), city]
    tool_context.state["cities"] = cities
    tool_context.state["user:last_city"] = city
    return {"city": city, "degrees": 21.5, "asked": len(cities)}


def book_hotel(city: str) -> dict[str, Any]:
    """Book a hotel; a person has to approve it first."""
    return {"status": "pending", "city": city}


helper = LlmAgent(name="helper", model=MODEL, description="Answers what is left.")
root_agent = LlmAgent(
    name="concierge",
    model=MODEL,
    tools=[get_weather, LongRunningFunctionTool(func=book_hotel)],
    sub_agents=[helper],
)
