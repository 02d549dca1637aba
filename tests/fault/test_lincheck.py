"""The judge is judged: histories whose verdict is known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fault.lincheck import check, check_register, durable


def write(value: Any, begun: float, ended: float | None, ok: bool | None = True) -> dict[str, Any]:
    return {"key": "k", "f": "write", "v": value, "t0": begun, "t1": ended, "ok": ok}


def read(value: Any, begun: float, ended: float) -> dict[str, Any]:
    return {"key": "k", "f": "read", "v": value, "t0": begun, "t1": ended, "ok": True}


def cas(old: Any, value: Any, begun: float, ended: float | None, ok: bool | None = True) -> dict[str, Any]:
    return {"key": "k", "f": "cas", "old": old, "v": value, "t0": begun, "t1": ended, "ok": ok}


@pytest.mark.parametrize(
    ("history", "linearizable"),
    [
        ([write(1, 0, 1), read(1, 2, 3)], True),
        ([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)], False),  # stale
        ([write(1, 0, 1), write(2, 2, 6), read(1, 3, 4), read(2, 4.5, 5)], True),  # concurrent
        ([write(1, 0, 1), write(2, 2, 6), read(2, 3, 4), read(1, 4.5, 5)], False),  # back in time
        ([write(1, 0, 1), write(2, 2, None, None), read(1, 3, 4), read(2, 9, 10)], True),  # unknown, takes effect late
        ([write(1, 0, 1), write(None, 2, 3), read(1, 4, 5)], False),  # a deleted object comes back
        ([cas(None, 1, 0, 1), cas(None, 2, 0, 1)], False),  # both created it
        ([cas(None, 1, 0, 1), cas(1, 2, 2, 3), cas(1, 3, 2, 3, False), read(2, 4, 5)], True),
        ([cas(None, 1, 0, 1), cas(1, 2, 2, None, None), cas(2, 3, 4, 5), read(3, 6, 7)], True),
        ([cas(None, 1, 0, 1), cas(1, 2, 2, 3), cas(1, 3, 4, 5)], False),  # an update lost
    ],
)
def test_registers(history: list[dict[str, Any]], linearizable: bool) -> None:
    assert check_register(history) is linearizable
    assert check(history) == {"k": linearizable}


def test_durability() -> None:
    assert durable([write("a", 0, 1), write("b", 2, 3)], {"k": "b"}) == []
    assert durable([write("a", 0, 1)], {}) == [("k", "a", None)]
    assert durable([write("a", 0, 1), write("b", 2, 3)], {"k": "a"}) == [("k", "b", "a")]
    assert durable([write("a", 0, 1), write("b", 2, None, None)], {"k": "b"}) == []
    assert durable([write("a", 0, 1), write(None, 2, None, None)], {"k": None}) == []
