"""The options of `adksess list`, as its parts take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adksess.cli.filters import Filters
    from adksess.conversation.state_path import StatePath
    from adksess.store.cursor import Cursor
    from adksess.store.settings import Settings

DEFAULT_LIMIT = 50


class ListOutput(StrEnum):
    """The output formats of `list`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    IDS = "ids"


class SortBy(StrEnum):
    """The sort keys of `list`; each starts with the newest, the most, the longest or the worst."""

    UPDATED = "updated"
    CREATED = "created"
    EVENTS = "events"
    SIZE = "size"
    TTL = "ttl"
    STATUS = "status"


@dataclass(frozen=True)
class ListOptions:
    """Options of `list`. A `limit` of 0 means no limit.

    `columns` are the columns to show, None for the default ones with those of `extra`; `paths`
    are the state values among them. `server` names the server for people, `connection` is the
    connection options as they were typed.
    """

    settings: "Settings"
    filters: "Filters"
    sort: SortBy
    reverse: bool
    limit: int
    columns: Sequence[str] | None
    extra: Sequence[str]
    paths: "Sequence[StatePath]"
    output: ListOutput
    headers: bool
    full_ids: bool
    utc: bool
    server: str
    connection: str
    before: "Cursor | None" = None
    use_scan: bool = False

    @property
    def is_streamed(self) -> bool:
        """Whether the sessions can be printed one batch after another."""
        is_data = self.output is not ListOutput.TABLE
        return is_data and not self.limit and self.sort is SortBy.UPDATED
