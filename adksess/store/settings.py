"""Settings from a Redis URL, with options of adksess in its query."""

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from adksess.store.durations import check_ttl, parse_duration
from adksess.store.errors import InvalidDuration, InvalidURL

DEFAULT_URL = "redis://localhost:6379/0"
DEFAULT_TTL = 86_400
TIMEOUT = 5.0
"""Seconds that one call may take, its retries included, unless the URL has socket_timeout."""

SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "valkey",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
)
CONFLICT_POLICIES = ("append", "reject")

_OWN_OPTIONS = ("ttl", "prefix", "conflict", "single_slot")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SECRET = re.compile(r"password(?!_file$)|secret|token", re.IGNORECASE)
_HIDDEN = "***"


@dataclass(frozen=True)
class Settings:
    """A parsed Redis URL. Neither its repr nor `redacted` ever shows a password.

    `ttl` is in seconds, 0 for no expiry. `options` are those for redis-py: texts from the query,
    and objects of any type. With `single_slot`, one address serves a whole cluster.
    """

    url: str = field(repr=False)
    ttl: int = DEFAULT_TTL
    prefix: str = ""
    conflict: str = "append"
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    single_slot: bool = False

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        ttl: int | None = None,
        prefix: str | None = None,
        conflict: str | None = None,
    ) -> "Settings":
        """Read a URL such as `redis://:secret@host:6379/0?ttl=7d&prefix=prod:`.

        A keyword that is not None wins over the same option in the query. Raises InvalidURL, and
        InvalidDuration for a `ttl` that is not a whole number from 0 to ten years.
        """
        parts = _split(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        own = {name: query.pop(name) for name in _OWN_OPTIONS if name in query}
        if ttl is None:
            try:
                ttl = parse_duration(own["ttl"], bare_seconds=True) if "ttl" in own else DEFAULT_TTL
            except InvalidDuration as exc:
                raise InvalidURL(f"The ttl in the Redis URL does not work: {exc}") from exc
        else:
            check_ttl(ttl)
        settings = cls(
            url=url,
            ttl=ttl,
            prefix=own.get("prefix", "") if prefix is None else prefix,
            conflict=own.get("conflict", "append") if conflict is None else conflict,
            options=query,
            single_slot=_boolean("single_slot", own.get("single_slot", "false")),
        )
        if settings.conflict not in CONFLICT_POLICIES:
            raise InvalidURL(
                f"conflict={settings.conflict} is not known: use conflict=append or "
                "conflict=reject."
            )
        return settings

    @property
    def scheme(self) -> str:
        """The URL's scheme, one of SCHEMES."""
        return _split(self.url).scheme

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        ssl = self.scheme.endswith("+sentinel") and self.options.get("ssl")
        return self.scheme.startswith("rediss") or bool(ssl and _boolean("ssl", str(ssl)))

    @property
    def is_local(self) -> bool:
        """Whether the URL names this machine: a Unix socket, or loopback addresses only."""
        parts = _split(self.url)
        addresses = [urlsplit(f"//{host}") for host in _hosts(parts)]
        return parts.scheme == "unix" or all(_is_loopback(a.hostname or "") for a in addresses)

    @cached_property
    def is_cluster(self) -> bool:
        """Whether keys are on several nodes, so that no script may access two of them."""
        return self.single_slot or self.scheme.endswith("+cluster")

    @property
    def redacted(self) -> str:
        """The server's address for messages and logs, without password and adksess options."""
        parts = _split(self.url)
        query = {k: _HIDDEN if _SECRET.search(k) else v for k, v in self._texts().items()}
        shown = parts._replace(
            netloc=_hide_password(parts.netloc, is_user="password_file" in self.options),
            query=urlencode(query, safe="*/:,"),
        )
        return _join(shown)

    @property
    def uri(self) -> str:
        """The whole URI with password and options, for ADK's --session_service_uri.

        Options that are objects are left out.
        """
        own = {"ttl": str(self.ttl), "prefix": self.prefix, "conflict": self.conflict}
        own["single_slot"] = "true" if self.single_slot else ""
        query = {**self._texts(), **{name: value for name, value in own.items() if value}}
        return _join(_split(self.url)._replace(query=urlencode(query)))

    def number(self, option: str, default: float, *, may_be_zero: bool = False) -> float:
        """Return a numeric option for redis-py. Raises InvalidURL when it is not a number."""
        try:
            number = float(self.options.get(option, default))
        except (TypeError, ValueError) as exc:
            raise InvalidURL(f"{option} in the Redis URL is not a number.") from exc
        if not math.isfinite(number) or number < 0 or (number == 0 and not may_be_zero):
            raise InvalidURL(f"{option} in the Redis URL must be more than 0.")
        return number

    def with_options(self, **options: Any) -> "Settings":
        """Return the same settings with further options for redis-py; None is not given."""
        given = {name: value for name, value in options.items() if value is not None}
        return replace(self, options={**self.options, **given})

    def _texts(self) -> dict[str, str]:
        return {
            name: str(value)
            for name, value in self.options.items()
            if isinstance(value, str | int | float)
        }


def _boolean(option: str, text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise InvalidURL(
            f"{option}={text} in the Redis URL is not known: use true or false."
        ) from None


def _split(url: str) -> SplitResult:
    """Split a URL. No message repeats it: a broken one may have the password anywhere."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its text repeats the password
        raise InvalidURL(
            "The Redis URL cannot be read: write it like redis://user:password@host:6379/0 "
            "and percent-encode special characters in the password."
        ) from None
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise InvalidURL(f"The Redis URL must start with one of {known}.")
    if parts.fragment or "@" in parts.path + parts.query:
        raise InvalidURL(
            "The Redis URL has a # or @ in a wrong place: percent-encode special "
            "characters in the password (%23 for #, %40 for @, %2F for /, %3F for ?)."
        )
    if parts.scheme == "unix":
        if not parts.path:
            raise InvalidURL("A unix:// URL needs a path, such as unix:///run/redis.sock?db=0.")
        return parts
    for host in _hosts(parts):
        address = urlsplit(f"//{host}")
        try:
            _ = address.port
        except ValueError:  # its text repeats the port
            raise InvalidURL("The port in the Redis URL is not a number up to 65535.") from None
        if not address.hostname:
            raise InvalidURL(f"The Redis URL names no host: write {parts.scheme}://host:6379/0.")
    if parts.scheme.endswith("+sentinel") and not parts.path.strip("/"):
        raise InvalidURL(
            f"A {parts.scheme}:// URL needs the service's name, such as "
            f"{parts.scheme}://host:26379,host2:26379/mymaster?db=0."
        )
    database = parts.path.strip("/")
    if parts.scheme in ("redis", "rediss", "valkey") and database and not database.isdecimal():
        # redis-py would use database 0 silently
        raise InvalidURL(
            "The database in the Redis URL is not a number: write redis://host:6379/0."
        )
    return parts


def _hosts(parts: SplitResult) -> list[str]:
    """Return the addresses of a URL, `host:port` each."""
    return parts.netloc.rpartition("@")[2].split(",")


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _join(parts: SplitResult) -> str:
    """Return a URL of its parts; urlunsplit() drops the // of schemes it does not know."""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def _hide_password(netloc: str, *, is_user: bool) -> str:
    """Hide the password in `user:password@hosts`. Without a colon it is a user or a password."""
    login, at, hosts = netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if login and not colon and not is_user:  # often a password without the colon before it
        user = _HIDDEN
    return f"{user}{colon}{_HIDDEN if colon else ''}{at}{hosts}"
