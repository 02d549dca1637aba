"""The committer of the bulk model: order, durability and the index as a list (the journal has a model of its own)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.model.bulk.state import (
    JUDGE,
    Cfg,
    Collector,
    Command,
    Committer,
    Decided,
    Record,
    State,
    Upload,
    fold,
    send,
    set_up,
    shown,
    spend,
    visible,
)  # fmt: skip
from tests.model.explore import Step
from tests.model.linear import Monitor

LOST_UPLOAD = "(R7) the DATA of an upload that still runs was dropped"


def observe(s: State, reply: tuple[int, str] | None = None) -> State:
    assert isinstance(s.mon, Monitor)
    return s._replace(mon=JUDGE.seen(s.mon, visible(s), reply))


def committer(cfg: Cfg, s: State, com: Committer) -> Iterator[Step]:
    if com.phase == "idle":
        groups = [(command,) for command in s.queue]
        if cfg.pairs:
            groups += itertools.permutations(s.queue, 2)  # type: ignore[arg-type]
        for commands in groups:
            yield _decides(cfg, s, com, commands)
    if com.phase == "write":
        records = tuple(one.record for one in com.batch if one.record)
        yield "batch durable", s._replace(com=com._replace(phase="txn"), log=s.log + records)
    if com.phase == "txn":
        yield "index transaction", observe(s._replace(idx=len(s.log), com=com._replace(phase="reply")))
    if com.phase == "reply":
        t = s._replace(com=Committer(dropped=com.dropped))
        for one in com.batch:
            if isinstance(t.mon, Monitor):
                t = reply_to(t, one.command, one.reply)
        yield f"replies {[one.reply for one in com.batch]}", t


def _decides(cfg: Cfg, s: State, com: Committer, commands: tuple[Command, ...]) -> Step:
    log, dropped, batch = s.log, com.dropped, []
    for command in commands:
        one, dropped = decide(cfg, log, dropped, command)
        log += (one.record,) if one.record else ()
        batch.append(one)
    phase = "write" if log != s.log else "reply"
    t = s._replace(queue=tuple(c for c in s.queue if c not in commands))
    if not cfg.rules.drop_settled:
        for one in batch:
            if one.command[0] in ("DROP", "CLOSE"):
                t = reply_to(t, one.command, one.reply)
        batch = [one for one in batch if one.command[0] not in ("DROP", "CLOSE")]
    said = ", ".join(f"{one.command}: {one.reply}" for one in batch)
    return f"decides {said}", t._replace(com=Committer(phase, tuple(batch), dropped))


def decide(
    cfg: Cfg, log: tuple[Record, ...], dropped: frozenset[int], command: Command
) -> tuple[Decided, frozenset[int]]:
    """Against the index and the batch before it: the decision, and the segments dropped so far."""
    row, kind = fold(log), command[0]
    if kind == "DROP":
        if row and command[1] in {seg for seg, _ in row[1]}:
            return Decided(command, "HELD", None), dropped
        return Decided(command, "OK", None), dropped | {command[1]}
    if kind == "CLOSE":
        return Decided(command, "OK", None), dropped | {command[1]}
    _, op, locs = command[:3]
    if kind in ("PUT", "DEL") and op in {o for k, o, _ in log if k in ("P", "D")}:
        return Decided(command, "OK", None), dropped  # R16
    known = set(row[1]) if row and kind in ("MOV", "CLEAN") and row[0] == op else set()
    if cfg.rules.drop_refuses and dropped & {seg for seg, _ in set(locs) - known}:
        return Decided(command, "GONE", None), dropped
    if kind in ("MOV", "CLEAN"):
        guarded = cfg.rules.still_points if kind == "MOV" else cfg.rules.clean_current
        if guarded and row != command[3]:
            return Decided(command, "CHANGED", None), dropped
        return Decided(command, "OK", ("M", op, locs)), dropped
    return Decided(command, "OK", ("P" if kind == "PUT" else "D", op, locs)), dropped


def reply_to(s: State, command: Command, reply: str) -> State:
    kind, who = command[0], command[1]
    if kind in ("PUT", "DEL"):
        if s.ups[who].phase != "sent":
            return s  # its worker has died
        if reply != "OK":
            return s._replace(mon=LOST_UPLOAD)
        return observe(set_up(s, who, Upload("done")), (who, "OK"))
    if kind == "DROP" and s.collector == Collector("dropping", who):
        return s._replace(collector=Collector("granted", who) if reply == "OK" else Collector())
    if kind == "CLOSE" and s.collector == Collector("closing", who):
        return s._replace(collector=Collector("closed", who))
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
