"""Options of `adksess show`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adksess.store.settings import Settings

LAST_EVENTS = 20
LATEST = "latest"
"""The name of the session that was updated last."""


class ShowOutput(StrEnum):
    """The output formats of `show`."""

    PRETTY = "pretty"
    JSON = "json"
    NDJSON = "ndjson"
    MARKDOWN = "md"
    HTML = "html"


@dataclass(frozen=True)
class ShowOptions:
    """Options of `show`. `last` is a number of events, None for all.

    `invocation` and `author` select events, `apps` the sessions that `latest` and the menu name,
    `server` is the server's name and address, as messages show it.
    """

    settings: "Settings"
    server: str
    last: int | None
    state_only: bool
    follow: bool
    output: ShowOutput
    apps: tuple[str, ...] = ()
    invocation: str | None = None
    author: str | None = None
    verbose: bool = False
    full: bool = False
    redact: bool = False
    pager: bool = True
    utc: bool = False

    @property
    def selects_events(self) -> bool:
        """Whether events are selected by invocation or author, anywhere in the history."""
        return self.invocation is not None or self.author is not None
