"""Explain an empty result: where sessions were searched for, and where some exist."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adksess.cli.filters import Filters
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_SHOWN = 5


async def explain_empty(store: "SessionStore", filters: "Filters") -> str:
    """Return sentences that say where no session was found, not escaped."""
    found = await store.survey()
    prefix = store.keys.prefix
    where = store.settings.redacted + (f" with the prefix {prefix!r}" if prefix else "")
    what = f"No session matches {filters.typed}" if filters.given else "No sessions"
    sentences = [f"{what} in {where}."]
    unknown = [app for app in filters.apps if app not in found.apps]
    if found.apps and found.is_complete:
        sentences += [
            f"There is no app {app!r}; there {_are(_names(found.apps, app))}." for app in unknown
        ]
    if not found.apps and found.prefixes:
        names = _names(repr(other) for other in found.prefixes)
        sentences.append(f"Sessions exist with other prefixes: choose one with --prefix: {names}.")
    elif not found.apps and found.is_complete:
        sentences.append(_unused_data(store.settings.url) or _advice(store.settings))
    return " ".join(sentences)


def _advice(settings: "Settings") -> str:
    if settings.is_local:
        return "Start one with adksess serve --demo."
    return "Is this the right Redis? Choose another with --redis-url or --server, or a --prefix."


def _unused_data(url: str) -> str | None:
    """Say that embedded data is not used, because a Redis runs at the default address."""
    from adksess.cli.connection import is_default
    from adksess.embedded import nearest_data_dir

    data_dir = nearest_data_dir(Path.cwd()) if is_default(url) else None
    if data_dir is None:
        return None
    return (
        f"The embedded data in {os.path.relpath(data_dir)}/ is not used while a Redis runs there: "
        "adksess serve --embedded uses it."
    )


def _are(names: str) -> str:
    return f"are {names}" if "," in names else f"is {names}"


def _names(names: Iterable[str], like: str = "") -> str:
    """Return some of the names, those that are most alike first."""
    ordered = sorted(names)
    close = get_close_matches(like, ordered, _SHOWN) if like else []
    shown = [*close, *(name for name in ordered if name not in close)][:_SHOWN]
    more = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
