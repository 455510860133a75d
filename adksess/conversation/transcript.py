"""Transcripts of conversations: Markdown, or one HTML file without scripts."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from adksess.conversation.event_text import Item, Kind, describe
from adksess.conversation.history import Event, compacted_positions, rewound_positions, timestamp
from adksess.conversation.status import open_calls
from adksess.store.keys import SessionRef

_CONTROLS = dict.fromkeys(
    [
        *(code for code in range(0x20) if chr(code) not in "\n\t"),
        *range(0x7F, 0xA0),
        *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ]
)
"""Control characters, and those that reorder a line: removed."""

_SPOKEN = (Kind.TEXT, Kind.VOICE)
_WORDS = {
    Kind.THOUGHT: "thought",
    Kind.CALL: "calls",
    Kind.RESULT: "result of",
    Kind.TOOL_ERROR: "error of",
    Kind.REQUEST: "asks for",
    Kind.MEDIA: "file",
    Kind.CODE: "code",
    Kind.CODE_RESULT: "code result",
    Kind.ERROR: "error",
    Kind.STATE: "state",
    Kind.ARTIFACT: "artifact",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }}
dt, time, .kind {{ color: #767676; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
article {{ border-left: .25rem solid #767676; margin: 1rem 0; padding: 0 1rem; }}
article.user {{ border-color: #008700; }}
article.undone {{ opacity: .6; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; }}
.error {{ color: #d70000; }}
</style>
</head>
<body>
<h1 dir="auto">{title}</h1>
<dl>
{facts}
</dl>
{events}
</body>
</html>
"""


@dataclass(frozen=True)
class Transcript:
    """What a transcript shows of a session. Events are parsed JSON, the oldest first.

    `event_count` counts all events of the session: the transcript says so if it has only a part of
    them. Times are shown in `zone`, None for the local one.
    """

    ref: SessionRef
    title: str
    created_at: str
    updated_at: str
    events: Sequence[Event]
    event_count: int
    zone: tzinfo | None = UTC

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the header, not escaped."""
        yield "Session", self.ref.session_id
        yield "App", self.ref.app_name
        yield "User", self.ref.user_id
        for name, moment in (("Created", self.created_at), ("Updated", self.updated_at)):
            yield (
                name,
                f"{datetime.fromisoformat(moment).astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}",
            )
        shown = len(self.events)
        part = f"{shown:,} of {self.event_count:,}" if shown < self.event_count else ""
        yield "Events", part or f"{shown:,}"

    def blocks(self) -> "Iterator[Block]":
        """Yield what is shown of each event."""
        rewound, compacted = rewound_positions(self.events), compacted_positions(self.events)
        open_ids = {call.call_id for call in open_calls(self.events)}
        for position, event in enumerate(self.events):
            mark = "rewound" if position in rewound else ""
            if not mark and position in compacted:
                mark = "compacted"
            items = describe(event, open_ids, longest=None)
            yield Block(str(event.get("author") or "?"), self._time(event), mark, items)

    def _time(self, event: Event) -> str:
        try:
            moment = datetime.fromtimestamp(timestamp(event), UTC)
        except (ValueError, OverflowError, OSError):
            return ""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class Block:
    """One event of a transcript. `mark` is `rewound`, `compacted` or empty."""

    author: str
    time: str
    mark: str
    items: Sequence[Item]


def to_markdown(transcript: Transcript) -> str:
    """Return a conversation as Markdown. Texts are quoted, HTML in them is escaped."""
    lines = [f"# {_inline(transcript.title or transcript.ref.session_id)}", ""]
    lines += [f"- {name}: {_inline(value)}" for name, value in transcript.facts()]
    for block in transcript.blocks():
        mark = f" ({block.mark})" if block.mark else ""
        lines += ["", f"**{_inline(block.author)}** {block.time}{mark}", ""]
        for item in block.items:
            if item.kind in _SPOKEN:
                voice = "(voice) " if item.kind is Kind.VOICE else ""
                text = html.escape(_clean(voice + item.text), quote=False)
                lines += [f"> {line}".rstrip() for line in text.split("\n")]
            else:
                lines.append(" ".join(filter(None, ("-", _inline(_label(item)), _code(item.text)))))
    return "\n".join(lines) + "\n"


def to_html(transcript: Transcript) -> str:
    """Return a conversation as an HTML page that loads and runs nothing."""
    title = _escaped(transcript.title or transcript.ref.session_id)
    facts = "\n".join(
        f'<dt>{name}</dt><dd dir="auto">{_escaped(value)}</dd>'
        for name, value in transcript.facts()
    )
    events = "\n".join(_article(block) for block in transcript.blocks())
    return _PAGE.format(title=title, facts=facts, events=events)


def transcript_of(document: Mapping[str, Any], ref: SessionRef, title: str = "") -> Transcript:
    """Return the transcript of a whole document in the form of `store.document.as_dict`."""
    events = document["events"]
    return Transcript(
        ref=ref,
        title=title,
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        events=events,
        event_count=len(events),
    )


def _article(block: Block) -> str:
    classes = " ".join(
        name
        for name in ("user" if block.author == "user" else "", "undone" if block.mark else "")
        if name
    )
    mark = f" ({block.mark})" if block.mark else ""
    parts = "\n".join(map(_html_item, block.items))
    return (
        f'<article class="{classes}">\n'
        f'<header><strong dir="auto">{_escaped(block.author)}</strong> '
        f"<time>{block.time}</time>{mark}</header>\n{parts}\n</article>"
    )


def _html_item(item: Item) -> str:
    text = _escaped(item.text)
    if item.kind in _SPOKEN:
        voice = '<span class="kind">(voice)</span> ' if item.kind is Kind.VOICE else ""
        return f'<p dir="auto">{voice}{text}</p>'
    failed = ' class="error"' if item.kind in (Kind.ERROR, Kind.TOOL_ERROR) else ""
    return (
        f'<pre{failed} dir="auto"><span class="kind">{_escaped(_label(item))}</span> {text}</pre>'
    )


def _label(item: Item) -> str:
    words = [_WORDS.get(item.kind, ""), item.tool, "(open)" if item.is_open else ""]
    return _clean(" ".join(word for word in words if word))


def _escaped(text: str) -> str:
    return html.escape(_clean(text))


def _clean(text: str) -> str:
    """Return a text without control characters and lone surrogates, which no file may hold."""
    return text.encode("utf-8", "replace").decode().translate(_CONTROLS)


def _inline(text: str) -> str:
    """Return a text for one line of Markdown, in which nothing is markup."""
    one_line = html.escape(" ".join(_clean(text).split()), quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]#|~" else c for c in one_line)


def _code(text: str) -> str:
    """Return a text as a code span, or as a block if it has several lines."""
    clean = _clean(text)
    if not clean:
        return ""
    longest = max((len(run) for run in _backticks(clean)), default=0)
    if "\n" in clean:
        fence = "`" * max(3, longest + 1)
        body = "\n".join(f"  {line}".rstrip() for line in clean.split("\n"))
        return f"\n\n  {fence}\n{body}\n  {fence}"
    fence = "`" * (longest + 1)
    return f"{fence} {clean} {fence}" if "`" in clean else f"`{clean}`"


def _backticks(text: str) -> Iterator[str]:
    """Yield the runs of backticks in a text."""
    run = ""
    for letter in text + "\n":
        if letter == "`":
            run += letter
        elif run:
            yield run
            run = ""
