"""Transcripts: whole documents, and stored text is never code or markup."""

from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adksess.conversation.transcript import Transcript, to_html, to_markdown
from adksess.store.document import iso_time
from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, called, said

_HOSTILE = (
    "</p><script>alert(1)</script> <img src=x onerror=alert(1)> \x1b[31m \u202e ``` ` # [a](b)"
)


def _transcript(*events: dict[str, Any], title: str = "A title", count: int = 0) -> Transcript:
    return Transcript(
        ref=SessionRef("support", "bob", "s1"),
        title=title,
        created_at=iso_time(NOW),
        updated_at=iso_time(NOW + 60),
        events=events,
        event_count=count or len(events),
    )


def test_markdown_is_a_conversation() -> None:
    text = to_markdown(
        _transcript(
            said("user", "Where is my order?\n# not a heading <b>", invocation_id="i1"),
            called("track", args={"id": 4711}),
            said("helper", "On its `way`."),
            said("helper", "undone", invocation_id="i2"),
            {"author": "user", "timestamp": NOW, "actions": {"rewind_before_invocation_id": "i2"}},
        )
    )
    assert text == (
        "# A title\n\n"
        "- Session: s1\n- App: support\n- User: bob\n"
        "- Created: 2026-11-18 11:06:40 UTC\n- Updated: 2026-11-18 11:07:40 UTC\n- Events: 5\n\n"
        "**user** 2026-11-18 11:06:40\n\n"
        "> Where is my order?\n> # not a heading &lt;b&gt;\n\n"
        "**helper** 2026-11-18 11:06:40\n\n"
        "- calls track `(id=4711)`\n\n"
        "**helper** 2026-11-18 11:06:40\n\n"
        "> On its `way`.\n\n"
        "**helper** 2026-11-18 11:06:40 (rewound)\n\n"
        "> undone\n\n"
        "**user** 2026-11-18 11:06:40\n\n"
        "- `rewind to before i2`\n"
    )


def test_a_part_of_a_session_says_so() -> None:
    assert "- Events: 1 of 9\n" in to_markdown(_transcript(said("user", "hi"), count=9))


class _Page(HTMLParser):
    """The tags and the attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "dl", "dt", "dd", "article"),
    *("header", "strong", "time", "p", "pre", "span"),
}
_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "dir", "class"}


def test_html_loads_and_runs_nothing() -> None:
    page = to_html(
        _transcript(
            said(_HOSTILE, _HOSTILE),
            called(_HOSTILE, args={_HOSTILE: _HOSTILE}),
            {"author": "helper", "error_code": _HOSTILE},
            title=_HOSTILE,
        )
    )
    parsed = _Page(page)
    assert parsed.tags <= _TAGS
    assert parsed.attributes <= _ATTRIBUTES
    assert "default-src 'none'" in page
    assert "<script>alert(1)</script>" in parsed.text
    assert not set("\x1b\u202e") & set(page)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_stays_in_its_place(author: str, text: str) -> None:
    transcript = _transcript(said(author, text), called(text, args={author: text}), title=text)
    assert _Page(to_html(transcript)).tags <= _TAGS
    lines = to_markdown(transcript).splitlines()
    assert sum(line.startswith("# ") for line in lines) == 1
