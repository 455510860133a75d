"""Options of an import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OnConflict(StrEnum):
    """What to do if a session, or a key of a state, exists with different content."""

    SKIP = "skip"
    REPLACE = "replace"
    FAIL = "fail"


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import. `ttl` in seconds (0 for never) replaces every expiry, None keeps them.

    `rename_apps` and `rename_users` map old names to new ones.
    """

    on_conflict: OnConflict = OnConflict.SKIP
    ttl: int | None = None
    rename_apps: Mapping[str, str] = field(default_factory=dict)
    rename_users: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
