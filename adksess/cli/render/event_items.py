"""The marks and colors of items of events, the same wherever events are shown."""

from rich.text import Text

from adksess.cli.render.cells import isolated
from adksess.cli.render.styles import ACCENT, ERROR, GOOD, ID, MUTED, WARNING
from adksess.cli.render.text import safe_text
from adksess.conversation.event_text import Item, Kind

_REQUESTS = {
    "confirmation": "asks to confirm",
    "credential": "asks for a credential",
    "input": "asks for input:",
}
_MARKED = {
    Kind.STATE: ("state ", WARNING),
    Kind.ARTIFACT: ("artifact ", WARNING),
    Kind.ACTION: ("", WARNING),
    Kind.NOTE: ("", MUTED),
    Kind.CODE: ("", ID),
    Kind.CODE_RESULT: ("= ", ID),
    Kind.MEDIA: ("", ID),
}


def item_text(item: Item) -> Text:
    """Return an item as text, escaped; it may have several lines."""
    text = safe_text(item.text, multiline=True)
    if item.kind is Kind.TEXT:
        return Text(isolated_lines(text))
    if item.kind is Kind.THOUGHT:
        return Text(f"(thought) {isolated_lines(text)}", style="italic")
    if item.kind is Kind.VOICE:
        return Text.assemble(("(voice) ", MUTED), isolated_lines(text))
    if item.kind is Kind.ERROR:
        return Text(f"error {text}", style=ERROR)
    if item.kind is Kind.MEDIA:
        return Text(f"<{text}>", style=ID)
    tool = safe_text(item.tool)
    if item.kind is Kind.CALL:
        return Text.assemble((f"→ {tool}", ACCENT), text, _open_mark(item))
    if item.kind is Kind.REQUEST:
        asks = _REQUESTS.get(item.tool, tool)
        return Text.assemble((f"→ {asks} ", ACCENT), text, _open_mark(item))
    if item.kind is Kind.RESULT:
        return Text.assemble((f"← {tool} ", ACCENT), text)
    if item.kind is Kind.TOOL_ERROR:
        return Text(f"← {tool} {text}", style=ERROR)
    mark, style = _MARKED[item.kind]
    return Text.assemble((mark, style), (text, "" if mark else style))


def author_style(author: str) -> str:
    """Return the color of an author's name."""
    return f"bold {GOOD}" if author == "user" else f"bold {ID}"


def isolated_lines(text: str) -> str:
    """Return `text` with right-to-left letters isolated in each of its lines."""
    return "\n".join(map(isolated, text.split("\n")))


def _open_mark(item: Item) -> tuple[str, str]:
    return (" (open)", WARNING) if item.is_open else ("", "")
