"""Named servers: the file `config.toml`, read. `config_edit` changes it."""

import os
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from adksess.cli.errors import UsageProblem
from adksess.store.errors import AdksessError
from adksess.store.settings import Settings

NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Names that `adksess servers add` accepts. A file that is edited by hand may have others."""

_COMMAND_TIMEOUT_SECONDS = 60
_TYPES = {
    "url": str,
    "prefix": str,
    "password_command": str,
    "password_file": str,
    "protected": bool,
}


class ConfigError(UsageProblem):
    """config.toml cannot be read or changed, or has a value that cannot be used."""


@dataclass(frozen=True)
class Server:
    """A `[servers.NAME]` table. `url` may hold a password and is in no repr."""

    name: str
    url: str = field(repr=False)
    prefix: str | None = None
    password_command: str | None = None
    password_file: Path | None = None
    protected: bool = False

    def url_with_password(self) -> str:
        """Return the URL with what the command prints, or with `?password_file=`.

        The file is read at each connect, so that a rotated password works. Raises ConfigError.
        """
        if self.password_command is not None:
            return self._with_password(_run(self.password_command, self.name))
        if self.password_file is not None:
            _require_password(self.password_file, self.name)
            return self._with_option("password_file", str(self.password_file))
        return self.url

    def _with_password(self, password: str) -> str:
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return self._with_option("password", password)
        login, _, hosts = parts.netloc.rpartition("@")
        user = login.partition(":")[0]
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{user}:{quote(password, safe='')}@{hosts}{parts.path}{query}"

    def _with_option(self, name: str, value: str) -> str:
        separator = "&" if urlsplit(self.url).query else "?"
        return f"{self.url}{separator}{name}={quote(value, safe='')}"

    @property
    def holds_password(self) -> bool:
        """Whether the URL itself has a password."""
        return "***" in self.redacted

    @property
    def redacted(self) -> str:
        """The URL without a password. Where that is from elsewhere, a login is a user's name."""
        login = urlsplit(self.url).netloc.rpartition("@")[0]
        if ":" in login or not (self.password_command or self.password_file):
            return Settings.parse(self.url).redacted
        without_login = self.url.replace(f"{login}@", "", 1) if login else self.url
        shown = Settings.parse(without_login).redacted
        return shown.replace("://", f"://{login}@", 1) if login else shown


@dataclass(frozen=True)
class Config:
    """The content of config.toml: servers by name, and the name of the default one."""

    path: Path
    default: str | None = None
    servers: dict[str, Server] = field(default_factory=dict)

    def server(self, name: str, origin: str) -> Server:
        """Return the server of this name. Raises ConfigError; `origin` says who asked for it."""
        if name in self.servers:
            return self.servers[name]
        known = f"It has {', '.join(self.servers)}." if self.servers else "It has none."
        raise ConfigError(
            f"There is no server {name!r} ({origin}) in {self.path}. {known} "
            f"Add it with adksess servers add {shlex.quote(name)} URL."
        )

    @property
    def is_exposed(self) -> bool:
        """Whether the file holds a password and users other than the owner can read it."""
        if not any(server.holds_password for server in self.servers.values()):
            return False
        return bool(self.path.stat().st_mode & 0o077)


def config_path() -> Path:
    """Return where config.toml is: ADKSESS_CONFIG, or in the folder of the XDG specification."""
    if given := os.environ.get("ADKSESS_CONFIG"):
        return expand_home(given)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return expand_home(base) / "adksess" / "config.toml"


def expand_home(path: str) -> Path:
    """Return the path with ~ replaced, or as it is if the user has no home, as in containers."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser() raises there


def read_config() -> Config:
    """Read config.toml; a missing file, or one in an unreadable folder, has no servers.

    Raises ConfigError.
    """
    path = config_path()
    try:
        path.stat()
    except OSError:
        return Config(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"Cannot read {path}: {getattr(exc, 'strerror', None) or exc}.") from exc
    return parse_config(path, text)


def complete_server(incomplete: str) -> list[str]:
    """Return names of servers that start with `incomplete`, for a shell."""
    with suppress(Exception):  # never print an error into a half-typed command line
        names = filter(NAME.fullmatch, sorted(read_config().servers))
        return [name for name in names if name.startswith(incomplete)]
    return []


def parse_config(path: Path, text: str) -> Config:
    """Parse the text of a config.toml. Raises ConfigError; its message never quotes a value."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}.") from None
    unknown = sorted(data.keys() - {"default", "servers"})
    if unknown:
        raise ConfigError(f"{path} has an unknown key {unknown[0]!r}: use default and servers.")
    tables = data.get("servers", {})
    if not isinstance(tables, dict):
        raise ConfigError(f"servers in {path} is not a table: write [servers.NAME].")
    servers = {name: _server(path, name, table) for name, table in tables.items()}
    default = data.get("default")
    if default is not None and not isinstance(default, str):
        raise ConfigError(f"default in {path} is not the name of a server.")
    return Config(path, default, servers)


def _server(path: Path, name: str, table: Any) -> Server:
    where = f"[servers.{name}] in {path}"
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is not a table.")
    for key, value in table.items():
        if key not in _TYPES:
            raise ConfigError(f"{where} has an unknown key {key!r}: use {', '.join(_TYPES)}.")
        if not isinstance(value, _TYPES[key]):
            kind = "true or false" if _TYPES[key] is bool else "a string"
            raise ConfigError(f"{key} of {where} is not {kind}.")
    if "url" not in table:
        raise ConfigError(f"{where} has no url.")
    if "password_command" in table and "password_file" in table:
        raise ConfigError(f"{where} has a password_command and a password_file: remove one.")
    try:
        Settings.parse(table["url"])
    except AdksessError as exc:
        raise ConfigError(f"The url of {where} cannot be used. {exc}") from None
    options = dict(table)
    if "password_file" in options:  # relative to the folder of config.toml
        options["password_file"] = path.parent / expand_home(options["password_file"])
    return Server(name, **options)


def _run(command: str, name: str) -> str:
    """Return the first line that a command prints. It may use the terminal, but not stdin."""
    import subprocess

    try:
        done = subprocess.run(  # noqa: S602 - the user's own command line, pipes included
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"The password_command of server {name} failed ({type(exc).__name__})."
        ) from None
    if done.returncode != 0:
        raise ConfigError(
            f"The password_command of server {name} failed with exit code {done.returncode}."
        )
    line = done.stdout.partition("\n")[0].rstrip("\r")
    if not line:
        raise ConfigError(f"The password_command of server {name} printed nothing.")
    return line


def _require_password(path: Path, name: str) -> None:
    """Raise ConfigError unless the file has a password."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"Cannot read the password_file of server {name}, {path}: "
            f"{getattr(exc, 'strerror', None) or 'it is not text'}."
        ) from None
    if not text.strip():
        raise ConfigError(f"The password_file of server {name}, {path}, is empty.")
