"""Which histories are explored: the small family in which each rule matters, and the wide ones where nothing breaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.model.journal.state import Cfg, Rules

PUT, PUT_DEL = ("PUT",), ("PUT", "DEL")
KINDS = ("PUT", "DEL", "PIM", "PINM")
BUCKET: dict[str, Any] = {"keys": 2, "made": True}  # register 0 is a bucket, register 1 a key in it

HOLES = ("reads_wait", "mark_floor", "epoch_durable", "opening", "doubt_stops", "ids_kept", "ids_clean")


def family(rules: Rules, *ops: tuple[str, ...], n: int = 4, **bounds: Any) -> list[Cfg]:
    """One configuration; a kill and every absence of drives unless told otherwise."""
    return [Cfg(rules, ops, n, **({"maxaway": n - 1} | bounds))]


def every(rules: Rules, kinds: Iterable[str] = KINDS, *, n: int = 4, **bounds: Any) -> Iterator[Cfg]:
    """Two clients with one command each, of every kind; a kill and a power cut unless told otherwise."""
    for a, b in itertools.product(tuple(kinds), repeat=2):
        yield from family(rules, (a,), (b,), n=n, **({"cuts": 1} | bounds))


Plan = Callable[[Rules], Iterable[Cfg]]
PLANS: dict[str, Plan] = {
    "reads_wait": lambda r: family(r, PUT, (), cuts=1),
    "mark_floor": lambda r: family(r, PUT_DEL, (), cuts=1, cleans=3),
    "epoch_durable": lambda r: family(r._replace(header_cut=False), PUT, (), kills=2, off=True, maxaway=1),
    "opening": lambda r: family(r, PUT, ()),
    "doubt_stops": lambda r: family(r, PUT * 2, (), n=5, maxaway=2),
    "ids_kept": lambda r: every(r, kills=0, cuts=0, breaks=1),
    "ids_clean": lambda r: family(r, PUT, PUT, cuts=1, breaks=1, cleans=2),
    "floor": lambda r: family(r, PUT_DEL, (), kills=2, cleans=2, maxaway=1),
    "cut_rule": lambda r: family(r, PUT, (), n=5, off=True, maxaway=2),
    "ack_all": lambda r: family(r, PUT, ()),
    "tail_sync": lambda r: family(r._replace(opening=False), PUT, (), kills=2, cuts=1),
    "ends_at": lambda r: family(r, PUT, PUT, kills=2, maxaway=1),
    "refuse_late": lambda r: family(r, PUT, ("PINM",), pairs=1),
    "start_rule": lambda r: family(r, PUT, (), kills=2),
    "hole_stops": lambda r: family(r._replace(opening=False, tail_sync=False), PUT, (), kills=2, cuts=1),
    "header_cut": lambda r: family(r._replace(epoch_durable=False), PUT, (), kills=2, off=True, maxaway=1),
    "batch_seen": lambda r: family(r, ("PUTB/1",), ("DROPB",), pairs=1, kills=0, **BUCKET),
    "clean_batch": lambda r: family(r, PUT, PUT, pairs=1, kills=0, cleans=2),
    "damage_counts": lambda r: family(r, PUT, (), n=3, off=True, rots=2),
    "ro_hides": lambda r: family(r, PUT, (), cuts=1, readonly=True),
    "ro_stops": lambda r: family(r, PUT, (), readonly=True),
    "ro_quiet": lambda r: family(r, PUT, (), readonly=True),
    "ro_valid": lambda r: family(r, PUT_DEL, (), cuts=1, cleans=2, readonly=True),
    "ro_whole": lambda r: family(r, PUT, ("PUT/1",), keys=2, cuts=1, fails=1, cleans=1, rots=1, readonly=True),
}

WIDE: dict[str, Callable[[], Iterable[Cfg]]] = {
    "small, PUT then DEL: kill, power cut, 2 cleanings": lambda: family(Rules(), PUT_DEL, (), cuts=1, cleans=2),
    "small, two conditions: kill, power cut": lambda: family(Rules(), ("PIM",), ("PINM",), cuts=1),
    "small, bucket and key, batches of two: kill": lambda: family(
        Rules(), ("PUTB/1",), ("DROPB",), n=3, pairs=1, **BUCKET
    ),
    "small, two keys, batches of two: kill": lambda: family(Rules(), PUT, ("PUT/1",), n=3, pairs=1, keys=2),
    "small, read-only, PUT then DEL: kill, power cut, cleaning": lambda: family(
        Rules(), PUT_DEL, (), cuts=1, cleans=1, readonly=True
    ),
    "n=4, 1+1 of every kind: kill, power cut": lambda: every(Rules()),
    "n=3, 1+1 of every kind: kill, power cut, failed sync": lambda: every(Rules(), n=3, fails=1),
    "n=4, 1+1 of every kind: broken connection, kill": lambda: every(Rules(), cuts=0, breaks=1),
    "n=4, two commands: kill, power cut, 3 cleanings": lambda: [
        c for a in ("PUT", "DEL") for c in family(Rules(), ("PUT", a), (), cuts=1, cleans=3)
    ],
    "n=4, one command: 2 kills, power cut, 2 cleanings": lambda: family(Rules(), PUT, (), kills=2, cuts=1, cleans=2),
    "n=4, one command: kill, power cut, failed sync, cleaning": lambda: family(
        Rules(), PUT, (), cuts=1, fails=1, cleans=1
    ),
    "n=4, 1+1 in batches of two: kill": lambda: every(Rules(), ("PUT", "PINM"), cuts=0, pairs=1),
    "n=5, one command: 2 kills, 2 drives away": lambda: family(Rules(), PUT, (), n=5, kills=2, maxaway=2),
    "bucket and key, batches of two: kill, power cut": lambda: [
        c
        for b in ("DROPB", "DEL/1", "PUTB/1")
        for c in family(Rules(), ("PUTB/1",), (b,), n=3, cuts=1, pairs=1, **BUCKET)
    ],
    "bucket and key, batches of two: kill, broken connection, 2 cleanings": lambda: family(
        Rules(), ("PUTB/1",), ("DROPB",), n=3, breaks=1, pairs=1, cleans=2, **BUCKET
    ),
    "bucket removed, made again, batches of two: kill": lambda: family(
        Rules(), ("PUTB/1",), ("DROPB", "PINM"), n=3, pairs=1, **BUCKET
    ),
    "two keys, batches of two: kill, power cut": lambda: family(
        Rules(), ("PUT/0",), ("PUT/1",), cuts=1, pairs=1, keys=2
    ),
    "read-only, n=4, 1+1 of every kind: kill, power cut": lambda: every(Rules(), readonly=True),
    "read-only, n=3, two keys: kill, power cut, failed sync": lambda: family(
        Rules(), ("PUT/0",), ("PUT/1",), n=3, cuts=1, fails=1, keys=2, readonly=True
    ),
    "read-only, n=4, two commands: kill, power cut, 2 cleanings": lambda: [
        c for a in ("PUT", "DEL") for c in family(Rules(), ("PUT", a), (), cuts=1, cleans=2, readonly=True)
    ],
    "damage, n=3, one command: 2 kills, power cut": lambda: family(
        Rules(), PUT, (), n=3, kills=2, cuts=1, rots=1, off=True
    ),
    "damage, n=3, one command: kill, power cut, failed sync": lambda: family(
        Rules(), PUT, (), n=3, cuts=1, fails=1, rots=1, off=True
    ),
    "damage, n=4, two commands: kill, power cut, cleaning": lambda: family(
        Rules(), PUT_DEL, (), cuts=1, cleans=1, rots=1, maxaway=1
    ),
    "damage, n=4, read-only, one command: kill, power cut": lambda: family(
        Rules(), PUT, (), cuts=1, rots=1, off=True, readonly=True
    ),
}
