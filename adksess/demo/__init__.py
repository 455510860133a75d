"""A folder with one agent, which needs no model, no key and no network."""

from pathlib import Path

AGENTS_DIR = Path(__file__).parent / "agents"
