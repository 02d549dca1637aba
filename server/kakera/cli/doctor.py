"""`kakera doctor`: what is not as it should be, and what it costs. Exit code 1 when any segment lacks redundancy or a
drive is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakera.base import errors, limits
from kakera.base.ids import segment_name
from kakera.cli.terms import CONFIG, ConfigPath, Stop, load_store
from kakera.config import Config

if TYPE_CHECKING:
    from kakera.index.interface import Rows
    from kakera.index.sqlite import SqliteIndex
    from kakera.segments.census import SegmentCensus
    from kakera.workers.references import DirectReferences

Json = Annotated[bool, typer.Option("--json", help="for programs")]
Deep = Annotated[bool, typer.Option("--deep", help="read and verify every byte, not only headers and lengths")]


@dataclass
class Report:
    """What was found; `exposed` decides the exit code."""

    committer: dict[str, Any] = field(default_factory=dict)
    drives: dict[int, str] = field(default_factory=dict)
    space: dict[int, dict[str, int]] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    exposures: list[dict[str, str]] = field(default_factory=list)
    heal_queue: list[dict[str, str]] = field(default_factory=list)
    orphan_bytes: int | None = None
    stored: list[dict[str, Any]] = field(default_factory=list)
    loops: dict[str, Any] = field(default_factory=dict)

    @property
    def exposed(self) -> bool:
        return bool(self.exposures or self.heal_queue) or any(state != "ok" for state in self.drives.values())


def doctor(config: ConfigPath = CONFIG, as_json: Json = False, deep: Deep = False) -> None:
    """Drives, redundancy, heal queue, space, bytes stored per byte accepted. Exit code 1 when anything is exposed."""
    settings = load_store(config)
    try:
        report = examine(settings, deep=deep)
    except errors.KakeraError as error:
        raise Stop(f"nothing can be said: {error}") from error
    if as_json:
        typer.echo(json.dumps({**asdict(report), "exposed": report.exposed}, indent=2))
    else:
        show(report)
    raise typer.Exit(1 if report.exposed else 0)


def examine(config: Config, *, deep: bool) -> Report:
    """Look at everything, with the server running or not. Raises: NotReady when no cluster can be named."""
    from kakera.assemble import Paths
    from kakera.segments.identity import open_drives
    from kakera.workers.loop import read_progress
    from kakera.workers.queue import HealQueue

    paths = Paths.of(config)
    report = Report()
    journal = _committer(config, report)
    drives = open_drives(config)
    report.drives = {**dict.fromkeys(drives.present, "ok"), **drives.absent}
    _space(drives, report)
    _exposures(config, drives, journal, report, deep=deep)
    for job in HealQueue(paths.jobs).jobs():
        report.heal_queue.append({"segment": f"{job.kind} {segment_name(job.segment)}", "reason": job.reason})
    report.loops = dict(read_progress(paths.jobs / "progress.json"))
    _stored(paths.database, config.profile.k + config.profile.m, report)
    return report


def _committer(config: Config, report: Report) -> dict[int, int] | None:
    """The chain's segments with the bytes that count; None when the server is not running."""
    from kakera.cli.committer import status

    try:
        found = status(config)
    except Stop as stop:
        report.committer = {"mode": "not running", "reason": str(stop)}
        return None
    report.committer = {"mode": found.mode, "reason": found.reason, "epoch": found.epoch, "segments": len(found.chain)}
    for slot, state in found.drives.items():
        if state.startswith("excluded"):
            report.exposures.append({"segment": f"drive {slot}", "reason": state})
    if found.mode != "ready" or not found.chain:
        return None
    ends = {info.segment: info.end for info in found.chain}
    ends[found.chain[-1].segment] = 0  # the open one grows while we look: its strands count, not their ends
    return ends


def _space(drives: Any, report: Report) -> None:
    for slot, drive in sorted(drives.present.items()):
        try:
            space = drive.space()
            report.space[slot] = {"total_bytes": space.total_bytes, "free_bytes": space.free_bytes}
        except OSError as error:
            report.drives[slot] = str(error)


def _exposures(config: Config, drives: Any, journal: dict[int, int] | None, report: Report, *, deep: bool) -> None:
    from kakera.segments.census import list_segments
    from kakera.segments.drive import BULK, JOURNAL
    from kakera.workers.healing import find_short

    for kind in (JOURNAL, BULK):
        report.segments[kind] = len(list_segments(drives, kind))
    if deep:
        index = _open_index(config)
        report.exposures += _deep(drives, journal, report, index)
        if index is not None:
            report.exposures += [{"segment": "index", "reason": complaint} for complaint in index.check()]
            index.close()
        return
    for kind, segment, reason in find_short(drives, journal):
        report.exposures.append({"segment": f"{kind} {segment_name(segment)}", "reason": reason})


def _open_index(config: Config) -> SqliteIndex | None:
    """None: there is none, or it cannot be read. All DATA then counts."""
    from kakera.assemble import Paths
    from kakera.index.sqlite import SqliteIndex

    try:
        return SqliteIndex(str(Paths.of(config).database), read_only=True)
    except (errors.KakeraError, OSError):
        return None


def _deep(drives: Any, journal: dict[int, int] | None, report: Report, index: Rows | None) -> Iterator[dict[str, str]]:
    """Every record of every strand, with a progress bar. With an index only DATA that something refers to counts."""
    from rich.console import Console
    from rich.progress import track

    from kakera.segments.census import Target, census, list_segments
    from kakera.segments.drive import BULK, JOURNAL
    from kakera.segments.map import SegmentMap
    from kakera.workers.references import DirectReferences

    targets = [Target(BULK, segment) for segment in list_segments(drives, BULK)]
    for segment in list_segments(drives, JOURNAL):
        if journal is None:
            targets.append(Target(JOURNAL, segment))
        elif segment in journal:
            targets.append(Target(JOURNAL, segment, journal[segment] or None))
    refers = DirectReferences(index, SegmentMap(drives)) if index is not None else None
    live = _live_bytes(index)
    report.orphan_bytes = 0 if refers else None
    console = Console(stderr=True)
    for target in track(targets, "reading", len(targets), console=console, transient=True):
        (found,) = census((target,), drives, refers=refers)
        report.orphan_bytes = None if report.orphan_bytes is None else report.orphan_bytes + found.orphan_bytes
        reason = f"strands to heal: {found.to_heal()}" if not found.full else ""
        if target.kind == BULK and refers is not None and index is not None:
            reason += _lost_objects(found, refers, index, live.pop(target.segment, 0))
            refers.forget()
        elif found.lost:
            reason += f"; {len(found.lost)} records lost"
        if reason:
            yield {"segment": f"{target.kind} {segment_name(target.segment)}", "reason": reason.removeprefix("; ")}
    for segment in live:
        if index is not None and (names := _held_names(index, segment)):
            yield {"segment": f"bulk {segment_name(segment)}", "reason": f"on no present drive; lost: {names}"}


def _live_bytes(index: Rows | None) -> dict[int, int]:
    """Bulk segment -> bytes that were referred to before anything was read."""
    from kakera.index.tables import BULK

    found: dict[int, int] = {}
    after = 0
    while index is not None and (rows := index.scan(BULK, (after,), None, limit=limits.MAX_LIST_KEYS)):
        found |= {row.segment: row.live_bytes for row in rows}
        after = rows[-1].segment + 1
    return found


def _lost_objects(found: SegmentCensus, refers: DirectReferences, index: Rows, live_before: int) -> str:
    """The objects whose DATA cannot be decoded, or of whose DATA no strand shows so much as a head."""
    from kakera.index.tables import BULK
    from kakera.workers.references import bodies_in, names_of

    segment = found.target.segment
    lost = list(found.lost_bodies)
    row = index.get(BULK, (segment,))
    if min(live_before, row.live_bytes if row else 0) > found.live_bytes:
        for body_id in bodies_in(index, segment):
            places = {place for place in refers.places(body_id) or () if place[0] == segment}
            lost += [body_id] if places - refers.seen else []
    return f"; lost: {names_of(index, lost)}" if lost else ""


def _held_names(index: Rows, segment: int) -> str:
    """Whose bodies lie in a segment that no present drive has; "": it was moved and dropped meanwhile."""
    from kakera.workers.references import bodies_in, names_of

    return names_of(index, list(bodies_in(index, segment)))


def _stored(database: Path, strands: int, report: Report) -> None:
    """Bytes stored per byte accepted, by size of object: what the rows say each version takes on all its strands."""
    from kakera.index.sqlite import SqliteIndex
    from kakera.index.tables import BULK

    try:
        index = SqliteIndex(str(database), read_only=True)
    except (errors.KakeraError, OSError):
        return
    sizes = {"up to 1 KiB": limits.REPLICATED_BODY_BYTES, "up to 128 KiB": limits.INLINE_BODY_BYTES}
    totals = {name: [0, 0, 0] for name in (*sizes, "above")}  # objects, accepted, stored
    try:
        for size, length in _versions(index):
            name = next((name for name, upto in sizes.items() if size <= upto), "above")
            total = totals[name]
            total[0], total[1], total[2] = total[0] + 1, total[1] + size, total[2] + length * strands
        after = 0
        while rows := index.scan(BULK, (after,), None, limit=limits.MAX_LIST_KEYS):
            totals["above"][2] += sum(row.live_bytes for row in rows) * strands
            after = rows[-1].segment + 1
    finally:
        index.close()
    for name, (number, accepted, stored) in totals.items():
        if number:
            ratio = round(stored / accepted, 3) if accepted else None
            line = {"size": name, "objects": number, "accepted_bytes": accepted, "stored_bytes": stored, "ratio": ratio}
            report.stored.append(line)


def _versions(index: Any) -> Iterator[tuple[int, int]]:
    """(size, length of its record) of every version, a page at a time."""
    from kakera.index.tables import ENTRIES, VERSIONS

    for table, more in (
        (ENTRIES, lambda r: (r.bucket_id, r.key + b"\0")),
        (VERSIONS, lambda r: (r.bucket_id, r.key, r.neg_order + 1)),
    ):
        low: tuple[Any, ...] = ()
        while rows := index.scan(table, low, None, limit=limits.MAX_LIST_KEYS):
            yield from ((row.size, row.length) for row in rows)
            low = more(rows[-1])


def show(report: Report) -> None:
    """For people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    said = report.committer
    console.print(f"committer: {said['mode']}{': ' + said['reason'] if said.get('reason') else ''}")
    table = Table("drive", "state", "free", box=None)
    for slot, state in sorted(report.drives.items()):
        space = report.space.get(slot)
        free = (
            f"{space['free_bytes'] / limits.GIB:.1f} of {space['total_bytes'] / limits.GIB:.1f} GiB" if space else "-"
        )
        table.add_row(str(slot), state, free)
    console.print(table)
    console.print(f"segments: {report.segments.get('journal', 0)} journal, {report.segments.get('bulk', 0)} bulk")
    for line in report.exposures:
        console.print(f"exposed: {line['segment']}: {line['reason']}", markup=False)
    for line in report.heal_queue:
        console.print(f"to heal: {line['segment']}: {line['reason']}", markup=False)
    for name, loop in report.loops.items():
        if loop.get("error"):
            console.print(f"{name}: {loop['error']}", markup=False)
    if report.stored:
        table = Table("size", "objects", "accepted bytes", "stored bytes", "stored per accepted", box=None)
        for line in report.stored:
            table.add_row(*(str(line[key]) for key in ("size", "objects", "accepted_bytes", "stored_bytes", "ratio")))
        console.print(table)
    console.print("exposed" if report.exposed else "everything has its full redundancy")
