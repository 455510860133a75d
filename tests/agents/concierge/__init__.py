"""An agent for the tests, with tools, a sub-agent and a long-running call."""

from . import agent as agent
