"""The journal model as a whole: clients, the committer or its absence, and what must hold in every state."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.explore import Model, Step
from tests.model.journal.committer import running
from tests.model.journal.recovery import stopped
from tests.model.journal.state import (
    Cfg,
    State,
    apply,
    canon,
    copies,
    draw,
    empty,
    expects,
    history,
    initial,
    kind,
    visible,
)  # fmt: skip
from tests.model.linear import Call, Monitor


def clients(cfg: Cfg, s: State) -> Iterator[Step]:
    if s.com is None or s.com.phase in ("open", "readonly"):
        return
    for c, (i, phase) in enumerate(s.clients):
        op = c * 10 + i
        sent = s._replace(
            queue=tuple(sorted((*s.queue, op))), clients=(*s.clients[:c], (i, "wait"), *s.clients[c + 1 :])
        )
        if phase == "idle" and i < len(cfg.ops[c]):
            assert isinstance(s.mon, Monitor)
            call = Call(kind(cfg, op), op, expects(kind(cfg, op), visible(s.idx)))
            mon = s.mon._replace(open=s.mon.open | {call})
            yield f"client {c} sends {op}:{call.kind}", sent._replace(mon=mon)
        if phase == "lost" and op not in s.queue:
            yield f"client {c} resends {op}", sent


def successors(cfg: Cfg, s: State) -> Iterator[Step]:
    if not isinstance(s.mon, Monitor):
        return
    if s.com:
        yield from clients(cfg, s)
        yield from running(cfg, s, s.com)
    else:
        yield from stopped(cfg, s)


def problem(cfg: Cfg, s: State) -> str | None:
    """The promise that this state breaks."""
    if s.mon is None:
        return f"(a)(c)(d)(e)(f) not linearizable: visible {visible(s.idx)}"
    if isinstance(s.mon, str):
        return s.mon
    if s.com is None:
        return None
    if s.com.phase in ("idle", "reply"):
        for row in s.idx.rows:
            if row and copies(s, row[0])[0] < cfg.k:
                return "(c)(d) the visible version cannot be decoded even when all drives return"
    if s.com.phase == "idle" and not s.queue and cfg.rules.floor and cfg.rules.ends_at:
        idx = empty(cfg)
        for g, i, rec in history(cfg, s.segs, s.com.cur, s.com.acked):
            idx = apply(idx, g, i, rec)
        if visible(idx) != visible(s.idx):
            return f"(b) rebuild = {visible(idx)}, index shows {visible(s.idx)}"
    return None


MODEL = Model("journal", initial, successors, problem, canon, draw)
