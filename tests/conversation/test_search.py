"""Search against a plain scan: for any text, in any JSON escape."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adksess.conversation.search import Match, SearchOptions, matches_of, search
from adksess.conversation.text_pattern import InvalidPattern, TextPattern
from adksess.store.document import Document, Tail, encode, iso_time, json_bytes
from adksess.store.filters import SessionFilter
from adksess.store.keys import Keys, SessionRef
from adksess.store.store import SessionStore

_PREFIXES = count()
_ALPHABET = 'aAbB"\\/\n\t\x00\x1b{},:éß\u017fK日本مر👩🇯\u200d\ud83d0u'


def _texts(*, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(_ALPHABET), min_size=least, max_size=12)


_LEAVES = _texts() | st.integers(-5, 5) | st.booleans() | st.none()
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts(), inner, max_size=2),
    max_leaves=4,
)
_PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, _texts()),
    st.builds(
        lambda name, args: {"function_call": {"name": name, "args": args}},
        _texts(),
        st.dictionaries(_texts(), _VALUES, max_size=2),
    ),
    st.builds(
        lambda name, response: {"functionResponse": {"name": name, "response": response}},
        _texts(),
        st.dictionaries(_texts() | st.just("error"), _VALUES, max_size=2),
    ),
)
_EVENTS = st.fixed_dictionaries(
    {
        "author": st.sampled_from(["user", "helper"]),
        "content": st.builds(dict, parts=st.lists(_PARTS, max_size=3)),
    },
    optional={
        "error_code": _texts(least=1),
        "input_transcription": st.builds(lambda text: {"text": text}, _texts()),
        "output": _VALUES,
    },
)
_STATES = st.dictionaries(_texts(), _VALUES, max_size=2)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str):
        yield value
    elif value is not None:
        yield json.dumps(value)


def _plain_scan(events: list[Any], state: Any, text: str) -> set[int | None]:
    """The numbers of the events that hold a text, None for the state."""
    found: set[int | None] = {None for leaf in _leaves(state) if text in leaf}
    for number, event in enumerate(events, 1):
        texts = [*_leaves(event.get("output"))]
        if code := event.get("error_code"):
            texts.append(code)
        if spoken := event.get("input_transcription"):
            texts.append(spoken["text"])
        for part in event["content"]["parts"]:
            if "text" in part:
                texts.append(part["text"])
            for kind, content in (("function_call", "args"), ("functionResponse", "response")):
                if kind in part:
                    texts += [part[kind]["name"], *_leaves(part[kind][content])]
        if any(text in one for one in texts):
            found.add(number)
    return found


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_EVENTS, max_size=4), _STATES, _texts(least=1))
async def test_search_finds_what_a_plain_scan_finds(
    valkey_url: str, events: list[Any], state: dict[str, Any], text: str
) -> None:
    """In our layout, and in documents of other tools with every escape that JSON has."""
    prefix = f"scan{next(_PREFIXES)}:"
    values = {
        "ours": _document("ours", events, state),
        "ascii": json.dumps({"events": events, "state": state}).encode(),
        "slashes": json.dumps({"events": events, "state": state}).replace("/", "\\/").encode(),
    }
    with redis.Redis.from_url(valkey_url) as client:
        for name, value in values.items():
            client.set(Keys(prefix).session(SessionRef("demo", "ada", name)), value)
    expected = _plain_scan(events, state, text)
    async with SessionStore(f"{valkey_url}?prefix={prefix}") as store:
        found = await _search(store, SearchOptions(TextPattern(text)))
        for name in values:
            numbers = {match.number for match in found if match.ref.session_id == name}
            assert numbers == expected, name
        for match in found:
            assert match.found.line[match.found.start : match.found.end] == text


@settings(max_examples=200, deadline=None)
@given(_texts(), _texts(least=1), st.booleans(), st.booleans())
def test_may_match_is_true_for_every_match(
    text: str, wanted: str, is_regex: bool, ignore_case: bool
) -> None:
    """The check before parsing never rejects JSON that holds a match."""
    try:
        pattern = TextPattern(wanted, is_regex=is_regex, ignore_case=ignore_case)
    except InvalidPattern:
        return
    if any(True for _ in pattern.find(text)):
        for data in (json_bytes([text]), json.dumps([text]).encode()):
            assert pattern.may_match(data)


def test_a_match_has_its_line() -> None:
    pattern = TextPattern("b")
    lines = [found.line for found in pattern.find("a\nab\ncbc b\n\nb")]
    assert lines == ["ab", "cbc b", "b"]
    (found,) = TextPattern("b\nc").find("ab\ncd\ne")
    assert found.line == "ab\ncd"
    assert [f.line for f in TextPattern("^b$", is_regex=True).find("a\nb\nab")] == ["b"]
    assert len(list(TextPattern("x*", is_regex=True).find("a\nb"))) == 2


def test_fields_authors_tools_and_errors() -> None:
    call = {"function_call": {"id": "c1", "name": "refund", "args": {"why": ["late parcel"]}}}
    failed = {"function_response": {"name": "refund", "response": {"error": "parcel unknown"}}}
    done = {"function_response": {"name": "lookup", "response": {"found": "parcel 1"}}}
    events = [
        {
            "author": "user",
            "id": "e1",
            "timestamp": 5.0,
            "content": {"parts": [{"text": "parcel?"}]},
        },
        {"author": "helper", "content": {"parts": [call]}},
        {"author": "helper", "content": {"parts": [failed, done]}},
        {"author": "helper", "error_code": "429", "error_message": "no parcel quota"},
        {"author": "helper", "output_transcription": {"text": "your parcel"}},
    ]
    state = {"__session_metadata__": {"displayName": "The parcel"}, "topic": {"x": "parcel"}}

    def found(**options: Any) -> list[tuple[int | None, str]]:
        return [(match.number, match.field) for match in _matches(events, state, **options)]

    parcel = TextPattern("parcel")
    assert found(pattern=parcel) == [
        (None, "title"),
        (None, "state"),
        (1, "text"),
        (2, "arguments"),
        (3, "error"),
        (3, "result"),
        (4, "error"),
        (5, "transcription"),
    ]
    assert found(pattern=parcel, author="user") == [(1, "text")]
    assert found(pattern=parcel, tool="refund") == [(2, "arguments"), (3, "error")]
    assert found(pattern=parcel, errors=True) == [(3, "error"), (4, "error")]
    assert found(tool="refund") == [(2, "arguments"), (3, "error")]
    assert found(errors=True) == [(3, "error"), (4, "error")]
    assert found(errors=True, tool="refund") == [(3, "error")]
    assert found(tool="look") == []
    (first, *_) = _matches(events, state, pattern=parcel, author="user")
    assert (first.event_id, first.timestamp, first.author) == ("e1", 5.0, "user")


@pytest.mark.parametrize("count_", [3, 700])
async def test_the_newest_session_comes_first(valkey_url: str, count_: int) -> None:
    prefix = f"newest{count_}:"
    keys = Keys(prefix)
    with redis.Redis.from_url(valkey_url) as client, client.pipeline() as pipeline:
        for number in range(count_):
            ref = SessionRef("demo", f"u{number % 7}", f"s{number}")
            value = _document(ref.session_id, [_said(f"hello {number}")], {}, updated=1e9 + number)
            pipeline.set(keys.session(ref), value)
        pipeline.execute()
    async with SessionStore(f"{valkey_url}?prefix={prefix}") as store:
        found = await _search(store, SearchOptions(TextPattern("hello")))
        assert [m.ref.session_id for m in found] == [f"s{n}" for n in reversed(range(count_))]
        only = SessionFilter(users=("u1",), updated_from=1e9)
        found = await _search(store, SearchOptions(TextPattern("hello 1")), only)
        assert {match.ref.session_id for match in found} >= {"s1"}
        assert {match.ref.user_id for match in found} == {"u1"}


def _matches(events: list[Any], state: dict[str, Any], **options: Any) -> list[Match]:
    lines = [json_bytes(event) for event in events]
    tail = Tail(state, iso_time(0), iso_time(0), 0.0, len(events))
    document = Document(SessionRef("demo", "ada", "s1"), tail, lines)
    return list(matches_of(document, "key", SearchOptions(**options)))


async def _search(
    store: SessionStore, options: SearchOptions, only: SessionFilter | None = None
) -> list[Match]:
    found = search(store, only or SessionFilter(), options)
    return [match async for matches in found for match in matches]


def _document(
    session_id: str, events: list[Any], state: dict[str, Any], updated: float = 1.8e9
) -> bytes:
    tail = Tail(state, iso_time(updated), iso_time(updated), updated, len(events))
    ref = SessionRef("demo", "ada", session_id)
    return encode(Document(ref, tail, [json_bytes(event) for event in events]))


def _said(text: str) -> dict[str, Any]:
    return {"author": "user", "content": {"parts": [{"text": text}]}}
