"""How long an answer is remembered (R16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base import clock, limits
from kakera.journal.commands import Ok
from kakera.journal.once import Applied

KEEP_S = 30.0


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 3)), max_size=60))
def test_kept_long_enough_and_not_for_ever(steps: list[tuple[float, int]]) -> None:
    """Between twice the limit of a resend, and a generation more."""
    now_s = 1000.0
    at: dict[bytes, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "monotonic_s", lambda: now_s)
        applied = Applied(KEEP_S)
        for pause_s, count in steps:
            now_s += pause_s
            ids = [b"%016d" % (len(at) + number) for number in range(count)]
            applied.add({id_: Ok(value=int(id_)) for id_ in ids})
            at |= dict.fromkeys(ids, now_s)
            applied.forget()
            for id_, since_s in at.items():
                reply = applied.get(id_)
                if now_s - since_s <= 2 * KEEP_S:
                    assert reply == Ok(value=int(id_))
        now_s += 2 * KEEP_S * (1 + 1 / limits.APPLIED_GENERATIONS) + 1
        applied.forget()
        assert [id_ for id_ in at if applied.get(id_)] == []
