"""Which histories of bodies are explored: the small family in which each rule matters, and the wide ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.model.bulk.state import Cfg, Rules

HOLES = ("drop_ordered", "drop_refuses", "punch_closes")


def family(rules: Rules, *ops: str, **bounds: Any) -> list[Cfg]:
    """One configuration: one command a client, nothing else unless told."""
    return [Cfg(rules, ops, **bounds)]


PLANS: dict[str, Callable[[Rules], Iterable[Cfg]]] = {
    "drop_ordered": lambda r: family(r, "PUT", kills=1, drops=1),
    "drop_refuses": lambda r: family(r, "PUT", kills=1, drops=1),
    "drop_settled": lambda r: family(r, "PUT", "DEL", kills=1, drops=1, pairs=True),
    "drop_exclusive": lambda r: family(r, "PUT", "DEL", drops=1, reads=1),
    "punch_closes": lambda r: family(r, "PUT", kills=1, punches=1),
    "punch_pins": lambda r: family(r, "PUT", "DEL", punches=1, reads=1),
    "reader_again": lambda r: family(r, "PUT", "DEL", punches=1, reads=1),
    "data_synced": lambda r: family(r, "PUT", cuts=1),
    "quorum": lambda r: family(r, "PUT", aways=1, fails=1),
    "header_synced": lambda r: family(r, "PUT", cuts=1),
    "no_retry": lambda r: family(r, "PUT", n=3, fails=1),
    "upload_pin": lambda r: family(r, "PUT", drops=1),
    "pin_until_reply": lambda r: family(r, "PUT", drops=1),
    "pin_for_resend": lambda r: family(r, "PUT", kills=1, drops=1),
    "reader_pin": lambda r: family(r, "PUT", "DEL", drops=1, reads=1),
    "copy_synced": lambda r: family(r, "PUT", moves=1, cuts=1),
    "still_points": lambda r: family(r, "PUT", "PUT", moves=1),
    "moved_durable": lambda r: family(r, "PUT", moves=1, kills=1),
    "clean_current": lambda r: family(r, "PUT", "DEL", cleans=1),
}

WIDE: dict[str, Callable[[], Iterable[Cfg]]] = {
    "bodies, PUT: 2 kills, power cut, failed sync, a drive away, 2 drops": lambda: family(
        Rules(), "PUT", kills=2, cuts=1, fails=1, aways=1, drops=2
    ),
    "bodies, PUT of two chunks: kill, power cut, failed sync, drop": lambda: family(
        Rules(), "PUT", chunks=2, kills=1, cuts=1, fails=1, drops=1
    ),
    "bodies, PUT and PUT: kill, 2 drops, batches of two": lambda: family(
        Rules(), "PUT", "PUT", kills=1, drops=2, pairs=True
    ),
    "bodies, PUT and DEL: kill, power cut, move, drop, batches of two": lambda: family(
        Rules(), "PUT", "DEL", n=3, kills=1, cuts=1, moves=1, drops=1, pairs=True
    ),
    "bodies, PUT and DEL: kill, move, 2 drops, a streaming read": lambda: family(
        Rules(), "PUT", "DEL", kills=1, moves=1, drops=2, reads=1
    ),
    "bodies, PUT: kill, power cut, move, failed sync, cleaning, drop": lambda: family(
        Rules(), "PUT", n=3, kills=1, cuts=1, fails=1, moves=1, cleans=1, drops=1
    ),
    "bodies, PUT and DEL: 2 kills, move, cleaning, drop, batches of two": lambda: family(
        Rules(), "PUT", "DEL", n=3, kills=2, moves=1, cleans=1, drops=1, pairs=True
    ),
    "bodies, PUT and DEL: 2 kills, 2 punches, a streaming read, batches of two": lambda: family(
        Rules(), "PUT", "DEL", n=3, kills=2, punches=2, reads=1, pairs=True
    ),
    "bodies, PUT and PUT: kill, power cut, move, punch, a streaming read": lambda: family(
        Rules(), "PUT", "PUT", n=3, kills=1, cuts=1, moves=1, punches=1, reads=1
    ),
    "bodies, PUT of two chunks: kill, power cut, a drive away, 2 punches": lambda: family(
        Rules(), "PUT", chunks=2, kills=1, cuts=1, aways=1, punches=2
    ),
}
