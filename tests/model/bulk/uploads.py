"""Workers: DATA is written and synced, then named in a command (R1, R2); what a worker holds while it does (R7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.bulk.state import (
    ABSENT,
    DROPPED,
    DURABLE,
    FAILED,
    NO_STRAND,
    WRITTEN,
    Cfg,
    Col,
    Loc,
    State,
    Upload,
    send,
    set_up,
    spend,
    status,
    strand,
    with_strand,
)  # fmt: skip
from tests.model.explore import Step
from tests.model.linear import Call, Monitor

# --- writing DATA ---------------------------------------------------------------------------------------------------


def open_segment(cfg: Cfg, s: State) -> tuple[State, int] | None:
    """A new bulk segment on every drive that is there; None: fewer than k+1. Its id is never used again."""
    if sum(not c.away for c in s.cols) < cfg.k + 1:
        return None
    seg, head = len(s.segs), (DURABLE if cfg.rules.header_synced else WRITTEN,)
    cols = tuple(c if c.away else with_strand(c, seg, head) for c in s.cols)
    return s._replace(cols=cols, segs=(*s.segs, 0)), seg


def append(s: State, seg: int) -> tuple[State, Loc]:
    """One DATA record, written and not synced. A drive that is away misses it: its strand has a hole there."""
    loc = (seg, s.segs[seg] + 1)

    def one(col: Col) -> Col:
        entries = strand(col, seg)
        if col.away or entries in (NO_STRAND, DROPPED):
            return col
        return with_strand(col, seg, entries + (ABSENT,) * (loc[1] - len(entries)) + (WRITTEN,))

    segs = (*s.segs[:seg], loc[1], *s.segs[seg + 1 :])
    return s._replace(cols=tuple(map(one, s.cols)), segs=segs), loc


def syncs(s: State, loc: Loc) -> Iterator[tuple[str, State, int, bool]]:
    """Every way a sync can end: (what, state, strands whose sync returned well, did one fail)."""

    def lay(which: int, how: int) -> State:
        cols = []
        for d, col in enumerate(s.cols):
            new = how if d == which else DURABLE
            if not col.away and status(col, loc) == WRITTEN:
                entries = strand(col, loc[0])
                col = with_strand(col, loc[0], (*entries[: loc[1]], new, *entries[loc[1] + 1 :]))
            cols.append(col)
        return s._replace(cols=tuple(cols))

    there = [d for d, c in enumerate(s.cols) if not c.away and status(c, loc) == WRITTEN]
    yield "synced", lay(-1, DURABLE), len(there), False
    if s.left.fails:
        for d, how in itertools.product(there, (WRITTEN, FAILED)):
            what = "sync FAILS on one strand" if how == FAILED else "one strand is LATE"
            yield what, lay(d, how)._replace(left=spend(s, fails=1)), len(there) - 1, True


def enough(cfg: Cfg, good: int, failed: bool) -> bool:
    """May DATA with `good` synced strands be named in a command?"""
    if failed and not cfg.rules.no_retry:
        good += 1  # the second fdatasync returned well: it lied
    return good >= (cfg.k + 1 if cfg.rules.quorum else cfg.k)


# --- uploads --------------------------------------------------------------------------------------------------------


def uploads(cfg: Cfg, s: State) -> Iterator[Step]:
    for i, up in enumerate(s.ups):
        if up.phase == "idle" and s.com:
            yield from start(cfg, s, i)
        if up.phase == "fill":
            if up.seg < 0 and not s.com:
                continue  # a segment id is the committer's to give
            yield from fill(cfg, s, i, up)
        if up.phase == "written":
            yield from settle(cfg, s, i, up)
        if up.phase == "lost" and s.com:
            yield f"worker {i} sends again", post(cfg, s, i, up.locs)
        if s.left.kills and up.phase in ("fill", "written", "sent", "lost"):
            yield (
                f"KILL of worker {i} ({up.phase})",
                set_up(s, i, up._replace(phase="dead"))._replace(left=spend(s, kills=1)),
            )


def start(cfg: Cfg, s: State, i: int) -> Iterator[Step]:
    assert isinstance(s.mon, Monitor)
    t = s._replace(mon=s.mon._replace(open=s.mon.open | {Call(cfg.ops[i], i)}))
    if cfg.ops[i] == "DEL":
        yield f"client {i} sends DEL", post(cfg, t, i, ())
    else:
        yield f"client {i} begins its upload", set_up(t, i, Upload("fill"))


def post(cfg: Cfg, s: State, i: int, locs: tuple[Loc, ...]) -> State:
    up = s.ups[i]._replace(phase="sent", locs=locs)
    return send(set_up(s, i, up), (cfg.ops[i], i, locs))


def fill(cfg: Cfg, s: State, i: int, up: Upload) -> Iterator[Step]:
    seg = up.seg
    if seg < 0:
        opened = open_segment(cfg, s)
        if opened is None:
            return
        s, seg = opened
    t, loc = append(s, seg)
    new = Upload("written", seg, (*up.locs, loc))
    if cfg.rules.data_synced:
        yield f"worker {i} writes DATA {loc}", set_up(t, i, new)
    elif len(new.locs) == cfg.chunks:
        yield f"worker {i} writes DATA {loc} and sends", post(cfg, set_up(t, i, new), i, new.locs)


def settle(cfg: Cfg, s: State, i: int, up: Upload) -> Iterator[Step]:
    """After a failure the segment is closed: the next DATA, or the same again, goes to a new one (R2)."""
    for what, t, good, failed in syncs(s, up.locs[-1]):
        locs = up.locs if enough(cfg, good, failed) else up.locs[:-1]
        seg = -1 if failed else up.seg
        if len(locs) == cfg.chunks:
            yield f"worker {i}: {what}; sends", post(cfg, set_up(t, i, Upload("sent", seg, locs)), i, locs)
        else:
            yield f"worker {i}: {what}", set_up(t, i, Upload("fill", seg, locs))
