"""An event as one line: when, in which session, by whom, and what."""

from rich.text import Text

from adksess.cli.render.cells import MAX_NAME, cut_middle, is_uuid, isolated
from adksess.cli.render.event_items import author_style, item_text
from adksess.cli.render.styles import ID, MUTED
from adksess.cli.render.text import safe_text
from adksess.cli.render.times import moment
from adksess.conversation.event_text import describe
from adksess.conversation.history import timestamp
from adksess.conversation.tail import NewEvent

_SHORT_ID = 8
_SEPARATOR = " · "


def event_line(new: NewEvent, *, utc: bool = False, width: int | None = None) -> Text:
    """Return one line for an event, cut to `width` columns if that is given."""
    ref = new.ref
    names = [safe_text(name) for name in ref]
    if width is not None:
        names = [cut_middle(name, MAX_NAME) for name in names]
        if is_uuid(ref.session_id):
            names[-1] = ref.session_id[:_SHORT_ID]
    author = safe_text(str(new.event.get("author") or "?"))
    time = f"{moment(timestamp(new.event), utc=utc):%H:%M:%S}"
    line = Text.assemble(
        (time, MUTED),
        " ",
        (isolated("/".join(names)), ID),
        " ",
        (author, author_style(author)),
        " ",
    )
    items = (_one_line(item_text(item)) for item in describe(new.event))
    line += Text.assemble((_SEPARATOR, MUTED)).join(items)
    if width is not None:
        line.truncate(width, overflow="ellipsis")
    return line


def _one_line(text: Text) -> Text:
    """Return text with its lines joined by blanks."""
    return Text(" ").join(line for line in text.split("\n") if line.plain.strip())
