"""The demo agent: it remembers what it is told, in each of ADK's three state scopes."""
