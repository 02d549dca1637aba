"""The engine's structs, both ways."""

from __future__ import annotations

from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from infra.rehearsal.wire import (
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    Secret,
    Value,
    decode,
    encode,
    has_unknown,
    is_empty,
    plain,
)

LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8) | st.just(UNKNOWN)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3) | inner.map(Secret)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_what_is_encoded_is_decoded(values: dict[str, Value]) -> None:
    assert decode(encode(values)) == values


def test_the_engines_signatures() -> None:
    struct = struct_pb2.Struct()
    struct.update({"password": {SIGNATURE: SECRET, "value": "hush"}, "id": UNKNOWN_TEXT, "port": 80.0, "share": 0.5})
    assert decode(struct) == {"password": Secret("hush"), "id": UNKNOWN, "port": 80, "share": 0.5}


def test_a_block_with_another_signature_is_no_secret() -> None:
    struct = struct_pb2.Struct()
    struct.update({"source": {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}})
    assert isinstance(decode(struct)["source"], dict)


def test_an_unknown_is_seen_through_secrets_and_blocks() -> None:
    assert has_unknown({"a": [Secret({"b": UNKNOWN})]})
    assert not has_unknown({"a": [Secret("b")]})
    assert plain({"a": [Secret({"b": Secret(1)})]}) == {"a": [{"b": 1}]}


def test_what_counts_as_not_given() -> None:
    assert all(is_empty(value) for value in (None, "", 0, False, [], {}, Secret("")))
    assert not any(is_empty(value) for value in ("x", 1, True, [0], {"a": ""}, UNKNOWN, Secret(UNKNOWN)))
