"""Where the strands of a segment are: learned from the strands' own headers, kept for a while, forgotten on error.

No table anywhere has to be right: a strand that was healed onto another drive, or a drive that came back, is found by
its header.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import msgspec

from kakera.base import clock, limits
from kakera.segments.drive import Drive, Strand
from kakera.segments.identity import Drives
from kakera.segments.meta import StrandMeta
from kakera.segments.record import HEADER_BYTES, Header, Type, parse_header, verify_head

_HEADER_WINDOW_BYTES = 4 * limits.KIB  # a strand header with 16 members is 1 KiB
_META = msgspec.msgpack.Decoder(StrandMeta)


class StrandHeader(NamedTuple):
    """A strand's first record."""

    header: Header
    meta: StrandMeta


class Layout(NamedTuple):
    """One segment over the present drives.

    drives: by strand index. data: the k drives of the data strands, empty when one is not there. gone: slots that are
    present and have no file. bad: slot -> why its file cannot be placed. missing: strand indices that a present
    member drive should hold. twins: (index, drive) of strands that another drive holds as well: healed onto a spare
    while the first was away. Which of them is whole only their records tell.
    """

    strand: Strand
    k: int
    m: int
    drives: dict[int, Drive]
    data: tuple[Drive, ...]
    gone: list[int]
    bad: dict[int, str]
    missing: dict[int, int]
    until_s: float
    present: dict[int, Drive]
    twins: tuple[tuple[int, Drive], ...] = ()


def read_strand_header(drive: Drive, strand: Strand) -> StrandHeader | None:
    """The strand's header record, None when it is not whole or not this strand's. Raises OSError, FileNotFoundError."""
    data = drive.read(strand, 0, _HEADER_WINDOW_BYTES)
    header = parse_header(data)
    if header is None or header.type != Type.HEADER or header.segment != strand.segment:
        return None
    if header.length > len(data):
        data = drive.read(strand, 0, header.length)
    if not verify_head(header, data):
        return None
    try:
        meta = _META.decode(data[HEADER_BYTES : HEADER_BYTES + header.meta_bytes])
    except msgspec.DecodeError:
        return None
    return StrandHeader(header, meta) if meta.kind == strand.kind else None


Answer = StrandHeader | OSError | None  # a drive's: the header, why not, or None for a damaged one


def ask(drive: Drive, strand: Strand) -> Answer:
    """One drive's answer; never raises for the drive. Blocks."""
    try:
        return read_strand_header(drive, strand)
    except OSError as error:
        return error


def learn(drives: Drives, strand: Strand) -> Layout:
    """Ask every present drive for its header of this segment, one after the other. Blocks."""
    present, ids = drives.present, drives.ids
    return assemble(strand, present, ids, {slot: ask(drive, strand) for slot, drive in present.items()})


def assemble(strand: Strand, present: dict[int, Drive], ids: dict[int, str], answers: dict[int, Answer]) -> Layout:
    """The layout from the drives' answers. ids: slot -> drive id."""
    gone = [slot for slot, answer in answers.items() if isinstance(answer, FileNotFoundError)]
    bad: dict[int, str] = {}
    placed: dict[int, Drive] = {}
    twins: list[tuple[int, Drive]] = []
    meta: StrandMeta | None = None
    for slot, answer in answers.items():
        if isinstance(answer, StrandHeader):
            if placed.setdefault(answer.header.strand, present[slot]) is not present[slot]:
                twins.append((answer.header.strand, present[slot]))
            meta = meta or answer.meta
        elif answer is None:
            bad[slot] = "the strand's header is damaged"
        elif slot not in gone:
            bad[slot] = answer.strerror or str(answer)
    missing = _place_by_members(ids, meta, placed, {slot: present[slot] for slot in bad})
    k, m = (meta.k, meta.m) if meta else (0, 0)
    data = tuple(placed[index] for index in range(k)) if k and all(i in placed for i in range(k)) else ()
    whole = k > 0 and len(placed) == k + m and not bad
    until_s = clock.monotonic_s() + (limits.STRAND_MAP_S if whole else limits.STRAND_MAP_SHORT_S)
    return Layout(strand, k, m, dict(sorted(placed.items())), data, gone, bad, missing, until_s, present, tuple(twins))


def _place_by_members(
    ids: dict[int, str], meta: StrandMeta | None, placed: dict[int, Drive], bad: dict[int, Drive]
) -> dict[int, int]:
    """A strand whose header is damaged may hold good records: it is placed by the member list of the others.

    Returns: strand index -> slot for members that are present without a strand.
    """
    missing: dict[int, int] = {}
    if meta is None or len(placed) == meta.k + meta.m:
        return missing
    for slot, name in ids.items():
        if name not in meta.members:
            continue
        index = meta.members.index(name)
        if index in placed:
            continue
        if slot in bad:
            placed[index] = bad[slot]
        else:
            missing[index] = slot
    return missing


class SegmentMap:
    """Layouts by kind and segment. `known` never blocks; `find` may read headers. Safe from many threads."""

    def __init__(self, drives: Drives) -> None:
        self.drives = drives
        self._layouts: OrderedDict[tuple[str, int], Layout] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, kind: str, segment: int) -> Layout | None:
        """The layout if it was learned lately and no drive came or went since."""
        layout = self._layouts.get((kind, segment))
        if layout is None or layout.present is not self.drives.present or layout.until_s < clock.monotonic_s():
            return None
        return layout

    def find(self, kind: str, segment: int) -> Layout:
        """The layout, learned when it is not known. Blocks."""
        layout = self.known(kind, segment)
        if layout is not None:
            return layout
        self.drives.refresh_if_old()
        layout = learn(self.drives, Strand(kind, segment))
        self.remember(layout)
        return layout

    def remember(self, layout: Layout) -> None:
        """Keep a layout that says anything."""
        if not layout.drives:
            return
        key = (layout.strand.kind, layout.strand.segment)
        with self._lock:
            self._layouts[key] = layout
            self._layouts.move_to_end(key)
            while len(self._layouts) > limits.MAX_LAYOUTS:
                self._layouts.popitem(last=False)

    def where(self, kind: str, segment: int) -> dict[int, Drive]:
        """strand index -> drive. Blocks when it is not known."""
        return self.find(kind, segment).drives

    def forget(self, kind: str, segment: int) -> None:
        with self._lock:
            self._layouts.pop((kind, segment), None)
