"""Words of the bulk model: drives and their bulk strands, uploads, the collector, a reader; the journal is a list."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.model.linear import Call, Judge, Monitor, Store, fresh

Loc = tuple[int, int]  # (bulk segment, entry of its strands; entry 0 is the header)
Row = tuple[int, tuple[Loc, ...]]  # the visible version and where its DATA lies

# One entry of a strand on one drive.
ABSENT, WRITTEN, DURABLE, FAILED = 0, 1, 2, 3  # FAILED: reads clean from the page cache, gone after a power cut (R2)
NO_STRAND: tuple[int, ...] = ()
DROPPED: tuple[int, ...] = (9,)
PUNCHED = 0  # reads as if it had never been written


Command = tuple[Any, ...]  # (kind, who or segment, ...): PUT DEL MOV CLEAN DROP CLOSE
Record = tuple[str, int, tuple[Loc, ...]]  # (P, D or M for MOVED; the command; where the DATA lies)


class Rules(NamedTuple):
    """True: the rule is there. The first two are sentences without which R7 reads well and is wrong."""

    drop_ordered: bool = True  # R7: a drop is asked of the committer; else the collector looks at pins and index
    drop_refuses: bool = True  # R7: ... which from then on refuses a command that names DATA of that segment
    drop_settled: bool = True  # R7: ... and answers when the batch it decided in is durable and committed
    drop_exclusive: bool = True  # R7: the pin stays exclusive until the strands are gone
    punch_closes: bool = True  # R7: before single DATA goes the committer lets nothing new into its segment
    punch_pins: bool = True  # R7: ... and nobody holds the segment once the row was found not to name it
    reader_again: bool = True  # R7: a reader looks its location up again when it has its pins
    data_synced: bool = True  # R1: the command is sent only when DATA is durable
    quorum: bool = True  # R1: on at least k+1 strands, not k
    header_synced: bool = True  # a strand's file and folder entry are durable before its DATA counts
    no_retry: bool = True  # R2: a sync that failed is not tried again and believed
    upload_pin: bool = True  # R7: an upload holds its segments
    pin_until_reply: bool = True  # R7: ... until the reply has come
    pin_for_resend: bool = True  # R7: ... and while it may still send again
    reader_pin: bool = True  # R7
    copy_synced: bool = True  # R7: copied -> durable -> MOVED
    still_points: bool = True  # R7: MOVED only if the version still points there
    moved_durable: bool = True  # R7: the old place is dropped only when MOVED is durable
    clean_current: bool = True  # R7: what the journal's cleaning appends again is the row of that moment


class Cfg(NamedTuple):
    """Bounds of one exploration. ops: one command a client; chunks: DATA records of a PUT."""

    rules: Rules
    ops: tuple[str, ...]
    n: int = 4
    k: int = 2
    chunks: int = 1
    kills: int = 0
    cuts: int = 0
    fails: int = 0
    aways: int = 0
    moves: int = 0
    drops: int = 0
    punches: int = 0
    reads: int = 0
    cleans: int = 0
    pairs: bool = False  # batches of two


class Col(NamedTuple):
    """One drive: is it away, and its strand of every bulk segment."""

    away: bool
    strands: tuple[tuple[int, ...], ...]


class Upload(NamedTuple):
    """A client's command in its worker. phase: idle fill written sent lost done dead."""

    phase: str = "idle"
    seg: int = -1
    locs: tuple[Loc, ...] = ()


class Collector(NamedTuple):
    """phase: idle copied moving locked dropping granted; closing closed dead alone."""

    phase: str = "idle"
    seg: int = -1  # locked: to be dropped; closing: to be punched; else where the copy goes
    row: Row | None = None  # what it moves, as it read it
    frm: int = -1
    loc: Loc | None = None  # dead, alone: what is to be punched


class Reader(NamedTuple):
    """A streaming GET. phase: idle found reading done."""

    phase: str = "idle"
    locs: tuple[Loc, ...] = ()


class Decided(NamedTuple):
    """One command of a batch."""

    command: Command
    reply: str
    record: Record | None


class Committer(NamedTuple):
    """phase: idle write txn reply. `dropped`: segments that take nothing new, known for as long as it lives."""

    phase: str = "idle"
    batch: tuple[Decided, ...] = ()
    dropped: frozenset[int] = frozenset()


class Budget(NamedTuple):
    kills: int
    cuts: int
    fails: int
    aways: int
    moves: int
    drops: int
    punches: int
    reads: int
    cleans: int


class State(NamedTuple):
    """`log`: what is durable in the journal; `idx`: how much of it the index shows; `cold`: it may be behind (R15)."""

    cols: tuple[Col, ...]
    segs: tuple[int, ...]  # DATA records of every bulk segment
    log: tuple[Record, ...]
    idx: int
    cold: bool
    com: Committer | None
    queue: tuple[Command, ...]
    ups: tuple[Upload, ...]
    collector: Collector
    reader: Reader
    cleaner: Row | None
    mon: Monitor | str | None
    left: Budget


def spec(call: Call, store: Store) -> tuple[str, Store]:
    """One register: a PUT writes its number, a DEL nothing."""
    return "OK", (call.op if call.kind == "PUT" else None,)


JUDGE = Judge(spec)


def initial(cfg: Cfg) -> State:
    JUDGE.known.clear()
    budget = Budget(cfg.kills, cfg.cuts, cfg.fails, cfg.aways, cfg.moves, cfg.drops, cfg.punches, cfg.reads, cfg.cleans)
    return State(
        (Col(False, ()),) * cfg.n, (), (), 0, False, Committer(), (), (Upload(),) * len(cfg.ops), Collector(), Reader(),
        None, fresh((None,)), budget,
    )  # fmt: skip


def spend(s: State, **what: int) -> Budget:
    """The budget less what is used: spend(s, kills=1)."""
    return s.left._replace(**{name: getattr(s.left, name) - used for name, used in what.items()})


def strand(col: Col, seg: int) -> tuple[int, ...]:
    return col.strands[seg] if seg < len(col.strands) else NO_STRAND


def with_strand(col: Col, seg: int, entries: tuple[int, ...]) -> Col:
    strands = col.strands + (NO_STRAND,) * (seg + 1 - len(col.strands))
    return col._replace(strands=(*strands[:seg], entries, *strands[seg + 1 :]))


def status(col: Col, loc: Loc) -> int:
    entries = strand(col, loc[0])
    return entries[loc[1]] if entries != DROPPED and loc[1] < len(entries) else ABSENT


def durable(s: State, loc: Loc) -> int:
    """Strands that keep this DATA through a power cut: the header must last too."""
    return sum(status(c, loc) == DURABLE and status(c, (loc[0], 0)) == DURABLE for c in s.cols)


def readable(s: State, loc: Loc) -> int:
    return sum(not c.away and status(c, loc) > 0 for c in s.cols)


def fold(log: tuple[Record, ...]) -> Row | None:
    """`apply`, for every record: what the index shows of the one key."""
    row: Row | None = None
    for kind, op, locs in log:
        row = None if kind == "D" else (op, locs)
    return row


def shown(s: State) -> Row | None:
    return fold(s.log[: s.idx])


def visible(s: State) -> Store:
    row = shown(s)
    return (row[0] if row else None,)


def set_up(s: State, i: int, up: Upload) -> State:
    return s._replace(ups=(*s.ups[:i], up, *s.ups[i + 1 :]))


def send(s: State, command: Command) -> State:
    return s._replace(queue=tuple(sorted((*s.queue, command), key=repr)))


def pins(cfg: Cfg, s: State) -> set[int]:
    """Segments that some live process holds. A process that dies holds nothing any more."""
    held: set[int] = set()
    free = {"idle", "done", "dead"}
    if not cfg.rules.pin_until_reply:
        free |= {"sent", "lost"}
    if not cfg.rules.pin_for_resend:
        free.add("lost")
    for up in s.ups:
        if cfg.rules.upload_pin and up.phase not in free:
            held |= {seg for seg, _ in up.locs} | {up.seg}
    if cfg.rules.reader_pin and s.reader.phase == "reading":
        held |= {seg for seg, _ in s.reader.locs}
    if s.collector.phase in ("copied", "moving"):
        held.add(s.collector.seg)
    return held


def canon(s: State) -> State:
    return s._replace(cols=tuple(sorted(s.cols)))


def draw(s: State) -> str:
    def one(col: Col) -> str:
        body = " ".join("x" if e == DROPPED else "".join(map(str, e)) or "-" for e in col.strands)
        return f"{'away' if col.away else ''}[{body}]"

    return " ".join(map(one, s.cols)) + f" row={shown(s)}"
