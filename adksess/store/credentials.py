"""Logins that are read at each connect, so that rotated passwords and tokens work."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from redis import exceptions
from redis.credentials import CredentialProvider

from adksess.store.errors import InvalidURL


class UnreadablePassword(exceptions.AuthenticationError):
    """A password file that cannot be read; the text says which and why."""


class PasswordFile(CredentialProvider):
    """A password that is the content of a file, without the newline at its end."""

    def __init__(self, path: str, username: str | None = None) -> None:
        self.path = path
        self.username = username

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Read the file. Raises UnreadablePassword."""
        try:
            password = Path(self.path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as exc:
            raise UnreadablePassword(f"{self.path}: {exc.strerror}") from exc
        except UnicodeDecodeError:  # its text repeats the password
            raise UnreadablePassword(f"{self.path}: not UTF-8 text") from None
        return (self.username, password) if self.username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Read the file, which is small."""
        return self.get_credentials()


@cache  # a provider may cache a token and renew it in a thread
def load_provider(name: str) -> Any:
    """Return what the factory `module:function` returns. Raises InvalidURL."""
    module, _, function = name.partition(":")
    try:
        factory = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as exc:
        raise InvalidURL(
            f"credential_provider={name} in the Redis URL cannot be imported ({exc}): write "
            "module:function."
        ) from exc
    try:
        provider = factory()
    except Exception as exc:  # its text may have a secret
        raise InvalidURL(
            f"credential_provider={name} in the Redis URL failed: {type(exc).__name__}."
        ) from exc
    if not hasattr(provider, "get_credentials"):
        raise InvalidURL(
            f"credential_provider={name} in the Redis URL must return a credential provider of "
            f"redis-py, and returned {type(provider).__name__}."
        )
    return provider
