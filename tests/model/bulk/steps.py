"""The bulk model as a whole: workers, a reader, committer, collector, kills, power cuts, drives that go and come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.bulk.collector import collector
from tests.model.bulk.committer import cleaner, committer, observe
from tests.model.bulk.state import (
    ABSENT,
    DROPPED,
    DURABLE,
    FAILED,
    NO_STRAND,
    WRITTEN,
    Cfg,
    Col,
    Collector,
    Committer,
    Reader,
    State,
    canon,
    draw,
    durable,
    fold,
    initial,
    readable,
    shown,
    spend,
    visible,
)  # fmt: skip
from tests.model.bulk.uploads import uploads
from tests.model.explore import Model, Step


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


# --- a reader, crashes, absences ------------------------------------------------------------------------------------


def reader(cfg: Cfg, s: State) -> Iterator[Step]:
    row, get = shown(s), s.reader
    if get.phase == "idle" and s.left.reads and row and not s.cold:
        yield "GET looks up", s._replace(reader=Reader("found", row[1]), left=spend(s, reads=1))
    if get.phase == "found":
        locked = s.collector.seg if s.collector.phase in ("locked", "dropping", "granted") else -1
        if not cfg.rules.drop_exclusive:
            locked = -1
        gone = any(seg == locked or readable(s, (seg, pos)) < cfg.k for seg, pos in get.locs)
        # It has its pins and looks again: what it holds now is what counts.
        again = cfg.rules.reader_again and (row is None or row[1] != get.locs)
        if not gone and not again:
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
    """Its queue is gone; of its batch the successor keeps as many records as it finds (see the journal's own model)."""
    ups = tuple(u._replace(phase="lost") if u.phase == "sent" else u for u in s.ups)
    job = Collector() if s.collector.phase in ("moving", "dropping", "closing") else s.collector
    t = s._replace(com=None, queue=(), ups=ups, collector=job)
    yield t
    if s.com and s.com.phase == "write":
        records = tuple(one.record for one in s.com.batch if one.record)
        for count in range(1, len(records) + 1):
            yield t._replace(log=s.log + records[:count])


def power_cuts(s: State) -> Iterator[Step]:
    """Every process dies; what was not synced stays or goes, drive by drive; the index may go back."""
    ups = tuple(u if u.phase in ("idle", "done") else u._replace(phase="dead") for u in s.ups)
    base = s._replace(
        ups=ups, collector=Collector(), reader=Reader("done"), cleaner=None, cold=True, left=spend(s, cuts=1)
    )
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


MODEL = Model("bulk", initial, successors, problem, canon, draw)
