"""Cleaning on a full drive: only what is dead enough is worth the space that moving the rest takes first (R7)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.workers.clean import Share, paying

shares = st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1)).map(lambda s: Share(s[0], int(s[0] * s[1]))))


def test_what_is_alive_is_left_alone() -> None:
    assert paying([]) == 0
    assert paying([Share(100, 100)] * 5) == 0
    assert paying([Share(100, 76)]) == 0


def test_the_oldest_goes_when_it_pays_and_with_those_behind_it_when_they_do() -> None:
    assert paying([Share(100, 75), Share(100, 0)]) == 1
    assert paying([Share(100, 100), Share(100, 40), Share(100, 0)]) == 2


@given(shares)
def test_the_shortest_that_pays(found: list[Share]) -> None:
    def ratio(count: int) -> float:
        return sum(s.live_bytes for s in found[:count]) / sum(s.size_bytes for s in found[:count])

    count = paying(found)
    assert all(ratio(n) > limits.CLEAN_PAYING_RATIO for n in range(1, count or len(found) + 1))
    assert not count or ratio(count) <= limits.CLEAN_PAYING_RATIO
