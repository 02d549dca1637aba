"""The tools: the search finds the nearest broken promise, the judge knows an impossible history from a possible one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.model.explore import Model, Step, explore, follow
from tests.model.linear import UNSEEN, Call, Judge, Monitor, Store, fresh


def _steps(cfg: int, n: int) -> Iterator[Step]:
    if n < cfg:
        yield "one", n + 1
        yield "two", n + 2


COUNT = Model("count", lambda cfg: 0, _steps, lambda cfg, n: "seven" if n == 7 else None, lambda n: n, lambda n: str(n))


def test_the_shortest_path_is_found() -> None:
    found = explore(COUNT, 10)
    assert found.broken == "seven" and len(found.trace) == 4


def test_nothing_is_found_where_nothing_is() -> None:
    found = explore(COUNT, 5)
    assert found.broken is None and found.states == 7 and not found.cut_short


def test_a_search_over_its_limit_says_so() -> None:
    assert explore(COUNT, 1000, limit=3).cut_short


def test_symmetric_states_are_one() -> None:
    folded = Model("folded", lambda cfg: 0, _steps, lambda cfg, n: None, lambda n: n % 3, str)
    assert explore(folded, 10).states == 3


def test_a_path_is_walked_only_as_far_as_it_goes() -> None:
    assert follow(COUNT, 10, ["one", "two", "two", "two"]) == "seven"
    assert follow(COUNT, 10, ["one", "two"]) is None
    assert follow(COUNT, 10, ["three", "two"]) is None


def _register(call: Call, store: Store) -> tuple[str, Store]:
    if call.kind == "PINM" and store[0] is not None:
        return "412", store
    return "OK", (call.op, *store[1:])


def _open(*calls: Call, store: Store = (None,)) -> Monitor:
    return fresh(store)._replace(open=frozenset(calls))


def _after(judge: Judge, monitor: Monitor, *looks: tuple[Any, Any]) -> Monitor | None:
    now: Monitor | None = monitor
    for store, reply in looks:
        assert now is not None
        now = judge.seen(now, store, reply)
    return now


def test_a_value_seen_does_not_unhappen() -> None:
    judge, calls = Judge(_register), _open(Call("PUT", 1))
    assert _after(judge, calls, ((None,), None), ((1,), None))
    assert _after(judge, calls, ((1,), None), ((None,), None)) is None


def test_an_acked_value_is_there() -> None:
    judge, calls = Judge(_register), _open(Call("PUT", 1))
    assert _after(judge, calls, (None, (1, "OK")), ((1,), None))
    assert _after(judge, calls, (None, (1, "OK")), ((None,), None)) is None


def test_only_one_of_two_conditions_holds() -> None:
    judge, calls = Judge(_register), _open(Call("PINM", 1), Call("PINM", 2))
    assert _after(judge, calls, (None, (1, "OK")), (None, (2, "412")))
    assert _after(judge, calls, (None, (1, "OK")), (None, (2, "OK"))) is None


def test_a_value_that_nobody_wrote_is_impossible() -> None:
    assert _after(Judge(_register), _open(Call("PUT", 1)), ((2,), None)) is None


def test_a_register_not_looked_at_may_hold_anything() -> None:
    judge, calls = Judge(_register), _open(Call("PUT", 1), store=(None, 5))
    assert _after(judge, calls, ((UNSEEN, 5), None))
    assert _after(judge, calls, ((UNSEEN, None), None)) is None
