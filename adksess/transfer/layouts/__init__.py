"""How other tools store ADK sessions in Redis: a module for each layout, and the list of them."""

from adksess.transfer.layouts import adk, blob, community, session_services
from adksess.transfer.layouts.base import Layout

LAYOUTS: tuple[Layout, ...] = (adk.LAYOUT, community.LAYOUT, session_services.LAYOUT, blob.LAYOUT)
"""Every layout that `adksess migrate` reads."""
