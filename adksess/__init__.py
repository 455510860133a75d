"""Google ADK sessions in Redis: a session service, its registration, and the store behind it."""

from importlib import import_module

TYPE_CHECKING = False  # typing takes 10 ms, in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from typing import Any

    from adksess.adk.registry import register_services as register_services
    from adksess.adk.service import RedisSessionService as RedisSessionService
    from adksess.store.keys import SessionRef as SessionRef
    from adksess.store.store import SessionStore as SessionStore

__version__ = "0.2.0"

__all__ = [
    "RedisSessionService",
    "SessionRef",
    "SessionStore",
    "__version__",
    "register_services",
]

_HOMES = {
    "RedisSessionService": "adksess.adk.service",
    "SessionRef": "adksess.store.keys",
    "SessionStore": "adksess.store.store",
    "register_services": "adksess.adk.registry",
}


def __getattr__(name: str) -> "Any":
    """Import a public name at its first use: ADK alone takes a second to import."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
