"""The collector: copies live DATA away and asks for MOVED, drops what nobody needs, punches dead DATA (R7)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.bulk.state import (
    DROPPED,
    NO_STRAND,
    PUNCHED,
    Cfg,
    Collector,
    Loc,
    State,
    pins,
    readable,
    send,
    shown,
    spend,
    status,
    strand,
    with_strand,
)  # fmt: skip
from tests.model.bulk.uploads import append, enough, open_segment, syncs
from tests.model.explore import Step


def collector(cfg: Cfg, s: State) -> Iterator[Step]:
    col = s.collector
    if col.phase == "idle" and not s.cold:
        yield from begin_move(cfg, s)
        yield from begin_drop(cfg, s)
        yield from begin_punch(cfg, s)
    if col.phase == "copied":
        yield from settle_copy(cfg, s)
    if col.phase == "locked" and s.com:
        asked = send(s, ("DROP", col.seg))._replace(collector=col._replace(phase="dropping"))
        yield f"collector asks to drop S{col.seg}", asked
    if col.phase == "moving" and not cfg.rules.moved_durable and _asked(s):
        yield f"collector drops S{col.frm} before MOVED is durable", unlink(s, col.frm)
    if col.phase == "granted":
        yield f"collector drops S{col.seg}", unlink(s, col.seg)._replace(collector=Collector())
        if s.left.kills:
            for count in range(1, cfg.n):
                t = unlink(s, col.seg, count)._replace(collector=Collector(), left=spend(s, kills=1))
                yield f"KILL of the collector, S{col.seg} removed from {count} drives", t
    yield from punch(cfg, s)
    if s.left.kills and col.phase != "idle":
        yield f"KILL of the collector ({col.phase})", s._replace(collector=Collector(), left=spend(s, kills=1))


def _asked(s: State) -> bool:
    return s.com is not None and any(one.command[0] == "MOV" for one in s.com.batch)


def unlink(s: State, seg: int, count: int | None = None) -> State:
    """The strands of `seg` are gone from the first `count` present drives (all)."""
    cols = list(s.cols)
    for d in [d for d, c in enumerate(cols) if not c.away and strand(c, seg) != NO_STRAND][:count]:
        cols[d] = with_strand(cols[d], seg, DROPPED)
    return s._replace(cols=tuple(cols))


def begin_move(cfg: Cfg, s: State) -> Iterator[Step]:
    row = shown(s)
    if not (s.left.moves and row and s.com):
        return
    for loc in row[1]:
        opened = open_segment(cfg, s)
        if opened is None or readable(s, loc) < cfg.k:
            continue
        t, new = append(*opened)
        locs = tuple(new if x == loc else x for x in row[1])
        job = Collector("copied", new[0], row, loc[0])
        if not cfg.rules.copy_synced:
            t, job = send(t, ("MOV", row[0], locs, row)), job._replace(phase="moving")
        yield f"collector copies {loc} to {new}", t._replace(collector=job, left=spend(s, moves=1))


def settle_copy(cfg: Cfg, s: State) -> Iterator[Step]:
    col = s.collector
    assert col.row is not None
    new = (col.seg, s.segs[col.seg])
    locs = tuple(new if seg == col.frm else (seg, pos) for seg, pos in col.row[1])
    for what, t, good, failed in syncs(s, new):
        if not enough(cfg, good, failed):
            yield f"collector: {what}; gives up", t._replace(collector=Collector())
        elif s.com:
            command = ("MOV", col.row[0], locs, col.row)
            yield (
                f"collector: {what}; asks for MOVED",
                send(t, command)._replace(collector=col._replace(phase="moving")),
            )


def begin_drop(cfg: Cfg, s: State) -> Iterator[Step]:
    row = shown(s)
    live = {seg for seg, _ in row[1]} if row else set()
    for seg in range(len(s.segs)):
        if not s.left.drops or seg in pins(cfg, s) or all(strand(c, seg) in (NO_STRAND, DROPPED) for c in s.cols):
            continue
        if cfg.rules.drop_ordered:
            yield f"collector locks S{seg}", s._replace(collector=Collector("locked", seg), left=spend(s, drops=1))
        elif seg not in live:
            yield (
                f"collector finds S{seg} unheld and unreferred, drops it",
                unlink(s, seg)._replace(left=spend(s, drops=1)),
            )


def begin_punch(cfg: Cfg, s: State) -> Iterator[Step]:
    """Only in a segment that nobody holds: its writer is gone."""
    for seg in range(len(s.segs)):
        if not s.left.punches or not s.com or seg in pins(cfg, s):
            continue
        t = s._replace(collector=Collector("closed", seg), left=spend(s, punches=1))
        if cfg.rules.punch_closes:
            t = send(t, ("CLOSE", seg))._replace(collector=Collector("closing", seg))
        yield f"collector looks for dead DATA in S{seg}", t


def punch(cfg: Cfg, s: State) -> Iterator[Step]:
    """The row is looked at, then the pins, then the bytes go, drive by drive."""
    col, row = s.collector, shown(s)
    if col.phase == "closed" and not s.cold:
        for loc in [(col.seg, at) for at in range(1, s.segs[col.seg] + 1)]:
            if not row or loc not in row[1]:
                yield f"collector finds {loc} dead", s._replace(collector=col._replace(phase="dead", loc=loc))
    if col.phase == "dead" and not (cfg.rules.punch_pins and col.seg in pins(cfg, s)):
        yield f"collector has S{col.seg} alone for a moment", s._replace(collector=col._replace(phase="alone"))
    if col.phase == "alone" and col.loc:
        yield f"collector punches {col.loc}", hollow(s, col.loc)._replace(collector=Collector())
        if s.left.kills:
            for count in range(1, cfg.n):
                t = hollow(s, col.loc, count)._replace(collector=Collector(), left=spend(s, kills=1))
                yield f"KILL of the collector, {col.loc} punched on {count} drives", t


def hollow(s: State, loc: Loc, count: int | None = None) -> State:
    """The bytes of one DATA are gone from the first `count` present drives (all)."""
    cols = list(s.cols)
    for d in [d for d, c in enumerate(cols) if not c.away and status(c, loc)][:count]:
        entries = strand(cols[d], loc[0])
        cols[d] = with_strand(cols[d], loc[0], (*entries[: loc[1]], PUNCHED, *entries[loc[1] + 1 :]))
    return s._replace(cols=tuple(cols))
