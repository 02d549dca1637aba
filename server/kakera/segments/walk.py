"""Walking a segment record by record over all its strands at once: for census, scrub and heal.

A record whose header is damaged on one strand is found by the headers of the others; a place where no strand has a
record (a write that failed everywhere) is skipped to the next record that any strand has. Blocking.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kakera.base import clock, limits
from kakera.segments.drive import Drive, Strand
from kakera.segments.fragments import Bad, Piece, judge_record
from kakera.segments.map import Layout
from kakera.segments.record import HEADER_BYTES, MAGIC, Header, parse_header, verify_head

_ALIGN = 8


class Throttle:
    """Bytes per second over all who share it (R14): `take` sleeps as long as it must. 0: no limit."""

    def __init__(self, bytes_per_s: int) -> None:
        self.bytes_per_s = bytes_per_s
        self._free_at_s = 0.0

    def take(self, size: int) -> None:
        if self.bytes_per_s <= 0:
            return
        now_s = clock.monotonic_s()
        start_s = max(self._free_at_s, now_s)
        self._free_at_s = start_s + size / self.bytes_per_s
        if start_s > now_s:
            time.sleep(start_s - now_s)


class Window:
    """One strand read forward through a buffer. One that cannot be read is empty from there on, with its reason."""

    def __init__(self, drive: Drive, strand: Strand, index: int, throttle: Throttle, window_bytes: int) -> None:
        self.drive = drive
        self.index = index
        self.failed = ""
        self._strand = strand
        self._throttle = throttle
        self._window_bytes = window_bytes
        self._data = b""
        self._at = 0

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer at the end of the strand."""
        start = offset - self._at
        if start < 0 or start + length > len(self._data):
            size = max(length, self._window_bytes)
            self._throttle.take(size)
            try:
                self._data = self.drive.read(self._strand, offset, size)
            except OSError as error:
                self.failed = error.strerror or str(error)
                self._data = b""
            self._at = offset
            start = 0
        return self._data[start : start + length]


class Found(NamedTuple):
    """One record over the strands. pieces: good ones by strand index; bad: the others that are there, with the reason
    (an index is in both when only its twin is good); punched: those of the bad whose space was given back; unwritten:
    those that end before it, or begin with nothing."""

    offset: int
    header: Header
    meta: bytes
    pieces: dict[int, Piece]
    bad: dict[int, str]
    punched: frozenset[int]
    unwritten: frozenset[int]

    @property
    def length(self) -> int:
        return self.header.length

    @property
    def decodable(self) -> bool:
        """True when the record can be made again for any strand."""
        coded = self.header.k if self.header.body_bytes else 0
        return len(self.pieces) >= max(coded, 1)


def walk(layout: Layout, upto: int, throttle: Throttle) -> Iterator[Found]:
    """Every record before byte `upto`, in order."""
    windows = _windows(layout, throttle, limits.SCAN_WINDOW_BYTES)
    for offset, header in _places(windows, layout.strand, upto):
        yield _found(windows, layout.strand, offset, header)


def heads(layout: Layout, upto: int, throttle: Throttle) -> Iterator[tuple[int, Header]]:
    """Offset and header of every record before byte `upto`, in order; no body is read."""
    return _places(_windows(layout, throttle, limits.PAGE_BYTES), layout.strand, upto)


def _windows(layout: Layout, throttle: Throttle, size: int) -> list[Window]:
    """Twins come last: they are read when the first is not whole."""
    places = (*layout.drives.items(), *layout.twins)
    return [Window(drive, layout.strand, index, throttle, size) for index, drive in places]


def _places(windows: list[Window], strand: Strand, upto: int) -> Iterator[tuple[int, Header]]:
    offset = 0
    last = -1  # sequences rise along a strand: bytes that look like an older record are not the next one
    while offset < upto:
        header = _agreed(windows, strand, offset, last)
        if header is None:
            stop = min(upto, offset + limits.MAX_SCAN_SKIP_BYTES)
            after = _next_record(windows, strand, range(offset + _ALIGN, stop), last)
            if after is None:
                return
            offset = after
            continue
        if offset + header.length > upto:
            return
        yield offset, header
        offset += header.length
        last = header.sequence


def _head_at(window: Window, strand: Strand, offset: int) -> Header | None:
    """The strand's own whole header at `offset`."""
    header = parse_header(window.read(offset, HEADER_BYTES))
    if header is None or header.segment != strand.segment or header.strand != window.index:
        return None
    data = window.read(offset, HEADER_BYTES + header.meta_bytes)
    return header if verify_head(header, data) else None


def _agreed(windows: list[Window], strand: Strand, offset: int, last: int) -> Header | None:
    """The header after sequence `last` that most strands have at `offset`."""
    heads = [_head_at(window, strand, offset) for window in windows]
    good = [head for head in heads if head is not None and head.sequence > last]
    if not good:
        return None
    votes = Counter((head.sequence, head.length, head.command_id) for head in good)
    winner, _ = votes.most_common(1)[0]
    return next(head for head in good if (head.sequence, head.length, head.command_id) == winner)


def _next_record(windows: list[Window], strand: Strand, span: range, last: int) -> int | None:
    """The first place in `span` where any strand has a whole header after sequence `last`; None when there is none."""
    best: int | None = None
    for window in windows:
        offset = span.start
        limit = span.stop if best is None else best
        while offset < limit:
            data = window.read(offset, min(limits.SCAN_WINDOW_BYTES, limit - offset + HEADER_BYTES))
            if len(data) < HEADER_BYTES:
                break
            at = data.find(MAGIC)
            while at >= 0 and not _begins(window, strand, offset + at, last):
                at = data.find(MAGIC, at + 1)
            if at >= 0 and offset + at < limit:
                best = offset + at
                break
            offset += max(len(data) - HEADER_BYTES, _ALIGN)
            offset -= offset % _ALIGN
    return best


def _begins(window: Window, strand: Strand, offset: int, last: int) -> bool:
    if offset % _ALIGN:
        return False
    header = _head_at(window, strand, offset)
    return header is not None and header.sequence > last


def _found(windows: list[Window], strand: Strand, offset: int, header: Header) -> Found:
    pieces: dict[int, Piece] = {}
    bad: dict[int, str] = {}
    punched = set()
    unwritten = set()
    for window in windows:
        index = window.index
        if index in pieces:
            continue
        data = window.read(offset, header.length)
        try:
            pieces[index] = judge_record(data, strand, index, header.length)
        except Bad as error:
            bad.setdefault(index, window.failed or error.reason)
            if error.punched:
                punched.add(index)
            if not window.failed and (len(data) < header.length or not any(data[:HEADER_BYTES])):
                unwritten.add(index)
    groups = Counter(piece.identity for piece in pieces.values())
    if len(groups) > 1:
        winner, _ = groups.most_common(1)[0]
        for index in [i for i, piece in pieces.items() if piece.identity != winner]:
            del pieces[index]
            bad[index] = "another record than on the other strands"
    sample = next(iter(pieces.values()), None)
    meta = sample.meta if sample else _meta_of(windows, strand, offset)
    return Found(
        offset, sample.header if sample else header, meta, pieces, bad, frozenset(punched), frozenset(unwritten)
    )


def _meta_of(windows: list[Window], strand: Strand, offset: int) -> bytes:
    """The meta from a strand whose body is bad but whose head is whole."""
    for window in windows:
        header = _head_at(window, strand, offset)
        if header is not None:
            return window.read(offset, header.length)[HEADER_BYTES : HEADER_BYTES + header.meta_bytes]
    return b""
