"""Hypothesis strategies for sessions: any JSON, names, times."""

from hypothesis import strategies as st

# Surrogates have no UTF-8; test_odd_values tests them one by one.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**53, max_value=2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    st.text(st.sampled_from('"\\\n,:{}[] \x00é'), max_size=6),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=8,
) | st.integers(0, 2_000).map(lambda size: "x" * size)
keys = st.sampled_from(["a", "b", 'a"', "a\n", "", ",", '"a":']) | text
# A plain key with a scope inside would be read back in another scope, in memory too.
scoped_keys = st.builds(
    lambda scope, key: scope + key.replace(":", ""),
    st.sampled_from(["", "", "", "app:", "user:", "temp:"]),
    keys,
)
states = st.dictionaries(scoped_keys, values, max_size=4)
times = st.one_of(
    st.integers(0, 20).map(float),
    st.floats(0, 4e9, allow_nan=False),
    st.floats(1.7e9, 1.9e9, allow_nan=False),
)
names = st.sampled_from(["a", "b", "a:b", "*", "%3A", ""])
session_ids = st.sampled_from(["s", "t", " s", "s:t", "*"])
