"""How to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OnConflict(StrEnum):
    """What to do where a session, or a key of a state, is there already with other content."""

    SKIP = "skip"
    REPLACE = "replace"
    FAIL = "fail"


@dataclass(frozen=True)
class ImportOptions:
    """How to import. `ttl` in seconds (0 for ever) replaces every expiry, None keeps them."""

    on_conflict: OnConflict = OnConflict.SKIP
    ttl: int | None = None
    rename_apps: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
