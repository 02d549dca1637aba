"""Small Jepsen-style checkers for an S3-like store.

A history is a list of operations: {"key", "f": "write" | "read" | "cas", "v": value, "old": value before (cas), "t0":
when it was begun, "t1": when it was answered or None, "ok": True | False | None}. Value None: the object is absent. ok
None: the outcome is unknown (timeout, 5xx, connection cut): it may have happened or not, then or later.

`check_register`: linearizability of one key (Wing and Gong's search with a memo, as knossos and porcupine do). `check`:
every key by itself, which is exact, because linearizability is local. `durable`: every acknowledged write not
overwritten later is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

INF = float("inf")
STEP_LIMIT = 2_000_000
Operation = Mapping[str, Any]


class Undecided(Exception):
    """The search met its limit: neither linearizable nor not."""


def check_register(ops: Iterable[Operation], init: Any = None) -> bool:
    """Raises: Undecided."""
    kept = [o for o in ops if o["ok"] is not False and not (o["f"] == "read" and o["ok"] is not True)]
    history = sorted(kept, key=lambda o: o["t0"])
    ends = [INF if o["ok"] is None or o["t1"] is None else o["t1"] for o in history]
    must = sum(1 << i for i, end in enumerate(ends) if end < INF)
    seen: set[tuple[int, Any]] = set()
    stack = [(0, init)]
    while stack:
        done, value = stack.pop()
        if done & must == must:
            return True
        if (done, value) in seen:
            continue
        seen.add((done, value))
        if len(seen) > STEP_LIMIT:
            raise Undecided(f"{len(history)} operations")
        stack.extend(_next(history, ends, done, value))
    return False


def _next(history: list[Operation], ends: list[float], done: int, value: Any) -> Iterator[tuple[int, Any]]:
    """One operation more: any that was begun before the first answer still missing."""
    horizon = min((end for i, end in enumerate(ends) if not done >> i & 1), default=INF)
    for i, o in enumerate(history):
        if done >> i & 1:
            continue
        if o["t0"] > horizon:
            break
        if o["f"] == "write" or (o["f"] == "cas" and o["old"] == value):
            yield done | 1 << i, o["v"]
        elif o["f"] == "read" and o["v"] == value:
            yield done | 1 << i, value


def check(history: Iterable[Operation]) -> dict[Any, bool]:
    by_key = defaultdict(list)
    for o in history:
        by_key[o["key"]].append(o)
    return {key: check_register(ops) for key, ops in by_key.items()}


def durable(history: Iterable[Operation], final: Mapping[Any, Any]) -> list[tuple[Any, Any, Any]]:
    """(key, last acknowledged value, value found) of every key whose final value is neither the last acknowledged write
    nor one of unknown outcome or concurrent with or after it."""
    by_key = defaultdict(list)
    for o in history:
        if o["f"] in ("write", "cas") and o["ok"] is not False:
            by_key[o["key"]].append(o)
    lost = []
    for key, writes in by_key.items():
        acked = [o for o in writes if o["ok"]]
        if not acked:
            continue
        newest = max(acked, key=lambda o: o["t0"])
        allowed = {o["v"] for o in writes if not o["ok"] or o["t1"] >= newest["t0"]}
        if final.get(key) not in allowed:
            lost.append((key, newest["v"], final.get(key)))
    return lost
