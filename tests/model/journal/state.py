"""Words of the journal model: drives and their journal strands, segments, the committer, the index, commands.

Drives are symmetric, so a state keeps the *sorted* tuple of them. A strand is a tuple of entries, entry 0 its header.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.model.linear import UNSEEN, Call, Judge, Monitor, Store, fresh

# One entry of a strand on one drive.
ABSENT = 0
WRITTEN = 1  # readable; a power cut keeps or loses it
DURABLE = 2
FAILED = 3  # its sync failed: readable from the page cache, gone after a power cut, and a later sync lies (R2)
DAMAGED = 4  # something is there that is not whole

Entries = tuple[int, ...]
Strand = Entries | str | None  # None: never there; DROPPED
DROPPED = "x"
Record = tuple[str, int, int]  # (P, D or M for MOVED; the command; the register it writes)
Row = tuple[int, int]  # (command that wrote what is visible, journal segment its record lies in)
Place = tuple[int, int]  # (segment, position of a record in it, 1 for the first)

MADE = -1  # the command that made the bucket before the history begins (Cfg.made)


class Rules(NamedTuple):
    """True: the rule is there. The first seven are sentences without which the protocol reads well and is wrong."""

    reads_wait: bool = True  # R15: after a boot nothing is read from the index until replay is done
    mark_floor: bool = True  # R15: an index whose mark lies outside the chain is discarded
    epoch_durable: bool = True  # R15: the epoch is raised on every reachable drive before a strand is read
    opening: bool = True  # R15: the tail is written anew, in one record with "the previous ends at N"
    doubt_stops: bool = True  # R15: a tail record that can be neither cut nor decoded stops recovery
    ids_kept: bool = True  # R16: applied ids, not "is it the visible one"
    ids_clean: bool = True  # R7: no segment is dropped while a command in it may be sent again
    floor: bool = True  # R7: what lies below the floor counts no more
    cut_rule: bool = True  # R15: the tail is cut only where a record was provably never acked
    ack_all: bool = True  # R1: durable on every strand of the segment
    tail_sync: bool = True  # R15: what recovery accepts is made durable before it is used
    ends_at: bool = True  # R2: the header says where the previous segment ends
    refuse_late: bool = True  # R6: a refusal waits for the batch it was decided in
    start_rule: bool = True  # R15: k+1 drives, no more than k away
    hole_stops: bool = True  # R15: a sequence that no readable strand holds stops replay
    header_cut: bool = True  # R15: a header is a record like any other
    batch_seen: bool = True  # R6: decided against the batch before it, other keys included
    clean_batch: bool = True  # R7: what cleaning appends again is what the batch so far leaves
    damage_counts: bool = True  # R15: a damaged strand of a present drive is one that cannot be read
    ro_hides: bool = True  # R15 read-only: what undecided records touch answers 503
    ro_stops: bool = True  # R15 read-only: nothing undecided is replayed
    ro_quiet: bool = True  # R15 read-only: nothing is appended
    ro_valid: bool = True  # R15 read-only: without a valid index nothing is served
    ro_whole: bool = True  # R15 read-only: a gap in a sealed segment refuses, it does not end the search


class Cfg(NamedTuple):
    """Bounds of one exploration. ops: for each client its commands, one after the other; keys: registers."""

    rules: Rules
    ops: tuple[tuple[str, ...], ...]
    n: int = 4
    k: int = 2
    kills: int = 1
    cuts: int = 0
    fails: int = 0
    breaks: int = 0
    cleans: int = 0
    pairs: int = 0  # 1: batches of two
    maxaway: int = 3
    off: bool = False  # begin with every process down
    keys: int = 1
    made: bool = False  # register 0 is a bucket that exists
    readonly: bool = False  # recovery may find k drives only
    rots: int = 0  # records that go bad on one strand while the committer is down


class Col(NamedTuple):
    """One drive."""

    away: bool
    epoch: int
    strands: tuple[Strand, ...]


class Seg(NamedTuple):
    """What a journal segment's header says, and its records. `head` of them lie inside the opening record."""

    epoch: int
    num: int
    prev: int
    ends: int
    floor: int
    recs: tuple[Record, ...]
    head: int


class Decided(NamedTuple):
    """One command of a batch (op None: cleaning)."""

    op: int | None
    reply: str
    record: Record | None


class Com(NamedTuple):
    """The committer. phase: open idle write txn reply roll drop, or readonly."""

    phase: str
    cur: int
    batch: tuple[Decided, ...] = ()
    excluded: bool = False  # a drive failed in this batch
    broken: frozenset[Any] = frozenset()  # commands whose connection broke; while opening: unreadable places
    acked: int = 0  # records of the open segment that count
    found: tuple[int, int, int] = (0, 0, 0)  # while opening: new epoch, N, accepted


class Index(NamedTuple):
    rows: tuple[Row | None, ...]
    mark: Place
    ids: frozenset[int]


class State(NamedTuple):
    """`hist`: index states a power cut may go back to. `cold`: nothing may be read from the index yet."""

    cols: tuple[Col, ...]
    segs: tuple[Seg, ...]
    idx: Index
    hist: frozenset[Index]
    com: Com | None
    queue: tuple[int, ...]
    clients: tuple[tuple[int, str], ...]  # (commands done, idle wait lost)
    mon: Monitor | str | None
    kills: int
    cuts: int
    fails: int
    breaks: int
    cleans: int
    rots: int
    cold: bool


# --- commands -------------------------------------------------------------------------------------------------------


@cache
def parsed(kind: str) -> tuple[str, int]:
    """ "PUT/1" -> ("PUT", register 1); without a number register 0."""
    verb, _, key = kind.partition("/")
    return verb, int(key or 0)


def spec(call: Call, store: Store) -> tuple[str, Store]:
    """What a command does to an atomic store. PINM: If-None-Match *, PIM: If-Match what its client last saw.

    The last two are conditions across keys: PUTB writes only into the bucket its client saw (register 0), DROPB
    removes it only when it is empty."""
    verb, key = parsed(call.kind)
    value = store[key]
    if verb == "PUT":
        allowed = True
    elif verb == "DEL":
        return "OK", (*store[:key], None, *store[key + 1 :])
    elif verb == "PINM":
        allowed = value is None
    elif verb == "PIM":
        allowed = value is not None and value == call.expected
    elif verb == "PUTB":
        allowed = store[0] is not None and store[0] == call.expected
    elif verb == "DROPB":
        allowed = store[0] is not None and all(v is None for v in store[1:])
        return ("OK", (None, *store[1:])) if allowed else ("412", store)
    else:
        raise ValueError(call.kind)
    return ("OK", (*store[:key], call.op, *store[key + 1 :])) if allowed else ("412", store)


def expects(kind: str, store: Store) -> Any:
    """What a client that sends this now has seen."""
    verb, key = parsed(kind)
    return {"PIM": store[key], "PUTB": store[0]}.get(verb)


JUDGE = Judge(spec)


def kind(cfg: Cfg, op: int) -> str:
    return cfg.ops[op // 10][op % 10]


# --- reading a state ------------------------------------------------------------------------------------------------


def empty(cfg: Cfg) -> Index:
    return Index((None,) * cfg.keys, (-1, 0), frozenset())


def visible(idx: Index) -> Store:
    return tuple(row[0] if row else None for row in idx.rows)


def member(c: Col, g: int) -> bool:
    return g < len(c.strands) and isinstance(c.strands[g], tuple)


def entries(c: Col, g: int) -> Entries:
    found = c.strands[g] if g < len(c.strands) else None
    return found if isinstance(found, tuple) else ()


def status(c: Col, g: int, i: int) -> int:
    """DAMAGED for every entry of a strand whose header is: it cannot be attributed."""
    found = entries(c, g)
    if i >= len(found):
        return ABSENT
    return DAMAGED if found[0] == DAMAGED else found[i]


def readable(c: Col, g: int, i: int) -> bool:
    return status(c, g, i) in (WRITTEN, DURABLE, FAILED)


def with_strand(c: Col, g: int, new: Strand) -> Col:
    strands = c.strands + (None,) * (g + 1 - len(c.strands))
    return c._replace(strands=(*strands[:g], new, *strands[g + 1 :]))


def chain(segs: tuple[Seg, ...], last: int, *, floored: bool = True) -> list[int]:
    """Segments from the floor (or the very first) to `last`."""
    out = [last]
    while (out[-1] > segs[last].floor or not floored) and segs[out[-1]].prev >= 0:
        out.append(segs[out[-1]].prev)
    return out[::-1]


def history(cfg: Cfg, segs: tuple[Seg, ...], last: int, count: int) -> Iterator[tuple[int, int, Record]]:
    """Everything that counts from the floor on, in order: (segment, position, record); `count` of the last segment."""
    links = chain(segs, last, floored=cfg.rules.floor)
    for g, after in zip(links, [*links[1:], None], strict=True):
        if after is None:
            end = count
        else:
            end = segs[after].ends if cfg.rules.ends_at else len(segs[g].recs)
        for i in range(end):
            yield g, i + 1, segs[g].recs[i]


def apply(idx: Index, g: int, i: int, rec: Record) -> Index:
    typ, op, key = rec
    rows = (*idx.rows[:key], None if typ == "D" else (op, g), *idx.rows[key + 1 :])
    return Index(rows, (g, i), idx.ids | {op} if typ != "M" else idx.ids)


def copies(s: State, op: int) -> tuple[int, int]:
    """The best number of drives, present or not, on which a record of `op` is (readable, durable)."""
    read, kept = 0, 0
    for g, seg in enumerate(s.segs):
        for i, rec in enumerate(seg.recs):
            if rec[1] == op and rec[0] != "D":
                found = [status(c, g, i + 1) for c in s.cols]
                read = max(read, sum(x in (WRITTEN, DURABLE, FAILED) for x in found))
                kept = max(kept, found.count(DURABLE) + found.count(DAMAGED))  # what went bad later had been durable
    return read, kept


def observe(s: State, idx: Index, hidden: frozenset[int] = frozenset()) -> State:
    """Readers look at every instant; `hidden` registers answer 503."""
    if not isinstance(s.mon, Monitor):
        return s
    store = tuple(UNSEEN if key in hidden else value for key, value in enumerate(visible(idx)))
    return s._replace(mon=JUDGE.seen(s.mon, store))


def commit(s: State, idx: Index, *, shown: bool = True) -> State:
    """An index transaction."""
    hist = s.hist | {s.idx} if s.cuts and idx != s.idx else s.hist
    t = s._replace(idx=idx, hist=hist)
    return observe(t, idx) if shown else t


def down(s: State) -> State:
    """The committer is gone, by a kill."""
    clients = tuple((i, "lost" if phase == "wait" else phase) for i, phase in s.clients)
    return s._replace(com=None, queue=(), clients=clients, kills=s.kills - 1)


# --- the first state, and its canonical form ------------------------------------------------------------------------


def initial(cfg: Cfg) -> State:
    JUDGE.known.clear()
    recs: tuple[Record, ...] = (("P", MADE, 0),) if cfg.made else ()
    col = Col(False, 1, ((DURABLE,) * (1 + len(recs)),))
    idx = Index((None,) * cfg.keys, (0, 0), frozenset())
    for i, rec in enumerate(recs):
        idx = apply(idx, 0, i + 1, rec)
    return State(
        (col,) * cfg.n, (Seg(1, 0, -1, 0, 0, recs, 0),), idx, frozenset(),
        None if cfg.off else Com("idle", 0, acked=len(recs)), (), ((0, "idle"),) * len(cfg.ops), fresh(visible(idx)),
        cfg.kills, cfg.cuts, cfg.fails, cfg.breaks, cfg.cleans, cfg.rots, False,
    )  # fmt: skip


def _order(c: Col) -> tuple[Any, ...]:
    return c.away, c.epoch, tuple((1, t) if isinstance(t, tuple) else (0, (len(t or ""),)) for t in c.strands)


def canon(s: State) -> State:
    return s._replace(cols=tuple(sorted(s.cols, key=_order)))


def draw(s: State) -> str:
    def one(c: Col) -> str:
        body = " ".join("-" if t is None else t if isinstance(t, str) else "".join(map(str, t)) for t in c.strands)
        return f"{'away' if c.away else ''}[{body}]"

    return " ".join(map(one, s.cols))
