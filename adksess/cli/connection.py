"""The options that name a Redis, and the settings they result in.

Order: --redis-url, --server, ADKSESS_REDIS_URL, ADKSESS_SERVER, REDIS_URL, the default of
config.toml, the embedded server of this folder, redis://localhost:6379/0.
"""

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from adksess.cli.config import Config, Server, complete_server, read_config
from adksess.store.durations import parse_duration
from adksess.store.errors import InvalidURL
from adksess.store.settings import DEFAULT_URL, Settings

if TYPE_CHECKING:
    from adksess.cli.prompts import Target
    from adksess.embedded import EmbeddedServer

_CONNECTION = "Connection"
# Environment variables by rank; True for the name of a server.
_VARIABLES = {"ADKSESS_REDIS_URL": False, "ADKSESS_SERVER": True, "REDIS_URL": False}


@dataclass(frozen=True)
class Connection:
    """The Redis that the options lead to.

    `origin` is what named it, such as `--redis-url`, `ADKSESS_REDIS_URL` or `the default server
    of /path/config.toml`; `server` the entry of config.toml, None if it is from elsewhere.
    """

    settings: Settings
    origin: str
    server: Server | None = None
    is_built_in: bool = False


@dataclass(frozen=True)
class ConnectionOptions:
    """Which Redis, and which keys in it. The last options of every command that uses a store."""

    redis_url: Annotated[
        str | None,
        typer.Option(
            "--redis-url",
            "-r",
            metavar="URL",
            help="redis://, rediss://, unix://, valkey://, redis+cluster://, "
            "rediss+cluster:// or redis+sentinel://. Environment: ADKSESS_REDIS_URL, REDIS_URL.",
            show_default=f"the first server that is named; else {DEFAULT_URL} or the embedded one",
            rich_help_panel=_CONNECTION,
        ),
    ] = field(default=None, repr=False)
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            "-s",
            metavar="NAME",
            help="A server of config.toml (see adksess servers). Environment: ADKSESS_SERVER.",
            show_default=False,
            autocompletion=complete_server,
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            metavar="TEXT",
            help="Prefix of all Redis keys. Environment: ADKSESS_PREFIX.",
            show_default=False,
            rich_help_panel=_CONNECTION,
        ),
    ] = None

    def settings(self, *, ttl: str | None = None, start: bool = True) -> Settings:
        """Return the settings that the options ask for.

        If nothing names a Redis and none is at the default address, the embedded server of the
        nearest `.adksess/` is used. With `start` it is started if it does not run, and stopped by
        `close_embedded()`. Raises InvalidURL, InvalidDuration, ConfigError or EmbeddedError.
        """
        connection = self.resolve(ttl=ttl)
        if not connection.is_built_in:
            return connection.settings
        return _use_embedded(connection.settings, start=start)

    def resolve(self, *, ttl: str | None = None) -> Connection:
        """Return the Redis that the options name, without starting anything."""
        seconds = None if ttl is None else parse_duration(ttl)
        for origin, value, is_name in self._given():
            if is_name:
                return self._by_name(value, origin, seconds)
            return self._by_url(value, origin, seconds)
        config = read_config()
        if config.default is not None:
            return self._by_name(config.default, _default_of(config), seconds)
        return self.built_in(ttl=ttl)

    def words(self) -> str:
        """Return the options as words of a command to paste; empty if none was typed.

        A URL that holds a secret is replaced by a variable.
        """
        from adksess.cli.render.shell import url_word

        words = []
        if self.redis_url is not None:
            words.append(f"-r {url_word(Settings.parse(self.redis_url))}")
        if self.server is not None:
            words.append(f"-s {shlex.quote(self.server)}")
        if self.prefix is not None:
            words.append(f"--prefix {shlex.quote(self.prefix)}")
        return " ".join(words)

    def target(self, settings: Settings) -> "Target":
        """Return the server that has these settings, as confirmations name it."""
        from adksess.cli.prompts import Target

        server = self._server()
        if server is None:
            return Target(settings.redacted)
        return Target(settings.redacted, server.name, server.protected)

    def _server(self) -> Server | None:
        """The entry of config.toml that the options lead to, None if it is from elsewhere."""
        for origin, value, is_name in self._given():
            if not is_name:
                return None
            return read_config().server(value, origin)
        config = read_config()
        if config.default is None:
            return None
        return config.server(config.default, _default_of(config))

    def origins(self) -> list[str]:
        """Return everything that names a Redis; the first one is used."""
        config = read_config()
        named = [] if config.default is None else [_default_of(config)]
        return [*(origin for origin, _, _ in self._given()), *named]

    def _given(self) -> Iterator[tuple[str, str, bool]]:
        """The options and variables that are set, in order: origin, value, is it a name."""
        if self.redis_url is not None:
            yield "--redis-url", self.redis_url, False
        if self.server is not None:
            yield "--server", self.server, True
        for variable, is_name in _VARIABLES.items():
            if value := os.environ.get(variable):
                yield variable, value, is_name

    def built_in(self, *, ttl: str | None = None) -> Connection:
        """Return the default address, whatever the options and the environment name."""
        seconds = None if ttl is None else parse_duration(ttl)
        return Connection(self._parse(DEFAULT_URL, seconds), "built-in default", is_built_in=True)

    def _by_url(self, url: str, origin: str, ttl: int | None) -> Connection:
        if not url.strip():
            raise InvalidURL("The Redis URL is empty: write it like redis://host:6379/0.")
        return Connection(self._parse(url, ttl), origin)

    def _by_name(self, name: str, origin: str, ttl: int | None) -> Connection:
        config = read_config()
        server = config.server(name, origin)
        if config.is_exposed:
            from adksess.cli.render.console import message, stderr

            sentence = f"Other users can read {config.path}, which has a password: chmod 600 it."
            stderr().print(message("warning", sentence))
        settings = self._parse(server.url_with_password(), ttl, server.prefix)
        return Connection(settings, origin, server)

    def _parse(self, url: str, ttl: int | None, server_prefix: str | None = None) -> Settings:
        given = (self.prefix, server_prefix, os.environ.get("ADKSESS_PREFIX") or None)
        prefix = next((value for value in given if value is not None), None)
        return Settings.parse(url, ttl=ttl, prefix=prefix)


def _default_of(config: Config) -> str:
    return f"the default of {config.path}"


_embedded = ExitStack()


def _use_embedded(settings: Settings, *, start: bool) -> Settings:
    """Settings for the embedded server of the nearest folder, if that is to be used."""
    from adksess.embedded import nearest_data_dir

    try:
        data_dir = nearest_data_dir(Path.cwd())
    except FileNotFoundError:  # the current folder was deleted
        return settings
    server = choose_embedded(data_dir) if data_dir else None
    if server is None or (not start and server.running_port() is None):
        return settings
    if not start:
        return replace(settings, url=f"redis://127.0.0.1:{server.running_port()}/0")
    from adksess.cli.render.console import message, stderr

    # Like Ctrl-C: close_embedded() has to stop the server.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    _embedded.enter_context(server)
    if not server.is_shared:
        shown = os.path.relpath(server.data_dir)
        sentence = f"No Redis at {DEFAULT_URL}: using the embedded data in {shown}/."
        stderr().print(message("note", sentence))
    for repair in server.repairs:
        stderr().print(message("warning", repair))
    return replace(settings, url=server.url)


def close_embedded() -> None:
    """Stop using the embedded server, if this command does."""
    _embedded.close()


def choose_embedded(data_dir: Path, port: int = 0) -> "EmbeddedServer | None":
    """Return the folder's embedded server, or None to use the Redis at the default address.

    `port` is the one that a new server should have.

    The folder's own server is preferred if it runs, and if the one at the default address is the
    embedded server of another folder.
    """
    from adksess.embedded import EmbeddedServer, embedded_folder, is_listening

    server = EmbeddedServer(data_dir, port)
    if server.running_port() is None and is_listening("localhost", default_port()):
        return server if embedded_folder(default_port()) else None
    return server


def is_default(url: str) -> bool:
    """Whether this is the default address."""
    return url == DEFAULT_URL


def default_port() -> int:
    """Return the port of the default address."""
    return urlsplit(DEFAULT_URL).port or 6379
