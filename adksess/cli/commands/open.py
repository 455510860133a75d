"""`adksess open`: a session in the web UI of a running `adksess serve`."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlencode

import typer

from adksess.cli.candidates import complete_id
from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.store.errors import AdksessError

if TYPE_CHECKING:
    from adksess.cli.web_servers import WebServer
    from adksess.store.keys import SessionRef
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_TIMEOUT_SECONDS = 5


class NotServed(AdksessError):
    """No running web UI shows the session."""


@command(
    "adksess open 8e42",
    "adksess open",
)
def open_session(
    session_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="A session id, a prefix of one (4 characters or more), app/user/id, or the whole "
            "key; default: the session that was updated last.",
            show_default=False,
            autocompletion=complete_id,
        ),
    ] = None,
    *,
    connection: ConnectionOptions,
) -> None:
    """Open a session in the web UI of a running `adksess serve`.

    Prints the address, and opens it in the browser if there is one.
    """
    from adksess.cli.render.console import stdout
    from adksess.cli.runner import with_store

    settings = connection.settings()
    server = _web_server(settings)
    ref = with_store(settings, lambda store: _find(store, session_id))
    _require_app(server, ref)
    url = address(server.url, ref)
    stdout().print(url, markup=False, soft_wrap=True)
    _open_browser(url)


def address(url: str, ref: "SessionRef") -> str:
    """Return the address of a session in ADK 2.13's web UI."""
    query = {"app": ref.app_name, "session": ref.session_id, "userId": ref.user_id}
    return f"{url}/dev-ui/?{urlencode(query, quote_via=quote)}"


def _web_server(settings: "Settings") -> "WebServer":
    """The running web UI for this Redis. Raises NotServed."""
    from adksess.cli.web_servers import running

    servers = [server for server in running() if server.has_ui]
    for server in servers:
        if server.is_for(settings):
            return server
    if servers:
        others = ", ".join(f"{server.url} with {server.redis}" for server in servers)
        raise NotServed(
            f"No web UI is running for {settings.redacted}, but {others}. Name that Redis with "
            "--redis-url or --server, or start another adksess serve."
        )
    raise NotServed(f"No web UI is running for {settings.redacted}. Start it with adksess serve.")


async def _find(store: "SessionStore", session_id: str | None) -> "SessionRef":
    from adksess.cli.selection import resolve_one
    from adksess.store.cursor import newest_first
    from adksess.store.errors import SessionNotFound
    from adksess.store.filters import SessionFilter

    if session_id is not None:
        return (await resolve_one(store, session_id)).ref
    only = SessionFilter()
    plan = await store.plan(only)
    newest = None
    async for batch in store.query(plan, only, first=1):
        readable = [summary for summary in batch if summary.tail]
        newest = next(iter(newest_first([*readable, *([newest] if newest else [])])), newest)
        if newest and plan.state.is_used:
            break
    if newest is None:
        raise SessionNotFound("There are no sessions to open.")
    return newest.ref


def _require_app(server: "WebServer", ref: "SessionRef") -> None:
    """Raise NotServed unless the web UI answers and has the session's app."""
    import json
    from urllib.request import urlopen

    try:
        with urlopen(f"{server.url}/list-apps", timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - a URL that serve noted
            apps = json.load(response)
    except (OSError, ValueError) as exc:
        raise NotServed(f"The web UI at {server.url} does not answer ({exc}).") from exc
    if ref.app_name not in apps:
        raise NotServed(
            f"Session {ref.path} is of the app {ref.app_name}, which the web UI at {server.url} "
            f"does not serve. It serves {', '.join(map(str, apps))}."
        )


def _open_browser(url: str) -> None:
    import os
    import sys
    import webbrowser

    is_graphical = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if is_graphical:  # otherwise Python may start a text browser in this terminal
        webbrowser.open(url)
