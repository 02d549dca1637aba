"""Reading journal segments as the union of their strands (R15): file length means nothing, one good copy of a meta is
enough, a coded body needs k good fragments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kakera.base import limits
from kakera.index.tables import Location
from kakera.journal import codec
from kakera.journal.apply import Fact
from kakera.journal.commands import Body
from kakera.journal.decide import NO_BODY, Proposal
from kakera.segments.codec import codec as coder
from kakera.segments.drive import JOURNAL, Drive, Strand
from kakera.segments.meta import StrandMeta
from kakera.segments.record import HEADER_BYTES, Flag, Header, Type, crc32c, parse_header, verify_body, verify_head

_WINDOW_BYTES = 1 * limits.MIB  # one read of a scan: a few thousand small records
_HEADER_WINDOW_BYTES = 4 * limits.KIB  # enough for a header: a survey opens every strand there is


class Copy:
    """One strand of a journal segment on one present drive, read through a window."""

    def __init__(self, drive: Drive, segment: int, index: int, meta: StrandMeta, header_bytes: int) -> None:
        self.drive = drive
        self.strand = Strand(JOURNAL, segment)
        self.index = index
        self.meta = meta
        self.header_bytes = header_bytes
        self._window = b""
        self._at = 0
        self._failed = False
        self.window_bytes = _HEADER_WINDOW_BYTES

    def read(self, offset: int, length: int) -> memoryview:
        """`length` bytes at `offset`; fewer when the file ends or the drive fails."""
        if offset < self._at or offset + length > self._at + len(self._window):
            self._fill(offset, length)
        start = offset - self._at
        return memoryview(self._window)[start : start + length]

    def _fill(self, offset: int, length: int) -> None:
        """Read ahead; when that fails, what is asked for alone: a bad sector further on is not this record's."""
        self._at, self._window, self._failed = offset, b"", False
        for wanted in (max(length, self.window_bytes), length):
            try:
                self._window = self.drive.read(self.strand, offset, wanted)
            except FileNotFoundError:
                return
            except OSError:
                continue
            return
        self._failed = True

    @property
    def failed(self) -> bool:
        """The last read did not come back: what stands there is not known."""
        return self._failed

    def record(self, offset: int, sequence: int | None = None) -> tuple[Header, bytes, bytes] | None:
        """(header, meta, body) when the record at `offset` is whole and this strand's own, else None."""
        head = parse_header(self.read(offset, HEADER_BYTES))
        if head is None or head.segment != self.strand.segment or head.strand != self.index:
            return None
        if sequence is not None and head.sequence != sequence:
            return None
        view = self.read(offset, head.length)
        if len(view) < head.length or not verify_head(head, view):
            return None
        body_at = HEADER_BYTES + head.meta_bytes + head.table_bytes
        body = bytes(view[body_at : body_at + head.body_bytes])
        if not verify_body(head, body, view[HEADER_BYTES + head.meta_bytes : body_at]):
            return None
        return head, bytes(view[HEADER_BYTES : HEADER_BYTES + head.meta_bytes]), body


class Union(NamedTuple):
    """What all readable strands together say of one record. doubtful: strands that hold something there which is
    neither the record nor the nothing that a torn write leaves: perhaps damaged after an ack."""

    header: Header
    meta: bytes
    bodies: dict[int, bytes]
    doubtful: int

    @property
    def copies(self) -> int:
        return len(self.bodies)

    @property
    def decodable(self) -> bool:
        """True when the body can be had: any copy of a replicated or empty one, k of a coded one."""
        return len(self.bodies) >= (self.header.k or 1)

    def fact(self, offset: int) -> Fact:
        head = self.header
        location = Location(head.segment, offset, head.length)
        return Fact(head.type, head.flags, head.sequence, head.command_id, self.meta, location)

    def proposal(self) -> Proposal:
        """The record as it can be appended again, its fragments all there."""
        head = self.header
        flags = head.flags & ~Flag.REPLICATED
        return Proposal(head.type, flags, head.command_id, self.meta, rebuild_body(head, self.bodies))


def rebuild_body(head: Header, bodies: dict[int, bytes]) -> Body:
    """All fragments of an inline body from any k (or the one replicated piece)."""
    if head.body_bytes == 0:
        return NO_BODY
    if not head.k:
        piece = next(iter(bodies.values()))
        return Body([piece], [crc32c(piece)], head.body_size)
    if len(bodies) == head.k + head.m:
        fragments = [bodies[index] for index in range(head.k + head.m)]
    else:
        code = coder(head.k, head.m)
        fragments = code.encode(code.decode(dict(bodies), head.body_size))
    return Body(fragments, [crc32c(piece) for piece in fragments], head.body_size, head.k, head.m)


class View:
    """One journal segment over all present drives."""

    def __init__(
        self, segment: int, copies: list[Copy], present: frozenset[str], damaged: frozenset[str] = frozenset()
    ) -> None:
        self.segment = segment
        self.copies = copies = sorted(copies, key=lambda copy: copy.index)
        # A drive that was away while its strand was healed onto another holds a second one: either may be whole.
        self.by_index: dict[int, list[Copy]] = {}
        for copy in copies:
            self.by_index.setdefault(copy.index, []).append(copy)
        self.meta = copies[0].meta
        self.start = copies[0].header_bytes
        readable = self.by_index.keys()
        self.unreadable = sum(
            1
            for index, drive in enumerate(self.meta.members)
            if drive and index not in readable and (drive not in present or drive in damaged)
        )

    @property
    def first(self) -> int:
        """The sequence of its first record."""
        return self.meta.previous_end + 1

    @property
    def need(self) -> int:
        """k+1: how many strands an acked record was durable on."""
        return self.meta.k + 1

    def accepted(self, copies: int, doubtful: int = 0) -> bool:
        """False: provably never acked, and not to be read either: the tail may be cut here (R15). What k strands have
        is taken in any case: nobody was told that it failed, and a truncated strand looks as one that was never
        written."""
        return copies >= self.meta.k or copies + doubtful + self.unreadable >= self.need

    def union(self, offset: int, sequence: int) -> Union | None:
        """The record at `offset`, or None when no readable strand has it."""
        found = {
            index: next((record for copy in twins if (record := copy.record(offset, sequence)) is not None), None)
            for index, twins in self.by_index.items()
        }
        whole = [record for record in found.values() if record is not None]
        if not whole:
            return None
        head, meta, _ = whole[0]
        bodies = {index: record[2] for index, record in found.items() if record is not None}
        damaged = [self.by_index[index] for index, record in found.items() if record is None]
        doubtful = sum(any(_looks_damaged(copy, offset, head.length) for copy in twins) for twins in damaged)
        return Union(head, meta, bodies, doubtful)

    def may_hold(self, offset: int) -> bool:
        """True when, although no strand has a whole record there, one may have been acked there: damaged strands and
        those that cannot be read are together k+1 or more (R15)."""
        return self.accepted(
            0, sum(any(_damaged_at(copy, offset) for copy in twins) for twins in self.by_index.values())
        )

    def fact(self, offset: int, sequence: int) -> Fact | None:
        """The record at `offset` from the first strand that has it whole (replay needs no body)."""
        for copy in self.copies:
            record = copy.record(offset, sequence)
            if record is not None:
                return Union(record[0], record[1], {}, 0).fact(offset)
        return None

    def facts(self, last: int, *, start: tuple[int, int] | None = None) -> Iterator[Fact | None]:
        """Facts from `start` (offset, sequence; default: the first) up to sequence `last`; a None where no strand has
        the next: stop.
        """
        offset, sequence = start or (self.start, self.meta.previous_end + 1)
        while sequence <= last:
            fact = self.fact(offset, sequence)
            yield fact
            if fact is None:
                return
            offset, sequence = offset + fact.location.length, sequence + 1


def _damaged_at(copy: Copy, offset: int) -> bool:
    """True when what stands at `offset` on this strand is no whole record, and not what a torn write leaves either."""
    view = copy.read(offset, HEADER_BYTES)
    if copy.failed:
        return True
    head = parse_header(view)
    if head is None:
        return any(view)
    return _looks_damaged(copy, offset, head.length)


def _looks_damaged(copy: Copy, offset: int, length: int) -> bool:
    """True when these bytes cannot be what a torn or missing write leaves. New strand space reads as zeros or not at
    all, in whole 512-byte sectors: a record with no empty sector in it was written whole, and something changed it
    since."""
    data = bytes(copy.read(offset, length))
    if copy.failed:
        return True  # nobody knows: it may have been acked (R15)
    if len(data) < length:
        return False
    return all(any(data[at : at + 512]) for at in range(0, length, 512))


class Survey(dict[int, View]):
    """Segments by id. headless: segments of which no present strand has a whole header, and how many strands of it hold
    something all the same that a torn creation does not leave: perhaps a segment that was acked in (R15). blind:
    present drives that could not be listed: as good as away."""

    def __init__(self, views: dict[int, View], headless: dict[int, int], blind: int) -> None:
        super().__init__(views)
        self.headless = headless
        self.blind = blind


def survey(drives: Iterable[Drive], identities: dict[int, str], *, only: int = 0) -> Survey:
    """Every journal segment of which at least one present drive holds a whole header (with its opening).

    Args:
        identities: slot -> drive id of the drives that are present.
        only: look at this segment alone.
    """
    found: dict[int, list[Copy]] = {}
    headless: dict[int, list[Drive]] = {}
    present = dict(identities)
    for drive in drives:
        try:
            strands = list(drive.strands(JOURNAL))
        except OSError:
            present.pop(drive.slot, None)  # none of its strands can be read: as good as away
            continue
        for segment, _length in strands:
            if only not in (0, segment):
                continue
            copy = _open_copy(drive, segment)
            if copy is not None:
                found.setdefault(segment, []).append(copy)
            else:
                headless.setdefault(segment, []).append(drive)
    here = frozenset(present.values())
    views = {}
    for segment, copies in found.items():
        opening_bytes = _opening_bytes(copies[0])
        damaged = [d for d in headless.get(segment, ()) if _was_opened(d, segment, opening_bytes)]
        views[segment] = View(segment, copies, here, frozenset(present[d.slot] for d in damaged if d.slot in present))
    lost = {
        segment: sum(_damaged_at(_raw(drive, segment), 0) for drive in holders)
        for segment, holders in headless.items()
        if segment not in found
    }
    blind = len(identities) - len(present)
    return Survey(views, {segment: count for segment, count in lost.items() if count}, blind)


def _opening_bytes(copy: Copy) -> int:
    """Where the header and the records inside it end: the same on every strand."""
    offset = copy.header_bytes
    for number in range(copy.meta.opening):
        record = copy.record(offset, copy.meta.previous_end + 1 + number)
        assert record is not None, "_open_copy read it"
        offset += record[0].length
    return offset


def _was_opened(drive: Drive, segment: int, opening_bytes: int) -> bool:
    """True when a strand without a whole header is not what a torn creation leaves: it cannot be read, something
    changed it since, or there is something behind its opening (R15: it may have held what was acked)."""
    copy = _raw(drive, segment)
    behind = any(copy.read(opening_bytes, HEADER_BYTES))
    return behind or copy.failed or _looks_damaged(copy, 0, opening_bytes)


def _raw(drive: Drive, segment: int) -> Copy:
    """A strand about which nothing is known yet."""
    return Copy(drive, segment, 0, StrandMeta("", "", 0, 0, [], 0), 0)


def _open_copy(drive: Drive, segment: int) -> Copy | None:
    """The strand with its header parsed, None when header or opening are not whole."""
    probe = _raw(drive, segment)
    head = parse_header(probe.read(0, HEADER_BYTES))
    if head is None or head.type != Type.HEADER or head.segment != segment:
        return None
    view = probe.read(0, head.length)
    if not verify_head(head, view):
        return None
    meta: StrandMeta = codec.META[Type.HEADER].decode(bytes(view[HEADER_BYTES : HEADER_BYTES + head.meta_bytes]))
    copy = Copy(drive, segment, head.strand, meta, head.length)
    offset = head.length
    for number in range(meta.opening):
        record = copy.record(offset, meta.previous_end + 1 + number)
        if record is None:
            return None
        offset += record[0].length
    copy.window_bytes = _WINDOW_BYTES
    return copy
