"""Erasure coding, every profile."""

from __future__ import annotations

import itertools
import random

import pytest

from kakera.base import limits
from kakera.segments.codec import CodingError, codec, fragment_length

PROFILES = [(k, m) for k in range(limits.MIN_K, limits.MAX_K + 1) for m in range(limits.MIN_M, limits.MAX_M + 1)]


@pytest.mark.parametrize(("k", "m"), PROFILES)
def test_any_m_erasures_are_made_good(k: int, m: int) -> None:
    random_ = random.Random(k * 100 + m)
    code = codec(k, m)
    for size in (1, 2, k, k + 1, 1023, 4096, 65537):
        data = random_.randbytes(size)
        fragments = code.encode(data)
        assert {len(piece) for piece in fragments} == {fragment_length(k, size)}
        assert b"".join(fragments[:k])[:size] == data
        patterns = list(itertools.combinations(range(k + m), m))
        for lost in random_.sample(patterns, min(len(patterns), 12)):
            left = {n: piece for n, piece in enumerate(fragments) if n not in lost}
            assert code.decode(left, size) == data
            for index in lost:
                assert code.rebuild(left, index, size) == fragments[index]


@pytest.mark.parametrize(("k", "m"), [(2, 1), (4, 2), (12, 4)])
def test_too_few_or_odd_fragments_are_refused(k: int, m: int) -> None:
    fragments = dict(enumerate(codec(k, m).encode(bytes(1000))))
    few = {n: fragments[n] for n in range(1, k)}
    with pytest.raises(CodingError):
        codec(k, m).decode(few, 1000)
    with pytest.raises(CodingError):
        codec(k, m).rebuild(few, 0, 1000)
    short = fragments | {1: fragments[1][:-1]}
    with pytest.raises(CodingError):
        codec(k, m).decode(short, 1000)
    with pytest.raises(CodingError):
        codec(k, m).decode(fragments | {k + m: fragments[0]}, 1000)


@pytest.mark.parametrize("profile", [(1, 1), (13, 1), (2, 0), (4, 5)])
def test_profiles_beyond_the_limits_are_refused(profile: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no profile"):
        codec(*profile)


def test_nothing_is_nothing() -> None:
    assert codec(4, 2).encode(b"") == [b""] * 6
    assert codec(4, 2).decode(dict.fromkeys(range(4), b""), 0) == b""
    assert codec(4, 2).rebuild(dict.fromkeys(range(1, 5), b""), 0, 0) == b""


def test_more_sizes_than_are_remembered() -> None:
    code = codec(3, 2)
    for size in range(1, limits.DECODE_HEADERS + 20):
        data = bytes([size % 256]) * size
        fragments = code.encode(data)
        assert code.decode({0: fragments[0], 3: fragments[3], 4: fragments[4]}, size) == data
    assert len(code._headers) <= limits.DECODE_HEADERS
