"""What can happen in the bulk model: uploads and a reader in workers, the committer, the collector, kills, power cuts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.bulk.state import (
    ABSENT, DROPPED, DURABLE, FAILED, JUDGE, NO_STRAND, WRITTEN, Cfg, Col, Collector, Committer, Loc, Reader, State, Upload,
    durable, fold, pins, readable, send, set_up, shown, spend, status, strand, visible, with_strand,
)  # fmt: skip
from tests.model.explore import Step
from tests.model.linear import Call, Monitor

LOST_UPLOAD = "(R7) the DATA of an upload that still runs was dropped"


def successors(cfg: Cfg, s: State) -> Iterator[Step]:
    if isinstance(s.mon, str):
        return
    if s.com is None:
        recovered = s._replace(com=Committer(), idx=len(s.log), cold=False)
        yield "RECOVERY", observe(recovered)
    else:
        yield from committer(cfg, s, s.com)
        yield from cleaner(s)
    yield from uploads(cfg, s)
    yield from collector(cfg, s)
    yield from reader(cfg, s)
    yield from crashes(cfg, s)
    yield from absences(s)


def observe(s: State, reply: tuple[int, str] | None = None) -> State:
    assert isinstance(s.mon, Monitor)
    return s._replace(mon=JUDGE.seen(s.mon, visible(s), reply))


# --- writing DATA ---------------------------------------------------------------------------------------------------------


def open_segment(cfg: Cfg, s: State) -> tuple[State, int] | None:
    """A new bulk segment on every drive that is there; None: fewer than k+1. Its id comes from the committer: never used again."""
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


# --- uploads --------------------------------------------------------------------------------------------------------------


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
            yield f"KILL of worker {i} ({up.phase})", set_up(s, i, up._replace(phase="dead"))._replace(left=spend(s, kills=1))


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


# --- the committer --------------------------------------------------------------------------------------------------------


def decide(cfg: Cfg, s: State, com: Committer, command: tuple) -> tuple[str, tuple | None, frozenset[int]]:
    """(reply, record or None, segments dropped)."""
    row, kind = shown(s), command[0]
    if kind == "DROP":
        free = not (row and command[1] in {seg for seg, _ in row[1]})
        return ("OK", None, com.dropped | {command[1]}) if free else ("HELD", None, com.dropped)
    _, op, locs = command[:3]
    if kind in ("PUT", "DEL") and op in {o for k, o, _ in s.log if k in ("P", "D")}:
        return "OK", None, com.dropped  # R16
    if cfg.rules.drop_refuses and com.dropped & {seg for seg, _ in locs}:
        return "GONE", None, com.dropped
    if kind in ("MOV", "CLEAN"):
        guarded = cfg.rules.still_points if kind == "MOV" else cfg.rules.clean_current
        if guarded and row != command[3]:
            return "CHANGED", None, com.dropped
        return "OK", ("M", op, locs), com.dropped
    return "OK", ("P" if kind == "PUT" else "D", op, locs), com.dropped


def committer(cfg: Cfg, s: State, com: Committer) -> Iterator[Step]:
    if com.phase == "idle":
        for command in s.queue:
            reply, record, dropped = decide(cfg, s, com, command)
            rest = tuple(c for c in s.queue if c != command)
            new = Committer("write" if record else "reply", command, reply, record, dropped)
            yield f"decides {command}: {reply}", s._replace(com=new, queue=rest)
    if com.phase == "write":
        yield "batch durable", s._replace(com=com._replace(phase="txn"), log=(*s.log, com.record or ()))
    if com.phase == "txn":
        yield "index transaction", observe(s._replace(idx=len(s.log), com=com._replace(phase="reply")))
    if com.phase == "reply":
        yield f"replies {com.reply}", reply_to(s._replace(com=Committer(dropped=com.dropped)), com.command, com.reply)


def reply_to(s: State, command: tuple, reply: str) -> State:
    kind, who = command[0], command[1]
    if kind in ("PUT", "DEL"):
        if s.ups[who].phase != "sent":
            return s  # its worker has died
        if reply != "OK":
            return s._replace(mon=LOST_UPLOAD)
        return observe(set_up(s, who, Upload("done")), (who, "OK"))
    if kind == "DROP" and s.collector == Collector("dropping", who):
        phase = "granted" if reply == "OK" else "idle"
        return s._replace(collector=Collector(phase, who) if phase == "granted" else Collector())
    if kind == "MOV" and s.collector.phase == "moving":
        return s._replace(collector=Collector())
    return s


def cleaner(s: State) -> Iterator[Step]:
    """The journal's cleaning reads a row, and later has it appended again."""
    row = shown(s)
    if s.left.cleans and s.cleaner is None and row:
        yield "cleaning reads the row", s._replace(cleaner=row, left=spend(s, cleans=1))
    if s.cleaner:
        command = ("CLEAN", s.cleaner[0], s.cleaner[1], s.cleaner)
        yield "cleaning asks for MOVED", send(s, command)._replace(cleaner=None)


# --- the collector --------------------------------------------------------------------------------------------------------


def collector(cfg: Cfg, s: State) -> Iterator[Step]:
    col = s.collector
    if col.phase == "idle" and not s.cold:
        yield from begin_move(cfg, s)
        yield from begin_drop(cfg, s)
    if col.phase == "copied":
        yield from settle_copy(cfg, s)
    if col.phase == "locked" and s.com:
        asked = send(s, ("DROP", col.seg))._replace(collector=col._replace(phase="dropping"))
        yield f"collector asks to drop S{col.seg}", asked
    if col.phase == "moving" and not cfg.rules.moved_durable and s.com and s.com.command[:1] == ("MOV",):
        yield f"collector drops S{col.frm} before MOVED is durable", unlink(s, col.frm)
    if col.phase == "granted":
        yield f"collector drops S{col.seg}", unlink(s, col.seg)._replace(collector=Collector())
    if s.left.kills and col.phase != "idle":
        yield f"KILL of the collector ({col.phase})", s._replace(collector=Collector(), left=spend(s, kills=1))


def unlink(s: State, seg: int) -> State:
    return s._replace(cols=tuple(c if c.away or strand(c, seg) == NO_STRAND else with_strand(c, seg, DROPPED) for c in s.cols))


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
        job = Collector("copied", new[0], (row[0], locs), loc[0])
        if not cfg.rules.copy_synced:
            t, job = send(t, ("MOV", *job.row, row)), job._replace(phase="moving")
        else:
            t = t._replace(cleaner=t.cleaner)
        yield f"collector copies {loc} to {new}", t._replace(collector=job._replace(row=row), left=spend(s, moves=1))


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
            yield f"collector: {what}; asks for MOVED", send(t, command)._replace(collector=col._replace(phase="moving"))


def begin_drop(cfg: Cfg, s: State) -> Iterator[Step]:
    row = shown(s)
    live = {seg for seg, _ in row[1]} if row else set()
    for seg in range(len(s.segs)):
        if not s.left.drops or seg in pins(cfg, s) or all(strand(c, seg) in (NO_STRAND, DROPPED) for c in s.cols):
            continue
        if cfg.rules.drop_ordered:
            yield f"collector locks S{seg}", s._replace(collector=Collector("locked", seg), left=spend(s, drops=1))
        elif seg not in live:
            yield f"collector finds S{seg} unheld and unreferred, drops it", unlink(s, seg)._replace(left=spend(s, drops=1))


# --- a reader, crashes, absences ------------------------------------------------------------------------------------------


def reader(cfg: Cfg, s: State) -> Iterator[Step]:
    row, get = shown(s), s.reader
    if get.phase == "idle" and s.left.reads and row and not s.cold:
        yield "GET looks up", s._replace(reader=Reader("found", row[1]), left=spend(s, reads=1))
    if get.phase == "found":
        locked = s.collector.seg if s.collector.phase in ("locked", "dropping", "granted") else -1
        gone = any(seg == locked or readable(s, (seg, pos)) < cfg.k for seg, pos in get.locs)
        if not gone:
            yield "GET holds its segments and streams", s._replace(reader=get._replace(phase="reading"))
        elif not s.cold:
            yield "GET looks up again", s._replace(reader=Reader("found", row[1]) if row else Reader("done"))
    if get.phase == "reading":
        yield "GET ends", s._replace(reader=Reader("done"))


def crashes(cfg: Cfg, s: State) -> Iterator[Step]:
    if s.left.kills and s.com:
        for t in without_committer(s):
            yield f"KILL of the committer ({s.com.phase})", t._replace(left=spend(s, kills=1))
    if s.left.cuts:
        for t in without_committer(s):
            yield from power_cuts(t)


def without_committer(s: State) -> Iterator[State]:
    """Its queue is gone; of the batch it was writing, the successor keeps all or nothing (the journal's own model)."""
    ups = tuple(u._replace(phase="lost") if u.phase == "sent" else u for u in s.ups)
    job = Collector() if s.collector.phase in ("moving", "dropping") else s.collector
    t = s._replace(com=None, queue=(), ups=ups, collector=job)
    yield t
    if s.com and s.com.phase == "write" and s.com.record:
        yield t._replace(log=(*s.log, s.com.record))


def power_cuts(s: State) -> Iterator[Step]:
    """Every process dies; what was not synced stays or goes, drive by drive; the index may go back."""
    ups = tuple(u if u.phase in ("idle", "done") else u._replace(phase="dead") for u in s.ups)
    base = s._replace(ups=ups, collector=Collector(), reader=Reader("done"), cleaner=None, cold=True, left=spend(s, cuts=1))
    fates = [list(after_cut(c)) for c in s.cols]
    for cols in itertools.product(*fates):
        for idx in range(s.idx + 1):
            yield f"POWER CUT, index back to {idx} of {len(s.log)}", base._replace(cols=cols, idx=idx)


def after_cut(col: Col) -> Iterator[Col]:
    spots = [(seg, i) for seg, e in enumerate(col.strands) if e != DROPPED for i, x in enumerate(e) if x == WRITTEN]
    for kept in itertools.product((ABSENT, DURABLE), repeat=len(spots)):
        fate = dict(zip(spots, kept, strict=True))
        strands = []
        for seg, entries in enumerate(col.strands):
            new = tuple(fate.get((seg, i), ABSENT if x == FAILED else x) for i, x in enumerate(entries))
            strands.append(new if entries == DROPPED or not new or new[0] else NO_STRAND)
        yield Col(False, tuple(strands))


def absences(s: State) -> Iterator[Step]:
    if s.left.aways:
        for d, c in enumerate(s.cols):
            if not c.away:
                cols = (*s.cols[:d], c._replace(away=True), *s.cols[d + 1 :])
                yield "a drive goes away", s._replace(cols=cols, left=spend(s, aways=1))
    if any(c.away for c in s.cols):
        gone = {seg for c in s.cols for seg, e in enumerate(c.strands) if e == DROPPED}
        cols = tuple(
            c._replace(away=False, strands=tuple(DROPPED if i in gone and e else e for i, e in enumerate(c.strands)))
            for c in s.cols
        )
        yield "the drive comes back", s._replace(cols=cols)


def problem(cfg: Cfg, s: State) -> str | None:
    if s.mon is None:
        return f"not linearizable: visible {visible(s)}"
    if isinstance(s.mon, str):
        return s.mon
    row = shown(s)
    if row and not s.cold:
        for loc in row[1]:
            if durable(s, loc) < cfg.k + 1:
                return f"(R1) DATA {loc} of the visible version is on {durable(s, loc)} durable strands, fewer than k+1"
    settled = fold(s.log)
    if settled and s.com and not s.cold and any(durable(s, loc) < cfg.k + 1 for loc in settled[1]):
        return "(R1) a durable record names DATA that is not"
    if s.reader.phase == "reading" and any(readable(s, loc) < cfg.k for loc in s.reader.locs):
        return "(R7) a streaming read lost its segment"
    return None
