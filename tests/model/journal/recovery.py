"""Crashes, and recovery from them (R15): what may be left on the strands, and what a successor makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.explore import Step
from tests.model.journal.state import (
    ABSENT,
    DAMAGED,
    DURABLE,
    FAILED,
    WRITTEN,
    Cfg,
    Col,
    Com,
    Entries,
    Index,
    Place,
    Seg,
    State,
    apply,
    canon,
    chain,
    commit,
    down,
    empty,
    entries,
    history,
    member,
    observe,
    readable,
    status,
    visible,
    with_strand,
)  # fmt: skip

HIDES = "(c)(d) accepts a record never acked that stays undecodable when all drives return; it hides an acked one"
STUCK = "stuck for ever"


def stopped(cfg: Cfg, s: State) -> Iterator[Step]:
    """What can happen while no committer runs."""
    if s.cuts:
        yield from power_cuts(cfg, s)
    if s.rots:
        yield from rots(s)
    for count in range(cfg.maxaway + 1):
        for away in itertools.combinations(range(cfg.n), count):
            got = list(recoveries(cfg, s, frozenset(away)))
            if count == 0 and not got and s.rots == cfg.rots:
                yield "RECOVERY refuses with every drive present", s._replace(mon=STUCK)
            yield from got


# --- what a crash leaves --------------------------------------------------------------------------------------------


def partial(
    cols: tuple[Col, ...], g: int, who: list[int], *, old: int, new: int, whole: bool
) -> Iterator[tuple[Col, ...]]:
    """Every way a write of `new` entries after `old` ones may lie on the strands of drives `who` at a crash."""
    ways: list[Entries] = [(ABSENT,) * new, (WRITTEN,) * new, (DURABLE,) * new]
    if new > 1 and not whole:
        ways.append((WRITTEN,) + (ABSENT,) * (new - 1))
    for pick in itertools.product(ways, repeat=len(who)):
        out = list(cols)
        for d, way in zip(who, pick, strict=True):
            base = entries(cols[d], g)
            out[d] = with_strand(cols[d], g, (base + (ABSENT,) * (old - len(base)))[:old] + way)
        yield tuple(out)


def power_cuts(cfg: Cfg, s: State) -> Iterator[Step]:
    """What was not synced stays or goes, drive by drive; header and opening are one record. The index may go back."""
    spots = [
        (d, g, i)
        for d, c in enumerate(s.cols)
        for g in range(len(c.strands))
        for i, x in enumerate(entries(c, g))
        if x == WRITTEN and not 0 < i <= s.segs[g].head
    ]
    befores = s.hist | {s.idx, empty(cfg)} if cfg.rules.floor else {empty(cfg)}
    for keep in itertools.product((ABSENT, DURABLE), repeat=len(spots)):
        fate = dict(zip(spots, keep, strict=True))
        cols = tuple(_after_cut(s, d, fate) for d in range(cfg.n))
        for old in befores:
            hist = s.hist if s.cuts > 1 else frozenset()
            t = s._replace(cols=cols, idx=old, cuts=s.cuts - 1, cold=True, hist=hist)
            if not cfg.rules.reads_wait and old != empty(cfg):
                t = observe(t, old)
            yield f"POWER CUT, index back to rows={old.rows} mark={old.mark}", t


def _after_cut(s: State, d: int, fate: dict[tuple[int, int, int], int]) -> Col:
    strands = []
    for g, strand in enumerate(s.cols[d].strands):
        if isinstance(strand, tuple):
            head = s.segs[g].head
            lost_or_kept = [
                fate.get((d, g, 0 if i <= head else i), x) if x == WRITTEN else x for i, x in enumerate(strand)
            ]
            strand = tuple(ABSENT if x == FAILED else x for x in lost_or_kept)
        strands.append(strand)
    return s.cols[d]._replace(away=False, strands=tuple(strands))


def rots(s: State) -> Iterator[Step]:
    """A record that is durable goes bad on one strand."""
    for d, c in enumerate(s.cols):
        for g in range(len(c.strands)):
            for i, x in enumerate(entries(c, g)):
                if x == DURABLE:
                    old = entries(c, g)
                    col = with_strand(c, g, (*old[:i], DAMAGED, *old[i + 1 :]))
                    yield (
                        f"record {i} of S{g} is DAMAGED on one strand",
                        s._replace(cols=(*s.cols[:d], col, *s.cols[d + 1 :]), rots=s.rots - 1),
                    )


# --- what a successor sees ------------------------------------------------------------------------------------------


class Survey:
    """The journal as the present drives show it."""

    def __init__(self, cfg: Cfg, s: State, away: frozenset[int]) -> None:
        self.cfg, self.segs, self.away = cfg, s.segs, away
        self.cols = tuple(c._replace(away=d in away) for d, c in enumerate(s.cols))
        self.here = [c for c in self.cols if not c.away]

    def have(self, g: int, i: int) -> int:
        return sum(readable(c, g, i) for c in self.here)

    def unread(self, g: int, i: int) -> int:
        away = sum(c.away and member(c, g) for c in self.cols)
        if self.cfg.rules.damage_counts:
            away += sum(status(c, g, i) == DAMAGED for c in self.here)
        elif i:  # a damaged record is seen for what it is; a strand whose header is damaged is not seen at all
            away += sum(status(c, g, i) == DAMAGED and status(c, g, 0) != DAMAGED for c in self.here)
        return away

    def counts(self, g: int, i: int) -> bool:
        """False: provably never acked, and too few copies to be read. What can be read is taken although it may never
        have been acked: its client was told nothing, and a truncated strand looks as an unwritten one does."""
        if not self.cfg.rules.cut_rule:
            return self.have(g, i) >= self.cfg.k
        have, k = self.have(g, i), self.cfg.k
        return have >= k or have + self.unread(g, i) >= k + 1

    def newest(self) -> list[int]:
        """The newest segment; nothing when a newer one, known by its file's name, may have counted: no whole header."""
        found = [
            g for g in range(len(self.segs)) if self.have(g, 0) and (self.counts(g, 0) or not self.cfg.rules.header_cut)
        ]
        best = max((self.rank(g) for g in found), default=(0, 0))
        if self.cfg.rules.damage_counts and any(self.hides(g) for g in range(len(self.segs)) if self.rank(g) > best):
            return []
        return [g for g in found if self.rank(g) == best]

    def rank(self, g: int) -> tuple[int, int]:
        return self.segs[g].epoch, self.segs[g].num

    def hides(self, g: int) -> bool:
        """Neither cut nor read: no whole header, but a damaged one; which drives hold it nobody can tell."""
        damaged = sum(status(c, g, 0) == DAMAGED for c in self.here)
        return not self.have(g, 0) and damaged > 0 and damaged + len(self.away) >= self.cfg.k + 1

    def epoch(self) -> int:
        """The highest that any present drive knows of."""
        return max(
            [self.segs[g].epoch for g in range(len(self.segs)) if self.have(g, 0)] + [c.epoch for c in self.here]
        )

    def accepted(self, g: int) -> int:
        seg, n = self.segs[g], 0
        while n < len(seg.recs) and (n < seg.head or self.counts(g, n + 1)):
            n += 1
        return n

    def missing(self, last: int, n: int) -> list[Place]:
        gone = [(g, i) for g, i, _ in history(self.cfg, self.segs, last, n) if not self.have(g, i)]
        return gone + [(g, 0) for g in chain(self.segs, last) if not self.have(g, 0)]


def recoveries(cfg: Cfg, s: State, away: frozenset[int]) -> Iterator[Step]:
    """Nothing, when it refuses to start."""
    seen = Survey(cfg, s, away)
    if cfg.readonly and len(seen.here) == cfg.k and len(away) <= cfg.k and cfg.rules.ro_quiet:
        yield from read_only(cfg, s, seen)
        return
    enough = len(seen.here) >= (cfg.k + 1 if cfg.rules.ro_quiet else cfg.k) and len(away) <= cfg.k
    if cfg.rules.start_rule and not enough:
        return
    for last in seen.newest():
        yield from _recovery(cfg, s, seen, last)


def _recovery(cfg: Cfg, s: State, seen: Survey, last: int) -> Iterator[Step]:
    n = seen.accepted(last)
    doubt = [i for i in range(s.segs[last].head + 1, n + 1) if seen.have(last, i) < cfg.k]
    if doubt and cfg.rules.doubt_stops:
        return
    if any(sum(readable(c, last, i) for c in seen.cols) < cfg.k for i in doubt) and any(s.idx.rows) and n:
        yield f"RECOVERY, {len(seen.away)} drives away, accepts {n}", canon(s._replace(cols=seen.cols, mon=HIDES))
    lost = seen.missing(last, n)
    if lost and cfg.rules.hole_stops and cfg.rules.floor:
        return
    cols = seen.cols
    if cfg.rules.tail_sync:
        cols = tuple(_synced(c, last, n) for c in cols)
    if cfg.rules.epoch_durable:
        cols = tuple(c if c.away else c._replace(epoch=seen.epoch() + 1) for c in cols)
    base = n
    if cfg.rules.opening:
        base = min(n, s.idx.mark[1]) if s.idx.mark[0] == last else 0
    com = Com("open", last, broken=frozenset(lost), acked=n, found=(seen.epoch() + 1, base, n))
    label = f"RECOVERY, {len(seen.away)} drives away, last segment S{last}, accepts {n} of {len(s.segs[last].recs)}"
    yield label, canon(s._replace(cols=cols, com=com))


def _synced(c: Col, g: int, n: int) -> Col:
    if c.away or not member(c, g):
        return c
    return with_strand(c, g, tuple(DURABLE if x == WRITTEN and i <= n else x for i, x in enumerate(entries(c, g))))


# --- the first segment of a successor -------------------------------------------------------------------------------


def open_first(cfg: Cfg, s: State, com: Com) -> Iterator[Step]:
    """One record: the previous ends at N, and all that was accepted behind it; then replay."""
    last, (epoch, base, n) = com.cur, com.found
    old = s.segs[last]
    tail = old.recs[base:n] if cfg.rules.opening else ()
    g, who = len(s.segs), [d for d, c in enumerate(s.cols) if not c.away]
    seg = Seg(epoch, old.num + 1, last, base, old.floor, tail, len(tail))
    t = s._replace(segs=(*s.segs, seg))
    if s.kills:
        for cols in partial(s.cols, g, who, old=0, new=1 + len(tail), whole=True):
            yield f"KILL while opening S{g} (previous S{last} ends at {base})", down(t._replace(cols=cols))
    cols = tuple(c if c.away else with_strand(c, g, (DURABLE,) * (1 + len(tail))) for c in s.cols)
    t = replay(cfg, t._replace(cols=cols), g, com)
    label = f"opens S{g} (previous S{last} ends at {base}, {len(tail)} again), replays -> {visible(t.idx)}"
    yield label, t._replace(com=Com("idle", g, acked=len(tail)), cold=False)


def replay(cfg: Cfg, t: State, g: int, com: Com) -> State:
    todo = list(history(cfg, t.segs, g, len(t.segs[g].recs)))
    if not (cfg.rules.floor and cfg.rules.ends_at):
        todo = [x for x in todo if any(not c.away and readable(c, x[0], x[1]) for c in t.cols)]
    idx = t.idx
    if cfg.rules.mark_floor and idx.mark[0] not in chain(t.segs, g):
        idx = empty(cfg)
    blind = t.cold or idx == empty(cfg)
    if idx == empty(cfg):
        t = t._replace(idx=idx)
    for gi, i, rec in todo:
        if (gi, i) <= idx.mark or (gi, i) in com.broken:
            continue
        idx = apply(idx, gi, i, rec)
        t = commit(t, idx, shown=not blind)
        if t.mon is None:
            return t
    return observe(t._replace(idx=idx), idx)


# --- read-only ------------------------------------------------------------------------------------------------------


def read_only(cfg: Cfg, s: State, seen: Survey) -> Iterator[Step]:
    """k drives: the index is served as it is, less what any record behind its mark touches on a present strand."""
    for last in seen.newest():
        links = chain(s.segs, last)
        if any(not seen.have(g, 0) for g in links):
            continue
        if cfg.rules.ro_valid and s.idx.mark[0] not in links:
            continue
        behind = _behind(cfg, s.idx, seen, last)
        if behind is None:
            continue
        idx = s.idx
        hidden = frozenset(rec[2] for _, rec in behind) if cfg.rules.ro_hides else frozenset()
        if not cfg.rules.ro_stops:
            for (g, i), rec in behind:
                idx = apply(idx, g, i, rec)
            hidden = frozenset()
        t = observe(s._replace(cols=seen.cols, com=Com("readonly", last), idx=idx), idx, hidden)
        yield (
            f"READ-ONLY, {len(seen.away)} drives away, newest S{last}, {len(behind)} undecided, shows {visible(idx)}",
            canon(t),
        )


def _behind(cfg: Cfg, idx: Index, seen: Survey, last: int) -> list[tuple[Place, tuple[str, int, int]]] | None:
    """None: a place that counts cannot be read, and what lies there might be any key's."""
    out = []
    for g, i, rec in history(cfg, seen.segs, last, len(seen.segs[last].recs)):
        if (g, i) <= idx.mark:
            continue
        if seen.have(g, i):
            out.append(((g, i), rec))
        elif not cfg.rules.ro_whole:
            break
        elif g != last or seen.unread(g, i) >= cfg.k + 1:
            return None
        else:
            break
    return out
