"""A small cluster in a temporary folder: real drives, real files, and hands that damage them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kakera.base import faults, ids
from kakera.config import Bulk, Config, Journal, Profile, Server, Space
from kakera.config import Drive as DriveEntry
from kakera.segments.bulk import BulkWriter
from kakera.segments.codec import codec
from kakera.segments.drive import JOURNAL, Strand
from kakera.segments.identity import Drives, format_drives, open_drives
from kakera.segments.map import SegmentMap
from kakera.segments.meta import ChunkRef, StrandMeta
from kakera.segments.pins import Pins
from kakera.segments.reader import Reader
from kakera.segments.record import Draft, Encoder, Flag, Type, crc32c

Place = tuple[int, int, int]
Damage = tuple[str, int, int, int, str]


@contextmanager
def failing(plan: faults.Plan) -> Iterator[faults.Plan]:
    """The plan while the block runs."""
    faults.plan = plan
    try:
        yield plan
    finally:
        faults.plan = None


def make_config(
    root: Path, *, k: int = 4, m: int = 2, drives: int = 0, bulk: Bulk | None = None, reserve_bytes: int = 1 << 20
) -> Config:
    return Config(
        server=Server(name="t", listen="127.0.0.1:1", state_dir=str(root / "state")),
        profile=Profile(k=k, m=m),
        drives=tuple(DriveEntry(path=str(root / f"d{n}"), domain=f"dom{n}") for n in range(drives or k + m)),
        accounts=(),
        journal=Journal(laggard_limit_ms=150),
        bulk=bulk or Bulk(),
        space=Space(reserve_bytes=reserve_bytes),
    )


class Cluster:
    """Formatted drives with everything that reads and writes them."""

    def __init__(
        self,
        root: Path,
        *,
        k: int = 4,
        m: int = 2,
        drives: int = 0,
        bulk: Bulk | None = None,
        reserve_bytes: int = 1 << 20,
    ) -> None:
        self.root = root
        self.k, self.m = k, m
        self.config = make_config(root, k=k, m=m, drives=drives, bulk=bulk, reserve_bytes=reserve_bytes)
        with failing(faults.Plan(skip=("fdatasync",))):  # no test pulls the plug here: be quick
            format_drives(self.config)
        self.drives: Drives = open_drives(self.config)
        self.pins = Pins(root / "state/run")
        self.damage: list[Damage] = []
        self._numbers = 0
        self.reader = self.new_reader()

    def new_reader(self, hedge_s: float = 0.05) -> Reader:
        """A reader that knows nothing yet."""
        return Reader(SegmentMap(self.drives), on_damage=lambda *a: self.damage.append(a), hedge_s=hedge_s)

    def new_writer(self, pins: Pins | None = None) -> BulkWriter:
        return BulkWriter(
            self.drives,
            self.grant,
            pins=pins or self.pins,
            config=self.config,
            on_damage=lambda *a: self.damage.append(a),
        )

    async def grant(self) -> int:
        return self.next_segment()

    def next_segment(self) -> int:
        self._numbers += 1
        return ids.segment_id(1, self._numbers)

    # --- journal segments, laid by hand -------------------------------------------------------------------------

    def new_journal(self, *, without: tuple[int, ...] = ()) -> JournalSegment:
        return JournalSegment(self, self.next_segment(), without)

    # --- hands --------------------------------------------------------------------------------------------------

    def path(self, slot: int, strand: Strand) -> Path:
        return self.root / f"d{slot}" / strand.kind / ids.segment_name(strand.segment)

    def slot_of(self, strand: Strand, index: int) -> int:
        return SegmentMap(self.drives).where(strand.kind, strand.segment)[index].slot

    def edit(self, slot: int, strand: Strand, change: Callable[[bytearray], object]) -> None:
        """Change a strand's bytes in place, under the nose of whoever has it open."""
        path = self.path(slot, strand)
        data = bytearray(path.read_bytes())
        before = len(data)
        change(data)
        with open(path, "r+b") as file:
            file.write(data)
            if len(data) < before:
                file.truncate(len(data))

    def flip(self, slot: int, strand: Strand, *bits: int) -> None:
        """Flip bits of a strand, counted from its start."""

        def change(data: bytearray) -> None:
            for bit in bits:
                data[bit // 8] ^= 1 << bit % 8

        self.edit(slot, strand, change)

    def away(self, slot: int) -> None:
        os.rename(self.root / f"d{slot}", self.root / f"gone{slot}")
        self.drives.refresh()

    def back(self, slot: int) -> None:
        os.rename(self.root / f"gone{slot}", self.root / f"d{slot}")
        self.drives.refresh()


class JournalSegment:
    """A journal segment with records laid as the committer lays them."""

    def __init__(self, cluster: Cluster, segment: int, without: tuple[int, ...]) -> None:
        self.cluster = cluster
        self.strand = Strand(JOURNAL, segment)
        self._sequence = 0
        present = cluster.drives.present
        self.members = {n: present[n] for n in range(cluster.k + cluster.m) if n not in without}
        names = [cluster.drives.ids.get(n, "") for n in range(cluster.k + cluster.m)]
        meta = StrandMeta(cluster.drives.cluster, JOURNAL, cluster.k, cluster.m, names, 1)
        draft = Draft(Type.HEADER, 0, bytes(16), msgspec.msgpack.encode(meta), 0, 0, cluster.k, cluster.m)
        encoder = Encoder(draft, segment, 0)
        with failing(faults.Plan(skip=("fdatasync",))):
            for index, drive in self.members.items():
                drive.create(self.strand, encoder.whole(index))
        self.end = encoder.length

    def add(self, body: bytes, *, meta: bytes = b"meta of the record", replicated: bool = False) -> Place:
        """Append an OBJECT; its place."""
        self._sequence += 1
        k, m = (0, 0) if replicated else (self.cluster.k, self.cluster.m)
        fragments = [body] * (self.cluster.k + self.cluster.m) if replicated else codec(k, m).encode(body)
        flags = Flag.REPLICATED if replicated else 0
        draft = Draft(Type.OBJECT, flags, ids.new_id(), meta, len(fragments[0]), len(body), k, m)
        encoder = Encoder(draft, self.strand.segment, self._sequence)
        for index, drive in self.members.items():
            drive.write(self.strand, self.end, [encoder.whole(index, fragments[index])])
        place = (self.strand.segment, self.end, encoder.length)
        self.end += encoder.length
        return place


async def upload(writer: BulkWriter, data: bytes, *, chunk: int = 4 << 20) -> list[ChunkRef]:
    """One body, synced and released."""
    body_id = ids.new_id()
    refs = []
    for number, at in enumerate(range(0, len(data), chunk)):
        refs.append(await writer.append(body_id, number, data[at : at + chunk]))
    await writer.sync(refs)
    writer.release(body_id)
    return refs


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def same(ref: ChunkRef, data: bytes) -> bool:
    return ref.size == len(data) and ref.crc == crc32c(data)
