"""Shell commands that are printed to be pasted."""

import os
import shlex
from urllib.parse import urlencode

from adksess.store.settings import Settings

URL_VARIABLE = "ADKSESS_REDIS_URL"
_HIDDEN = "***"


def holds_secret(settings: Settings) -> bool:
    """Whether the URL has a password or another secret, and so must not be printed."""
    return _HIDDEN in settings.redacted


def url_word(settings: Settings, **options: str) -> str:
    """Return the Redis URL as one word for a shell: quoted, or a variable if it holds a secret.

    Where that variable names another Redis, the secret is masked: then the command fails, and does
    not read the wrong Redis. `options` are added to the query. An option that the URL has already
    is replaced: the last one of a name counts.
    """
    is_other = os.environ.get(URL_VARIABLE) not in (None, "", settings.url)
    if is_other or not holds_secret(settings):
        options |= {"single_slot": "true"} if settings.single_slot else {}
        return shlex.quote(_with_options(settings.redacted, "?" in settings.redacted, options))
    return f'"{_with_options(f"${URL_VARIABLE}", "?" in settings.url, options)}"'


def _with_options(url: str, has_query: bool, options: dict[str, str]) -> str:
    # urlencode() leaves no character that a shell interprets within double quotes
    query = urlencode({name: value for name, value in options.items() if value}, safe=":")
    return f"{url}{'&' if has_query else '?'}{query}" if query else url
