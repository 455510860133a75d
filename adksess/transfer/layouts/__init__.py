"""How other tools store ADK sessions in Redis: one module for each layout."""

from adksess.transfer.layouts import (
    adk_redis,
    adk_session_services,
    google_adk_community,
    google_adk_redis,
)
from adksess.transfer.layouts.base import Layout

LAYOUTS: tuple[Layout, ...] = (
    adk_redis.LAYOUT,
    google_adk_community.LAYOUT,
    adk_session_services.LAYOUT,
    google_adk_redis.LAYOUT,
)
"""Every layout that `adksess migrate` reads."""
