"""The options that say where the sessions are, and the settings that they mean."""

from dataclasses import dataclass, field
from typing import Annotated

import typer

from adksess.store.durations import parse_duration
from adksess.store.errors import InvalidURL
from adksess.store.settings import DEFAULT_URL, Settings

_CONNECTION = "Connection"


@dataclass(frozen=True)
class ConnectionOptions:
    """Which Redis, and which keys in it. The last options of every command that uses a store."""

    redis_url: Annotated[
        str | None,
        typer.Option(
            "--redis-url",
            "-r",
            envvar=["ADKSESS_REDIS_URL", "REDIS_URL"],
            metavar="URL",
            help="redis://, rediss://, unix://, valkey://, redis+cluster://, "
            "rediss+cluster:// or redis+sentinel://.",
            show_default=DEFAULT_URL,
            rich_help_panel=_CONNECTION,
        ),
    ] = field(default=None, repr=False)
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            envvar="ADKSESS_PREFIX",
            metavar="TEXT",
            help="Prefix of all Redis keys.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None

    def settings(self, *, ttl: str | None = None) -> Settings:
        """Return the settings that the options ask for. Raises InvalidURL or InvalidDuration."""
        if self.redis_url is not None and not self.redis_url.strip():
            raise InvalidURL("The Redis URL is empty: write it like redis://host:6379/0.")
        return Settings.parse(
            self.redis_url or DEFAULT_URL,
            ttl=None if ttl is None else parse_duration(ttl),
            prefix=self.prefix,
        )
