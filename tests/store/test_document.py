"""The document: written and read back, found from its end, and in no other tool's layout."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adksess.store.document import (
    Document,
    Tail,
    decode,
    decode_tail,
    encode,
    event_lines,
    find_tail,
    iso_time,
    json_bytes,
    parse_json,
)
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from tests.contract.strategies import keys, times, values

REF = SessionRef("demo", "ada", "s1")
SEVEN_FIELDS = {
    "app_name",
    "user_id",
    "session_id",
    "state",
    "created_at",
    "updated_at",
    "events",
}


def document(state: dict[str, Any], events: list[Any], at: float = 1.5) -> Document:
    return Document(
        REF,
        Tail(
            state=state,
            event_count=len(events),
            created_at=iso_time(0),
            updated_at=iso_time(1),
            last_update_time=at,
            newest_event_time=at,
        ),
        [json_bytes(event) for event in events],
    )


def with_ttl(document: Document, ttl: int | None) -> Document:
    return replace(document, tail=document.tail._replace(ttl=ttl))


def test_the_layout_byte_for_byte() -> None:
    written = encode(document({"turns": 2, 'a"b': []}, [{"n": 1}, {"n": 2}], at=1795345308.1932337))
    assert written.decode() == (
        '{"app_name":"demo","user_id":"ada","session_id":"s1","events":[\n'
        '{"n":1},\n'
        '{"n":2}\n'
        '],"state":{\n'
        '"turns":2,\n'
        '"a\\"b":[]\n'
        '},"created_at":"1970-01-01T00:00:00.000000+00:00"'
        ',"updated_at":"1970-01-01T00:00:01.000000+00:00"'
        ',"newest_event_time":  1795345308.1932337,"last_update_time":  1795345308.1932337'
        ',"event_count":         2,"tail_bytes":        263}'
    )


def test_an_empty_session_byte_for_byte() -> None:
    written = encode(with_ttl(document({}, []), 60))
    assert written.decode() == (
        '{"app_name":"demo","user_id":"ada","session_id":"s1","events":[\n'
        '],"state":{\n'
        '},"created_at":"1970-01-01T00:00:00.000000+00:00","ttl":60'
        ',"updated_at":"1970-01-01T00:00:01.000000+00:00"'
        ',"newest_event_time":                 1.5,"last_update_time":                 1.5'
        ',"event_count":         0,"tail_bytes":        251}'
    )


@given(
    st.dictionaries(keys, values, max_size=5),
    st.lists(st.dictionaries(keys, values, max_size=3), max_size=5),
    times,
    st.none() | st.integers(1, 10**9),
)
def test_any_document_is_plain_json_and_reads_back(
    state: dict[str, Any], events: list[Any], at: float, ttl: int | None
) -> None:
    given = with_ttl(document(state, events, at), ttl)
    written = encode(given)
    plain = json.loads(written)
    assert plain.keys() >= SEVEN_FIELDS
    assert (plain["state"], plain["events"]) == (state, events)
    assert decode(written, REF) == given
    start = find_tail(written)
    assert start is not None
    tail = decode_tail(written[start:])
    assert (tail.state, tail.last_update_time, tail.ttl) == (state, at, ttl)


@given(st.lists(st.dictionaries(keys, values, max_size=2), max_size=6), st.data())
def test_any_end_of_a_document_gives_its_last_events(
    events: list[Any], data: st.DataObject
) -> None:
    written = encode(document({"a": 1}, events))
    tail = find_tail(written)
    assert tail is not None
    cut = data.draw(st.integers(0, tail))
    end = written[cut:]
    start = find_tail(end)
    assert start == tail - cut
    found = [json.loads(line) for line in event_lines(end[:start])]
    assert found == events[len(events) - len(found) :]
    whole = written.index(b'"events":[') + len(b'"events":[')
    if cut <= whole:
        assert found == events


@given(values)
def test_any_value_keeps_its_type(value: Any) -> None:
    assert repr(parse_json(json_bytes(value))) == repr(value)
    assert b"\n" not in json_bytes(value)


@given(st.text(max_size=20))
def test_any_text_with_lone_surrogates_too(value: str) -> None:
    assert parse_json(json_bytes({value: value})) == {value: value}


FOREIGN = [
    (
        {"id": "s1", "appName": "demo", "userId": "ada", "state": {"a": 1, "temp:b": 2},
         "events": [{"timestamp": 5.0}, {"timestamp": 7.5}], "lastUpdateTime": 9.25},
        ({"a": 1}, 2, 9.25, 5.0),
    ),
    (
        {"state": {}, "events": [{"timestamp": 5.0}, {"timestamp": 4.0}],
         "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:01+00:00"},
        ({}, 2, 1767225601.0, 1767225600.0),
    ),
    ({"create_time": 3, "update_time": 4, "state": {}, "events": []}, ({}, 0, 4.0, 3.0)),
    ({"state": {}, "events": [{"timestamp": 6.5}]}, ({}, 1, 6.5, 6.5)),
    ({"state": {}, "events": [{"timestamp": "late"}, {}]}, ({}, 2, 0.0, 0.0)),
    ({"state": {}, "events": [{"timestamp": 10**400}]}, ({}, 1, 0.0, 0.0)),
    ({"state": {}, "events": []}, ({}, 0, 0.0, 0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), FOREIGN)
def test_a_document_of_another_tool(
    fields: dict[str, Any], expected: tuple[dict[str, Any], int, float, float]
) -> None:
    for value in (json.dumps(fields), json.dumps(fields, indent=2)):
        found = decode(value.encode(), REF)
        state, count, updated, created = expected
        assert found.tail.state == state
        assert (found.tail.event_count, found.tail.last_update_time) == (count, updated)
        assert found.tail.created_at == iso_time(created)
        assert decode(encode(found), REF) == found
        assert json.loads(encode(found)).keys() >= SEVEN_FIELDS


UNREADABLE = [
    b"",
    b"null",
    b"[]",
    b'"secret"',
    b"12",
    b"\xff\xfe secret",
    b"{}",
    b'{"state": {}}',
    b'{"events": []}',
    b'{"state": {}, "events": 1}',
    b'{"state": {}, "events": ["secret"]}',
    b'{"state": {}, "events": {"a": 1}}',
    b'{"state": ["secret"], "events": []}',
    b'{"state": {}, "events": [], "updated_at": 1e300}',
    b'{"state": {}, "events": [], "last_update_time": -1e18}',
    b"[" * 100_000,
    b'{"a":' * 5_000,
    b'\n],"state":{"tail_bytes":         25}',
    b'"tail_bytes":         25}',
    encode(document({"a": "secret"}, []))[:-1],
    encode(document({"a": "secret"}, [{"b": 1}]))[-200:],
    encode(document({"a": "secret"}, [])).replace(b'"state":{', b'"state":['),
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_an_unreadable_value_is_named_and_its_content_is_not(value: bytes) -> None:
    with pytest.raises(SessionUnreadable) as error:
        decode(value, REF)
    for name in REF:
        assert name in str(error.value)
    assert "secret" not in str(error.value)


SAMPLE = encode(document({"a": [1, "\n"]}, [{"b": 'x"y'}, {"c": None}]))


@given(st.data())
def test_any_damage_is_an_error_or_a_document(data: st.DataObject) -> None:
    """Bytes cut out, put in and changed: no other exception and no hang."""
    value = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        size = data.draw(st.integers(0, 30))
        value[at : at + size] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"", b'"', b"9"])
        )
    try:
        found = decode(bytes(value), REF)
    except SessionUnreadable:
        return
    assert isinstance(found.tail.state, dict)


@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_an_error_or_a_document(value: bytes) -> None:
    with suppress(SessionUnreadable):
        decode(value, REF)


@pytest.mark.parametrize("timestamp", [1e12, 1e18, -1e18, 1e300])
def test_a_time_out_of_range(timestamp: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        iso_time(timestamp)
