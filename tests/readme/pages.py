"""The documentation's files: README.md and the pages in .github."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
GITHUB = ROOT / ".github"
COMMANDS = GITHUB / "docs" / "commands.md"

PAGES = (
    README,
    *sorted((GITHUB / "docs").glob("*.md")),
    *(GITHUB / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
)

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    """The page's path in the repository."""
    return str(page.relative_to(ROOT))


def code_blocks(page: Path, language: str) -> list[str]:
    """The contents of the page's code blocks in one language."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The targets of the page's links and images, outside code blocks."""
    return _LINK.findall(_prose(page))


def inline_commands(page: Path) -> list[str]:
    """The commands of adksess that the page's text names, such as `adksess list -s prod`."""
    return re.findall(r"`(adksess [^`…]*)`", _prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the page's headings."""
    titles = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def sections(page: Path, level: int) -> dict[str, str]:
    """The page's sections at one level of heading: their text by their title, backticks removed."""
    text = _FENCE.sub(_no_headings, page.read_text(encoding="utf-8"))
    parts = re.split(rf"^{'#' * level} (.*)$", text, flags=re.MULTILINE)
    end = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE)
    return {
        title.replace("`", "").strip(): end.split(section)[0]
        for title, section in zip(parts[1::2], parts[2::2], strict=True)
    }


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _no_headings(block: re.Match[str]) -> str:
    """A code block without its comments, which look like headings."""
    return re.sub(r"^#", " #", block[0], flags=re.MULTILINE)
