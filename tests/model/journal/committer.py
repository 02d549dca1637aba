"""The committer at work: decide, write, roll, commit, reply, clean (R1, R2, R6, R7, R16)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.explore import Step
from tests.model.journal.recovery import open_first, partial
from tests.model.journal.state import (
    ABSENT,
    DROPPED,
    DURABLE,
    FAILED,
    JUDGE,
    WRITTEN,
    Cfg,
    Col,
    Com,
    Decided,
    Record,
    Seg,
    State,
    apply,
    chain,
    commit,
    copies,
    down,
    entries,
    kind,
    member,
    parsed,
    spec,
    visible,
    with_strand,
)  # fmt: skip
from tests.model.linear import UNSEEN, Monitor

R1_BROKEN = "R1: acked on fewer than k+1 durable strands"
Item = int | Record  # what a batch is made of: a client's command, or a record that cleaning appends again


def running(cfg: Cfg, s: State, com: Com) -> Iterator[Step]:
    if com.phase == "open":
        yield from open_first(cfg, s, com)
    elif com.phase == "idle":
        yield from _batches(cfg, s, com)
        yield from _cleaning(cfg, s, com)
    elif com.phase == "write":
        yield from write(cfg, s, com)
    elif com.phase == "roll":
        yield from roll(cfg, s, com, s.segs[com.cur].floor)
    elif com.phase == "drop":
        floor = s.segs[com.cur].floor
        t = s._replace(cols=drop(s.cols, floor), com=com._replace(phase="idle"))
        yield f"drops below S{floor} on present drives", t
    elif com.phase == "txn":
        yield _transaction(s, com)
    elif com.phase == "reply":
        yield _replies(cfg, s, com)
    if s.breaks and com.phase in ("write", "txn", "reply", "roll"):
        yield from _breaks(s, com)
    if any(c.away for c in s.cols) and com.phase != "open":
        yield _return(cfg, s, com)
    if s.kills and com.phase != "write":
        yield f"KILL in phase {com.phase}", down(s)


# --- deciding -------------------------------------------------------------------------------------------------------


def _batches(cfg: Cfg, s: State, com: Com) -> Iterator[Step]:
    groups: list[tuple[Item, ...]] = [(op,) for op in s.queue]
    if cfg.pairs:
        groups += itertools.permutations(s.queue, 2)
        groups += [pair for op in s.queue for rec in _due(s, com) for pair in ((op, rec), (rec, op))]
    for items in groups:
        batch = decide(cfg, s, com, items)
        t = s._replace(queue=tuple(op for op in s.queue if op not in items))
        if not cfg.rules.refuse_late:
            for one in batch:
                if one.reply == "412" and one.op is not None:
                    t = _refuse_early(t, one.op)
            batch = tuple(one for one in batch if one.reply != "412")
        phase = "write" if any(one.record for one in batch) else "reply"
        yield f"decides {[tuple(one) for one in batch]}", t._replace(com=com._replace(phase=phase, batch=batch))


def decide(cfg: Cfg, s: State, com: Com, items: tuple[Item, ...]) -> tuple[Decided, ...]:
    """In order, each against the index and the batch before it."""
    assert isinstance(s.mon, Monitor)
    calls = {call.op: call for call in s.mon.open}
    idx, batch = s.idx, []
    for item in items:
        base = idx if cfg.rules.batch_seen else s.idx
        if isinstance(item, tuple):
            row = (idx if cfg.rules.clean_batch else s.idx).rows[item[2]]
            still = row is not None and row[0] == item[1]
            decided = Decided(None, "OK", item if still else None)
        elif item in base.ids if cfg.rules.ids_kept else item in visible(base):
            decided = Decided(item, "OK", None)
        else:
            verb, key = parsed(kind(cfg, item))
            reply, _ = spec(calls[item], visible(base))
            rec = ("D" if verb in ("DEL", "DROPB") else "P", item, key)
            decided = Decided(item, reply, rec if reply == "OK" else None)
        if decided.record:
            idx = apply(idx, com.cur, com.acked + 1, decided.record)
        batch.append(decided)
    return tuple(batch)


def _refuse_early(s: State, op: int) -> State:
    """Without refuse_late: a refusal is answered before the batch it was decided in is durable."""
    assert isinstance(s.mon, Monitor)
    c = op // 10
    unseen = (UNSEEN,) * len(s.idx.rows)
    return _client(s._replace(mon=JUDGE.seen(s.mon, unseen, (op, "412"))), c, s.clients[c][0] + 1, "idle")


def _client(s: State, c: int, done: int, phase: str) -> State:
    return s._replace(clients=(*s.clients[:c], (done, phase), *s.clients[c + 1 :]))


# --- durable --------------------------------------------------------------------------------------------------------


def write(cfg: Cfg, s: State, com: Com) -> Iterator[Step]:
    g, new = com.cur, tuple(one.record for one in com.batch if one.record)
    seg = s.segs[g]._replace(recs=s.segs[g].recs + new)
    t = s._replace(segs=(*s.segs[:g], seg, *s.segs[g + 1 :]))
    who, old = [d for d, c in enumerate(s.cols) if member(c, g) and not c.away], 1 + len(s.segs[g].recs)

    def lay(how: dict[int, int]) -> tuple[Col, ...]:
        return tuple(
            with_strand(c, g, entries(c, g) + (how.get(d, DURABLE),) * len(new)) if d in who else c
            for d, c in enumerate(s.cols)
        )

    done = com._replace(phase="txn")
    yield f"batch {new} durable on {len(who)} strands", t._replace(cols=lay({}), com=done)
    if not cfg.rules.ack_all:
        for late in itertools.combinations(who, len(who) - cfg.k):
            yield f"batch {new} durable on k strands only", t._replace(cols=lay(dict.fromkeys(late, WRITTEN)), com=done)
    if s.kills:
        for cols in partial(s.cols, g, who, old=old, new=len(new), whole=False):
            yield f"KILL while writing {new} to S{g}", down(t._replace(cols=cols))
    if s.fails:
        after = com._replace(phase="roll", excluded=True)
        for d, (how, what) in itertools.product(
            who, ((ABSENT, "absent"), (WRITTEN, "unsynced"), (FAILED, "reads clean"))
        ):
            failed = t._replace(cols=lay({d: how}), com=after, fails=s.fails - 1)
            yield f"SYNC FAILS or lags on one strand, {what}", failed


def roll(cfg: Cfg, s: State, com: Com, floor: int) -> Iterator[Step]:
    """A new segment, without the drive that failed (R2) or with a higher floor (R7)."""
    cur = com.cur
    who = [d for d, c in enumerate(s.cols) if not c.away and not _failed(c, com)]
    if len(who) < cfg.k + 1:
        yield "fewer than k+1 drives: 503, committer stops", down(s._replace(kills=s.kills + 1))
        return
    g = len(s.segs)
    t = s._replace(segs=(*s.segs, Seg(s.segs[cur].epoch, s.segs[cur].num + 1, cur, com.acked, floor, (), 0)))
    if s.kills:
        for cols in partial(s.cols, g, who, old=0, new=1, whole=True):
            yield f"KILL while rolling to S{g} (S{cur} ends at {com.acked})", down(t._replace(cols=cols))
    cols = tuple(with_strand(c, g, (DURABLE,)) if d in who else c for d, c in enumerate(s.cols))
    phase = "write" if com.batch else "drop" if floor != s.segs[cur].floor else "idle"
    after = com._replace(phase=phase, cur=g, acked=0, excluded=False)
    yield f"rolls to S{g} (S{cur} ends at {com.acked}, floor S{floor})", t._replace(cols=cols, com=after)


def _failed(c: Col, com: Com) -> bool:
    strand = entries(c, com.cur)
    return com.excluded and (not member(c, com.cur) or len(strand) <= com.acked + 1 or strand[-1] != DURABLE)


def _transaction(s: State, com: Com) -> Step:
    idx, acked = s.idx, com.acked
    for one in com.batch:
        if one.record:
            acked += 1
            idx = apply(idx, com.cur, acked, one.record)
    return f"index transaction -> {visible(idx)}", commit(s, idx)._replace(com=com._replace(phase="reply", acked=acked))


def _replies(cfg: Cfg, s: State, com: Com) -> Step:
    t = s
    for one in com.batch:
        if one.op is not None and one.op not in com.broken and isinstance(t.mon, Monitor):
            t = _ack(cfg, t, one.op, one.reply)
    said = [(one.op, one.reply) for one in com.batch if one.op not in com.broken]
    return f"replies {said}", t._replace(com=com._replace(phase="idle", batch=(), broken=frozenset()))


def _ack(cfg: Cfg, s: State, op: int, reply: str) -> State:
    """The reply arrives."""
    assert isinstance(s.mon, Monitor)
    if op not in [call.op for call in s.mon.open]:
        return s
    mon = JUDGE.seen(s.mon, visible(s.idx), (op, reply))
    if mon and reply == "OK" and op in visible(s.idx) and copies(s, op)[1] < cfg.k + 1:
        return s._replace(mon=R1_BROKEN)
    return _client(s._replace(mon=mon), op // 10, s.clients[op // 10][0] + 1, "idle")


def _breaks(s: State, com: Com) -> Iterator[Step]:
    for one in com.batch:
        if one.op is not None and one.op not in com.broken and s.clients[one.op // 10][1] == "wait":
            t = s._replace(breaks=s.breaks - 1, com=com._replace(broken=com.broken | {one.op}))
            yield f"connection of {one.op} breaks", _client(t, one.op // 10, s.clients[one.op // 10][0], "lost")


# --- cleaning, and drives that return -------------------------------------------------------------------------------


def _due(s: State, com: Com) -> list[Record]:
    """What is live in the oldest segment, if that is not the open one."""
    floor = s.segs[com.cur].floor
    if not s.cleans or floor == com.cur:
        return []
    return [("M", row[0], key) for key, row in enumerate(s.idx.rows) if row and row[1] == floor]


def _cleaning(cfg: Cfg, s: State, com: Com) -> Iterator[Step]:
    floor = s.segs[com.cur].floor
    if not s.cleans:
        return
    if floor == com.cur:
        if s.segs[floor].recs:  # full
            yield from roll(cfg, s._replace(cleans=s.cleans - 1), com, floor)
        return
    due = _due(s, com)
    for rec in due:
        after = com._replace(phase="write", batch=(Decided(None, "OK", rec),))
        yield f"cleaning S{floor}: MOVED {rec[1]}", s._replace(com=after)
    if due:
        return
    assert isinstance(s.mon, Monitor)
    waiting = {call.op for call in s.mon.open}
    if not (cfg.rules.ids_clean and any(rec[1] in waiting for rec in s.segs[floor].recs)):
        yield from roll(cfg, s._replace(cleans=s.cleans - 1), com, chain(s.segs, com.cur)[1])


def drop(cols: tuple[Col, ...], floor: int) -> tuple[Col, ...]:
    return tuple(
        c if c.away else c._replace(strands=tuple(
            DROPPED if g < floor and isinstance(strand, tuple) else strand for g, strand in enumerate(c.strands)
        ))
        for c in cols
    )  # fmt: skip


def _return(cfg: Cfg, s: State, com: Com) -> Step:
    """What lies below the floor on a drive that comes back is deleted on sight; read-only recovers anew."""
    cols = tuple(c._replace(away=False) for c in s.cols)
    if com.phase == "readonly":
        return "drives come back, read-only ends", down(s._replace(cols=cols, kills=s.kills + 1))
    return "drives come back", s._replace(cols=drop(cols, s.segs[com.cur].floor) if cfg.rules.floor else cols)
