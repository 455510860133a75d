"""The pictures of the documentation, each a run of commands."""

import re

from tests.readme.blocks import masked
from tests.readme.pages import GITHUB

ASSETS = GITHUB / "assets"

PICTURES = {
    "list.svg": ["adksess list", "adksess search overloaded", "adksess doctor"],
    "show.svg": ["adksess show 8e42"],
}


def is_current(stored: str, drawn: str) -> bool:
    """Whether a stored picture says the same as one drawn now, apart from times."""
    return _text(stored) == _text(drawn)


def _text(svg: str) -> str:
    """The words of a picture; their positions differ with the width of a duration."""
    words = [word.replace("&#160;", " ") for word in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    return re.sub(r"\s+", " ", masked(" ".join(words)))
