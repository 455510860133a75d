"""Each key as a literal, and parsing it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adksess.store.errors import InvalidName
from adksess.store.keys import Keys, SessionRef, UserRef

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(":%*?[]\\3A25")


@pytest.mark.parametrize(
    ("prefix", "ref", "key"),
    [
        ("", ("demo", "user", "8e42"), b"session:demo:user:8e42"),
        ("prod:", ("demo", "user", "8e42"), b"prod:session:demo:user:8e42"),
        ("", ("a:b", "c", "d"), b"session:a%3Ab:c:d"),
        ("", ("a", "b:c", "d"), b"session:a:b%3Ac:d"),
        ("", ("100%", "%3A", "*?[x]"), b"session:100%25:%253A:*?[x]"),
        ("", ("", "", ""), b"session:::"),
        ("", ("a b", "\x00\n", "é"), b"session:a b:\x00\n:\xc3\xa9"),
        ("{tag}", ("{a}", "b", "c"), b"{tag}session:{a}:b:c"),
    ],
)
def test_session_keys(prefix: str, ref: tuple[str, str, str], key: bytes) -> None:
    keys = Keys(prefix)
    assert keys.session(SessionRef(*ref)) == key
    assert keys.parse_session(key) == ref


def test_other_keys() -> None:
    keys = Keys("p:")
    assert keys.user_sessions("a:b", "u") == b"p:user_sessions:a%3Ab:u"
    assert keys.app_state("demo") == b"p:app_state:demo"
    assert keys.user_state("demo", "u%") == b"p:user_state:demo:u%25"
    assert keys.parse_user_sessions(b"p:user_sessions:a%3Ab:u") == UserRef("a:b", "u")
    assert keys.parse_app_state(b"p:app_state:demo") == "demo"
    assert keys.parse_user_state(b"p:user_state:demo:u%25") == UserRef("demo", "u%")


def test_keys_of_the_recency_index() -> None:
    keys = Keys("p:")
    ref = SessionRef("a:b", "u:v", "8e42")
    assert keys.app_sessions("a:b") == b"p:app_sessions:a%3Ab"
    assert keys.app_member(ref) == b"u%3Av:8e42"
    assert keys.app_documents("a:b", [b"u%3Av:8e42"]) == [keys.session(ref)]
    assert keys.session_apps() == b"p:session_apps"
    assert keys.session_index() == b"p:session_index"
    assert keys.app_sessions_pattern() == b"p:app_sessions:*"
    assert keys.parse_app_sessions(b"p:app_sessions:a%3Ab") == "a:b"
    assert keys.parse_app_member("a:b", b"u%3Av:8e42") == ref
    assert keys.parse_app_member("a:b", b"u:v:8e42") is None


@given(names, names, names)
def test_a_member_names_its_session(app: str, user: str, session_id: str) -> None:
    keys, ref = Keys(), SessionRef(app, user, session_id)
    assert keys.parse_app_member(app, keys.app_member(ref)) == ref


def test_patterns() -> None:
    keys = Keys("p*:")
    assert keys.sessions_pattern() == rb"p\*:session:*"
    assert keys.sessions_pattern("demo") == rb"p\*:session:demo:*"
    assert keys.sessions_pattern("a?[b]\\", "u:*") == rb"p\*:session:a\?\[b\]\\:u%3A\*:*"
    assert keys.app_state_pattern() == rb"p\*:app_state:*"
    assert keys.user_state_pattern("*") == rb"p\*:user_state:\*:*"
    assert keys.user_sessions_pattern() == rb"p\*:user_sessions:*"


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"session:",
        b"session:a:b",
        b"session:a:b:c:d",
        b"Session:a:b:c",
        b"p:session:a:b:c",
        b"user_sessions:a:b",
        b"session:a:b:%3a",
        b"session:a:b:%41",
        b"session:a:b:%",
        b"session:a:b:\xff",
    ],
)
def test_keys_that_are_not_a_session_of_ours(key: bytes) -> None:
    assert Keys().parse_session(key) is None


def test_a_name_that_is_not_unicode_is_rejected() -> None:
    with pytest.raises(InvalidName, match="lone surrogate"):
        Keys().session(SessionRef("a", "half \ud83d", "c"))


@given(st.tuples(names, names, names), st.tuples(names, names, names), names)
@example(("a", "b:c", "d"), ("a:b", "c", "d"), "")
@example(("a", "%3A", "d"), ("a", ":", "d"), "")
def test_each_session_has_its_own_key(
    one: tuple[str, str, str], other: tuple[str, str, str], prefix: str
) -> None:
    keys = Keys(prefix)
    first, second = keys.session(SessionRef(*one)), keys.session(SessionRef(*other))
    assert (first == second) == (one == other)
    assert keys.parse_session(first) == one


@given(st.binary(max_size=60) | st.binary(max_size=40).map(b"session:".__add__))
def test_the_parser_accepts_any_bytes(key: bytes) -> None:
    """A key that is parsed as a session is the key that would be written for it."""
    keys = Keys()
    ref = keys.parse_session(key)
    assert ref is None or keys.session(ref) == key
