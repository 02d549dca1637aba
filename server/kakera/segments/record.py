"""The record: what is appended to a strand. Layout and reasons: docs/spec/segments.md.

    0   4  magic "KKR" + format version 1
    4   1  type                 5 1 flags          6 1 strand index      7 1 k
    8   8  segment id
    16  8  sequence             journal: position in the partition's history; bulk: ordinal in the segment
    24 16  command id           journal: the command (R16); DATA: the body's id
    40  4  meta length
    44  4  body length          bytes of this strand's own body
    48  4  body size            bytes of the whole before coding
    52  4  body crc             crc32c of the body; above 64 KiB of the crc table
    56  4  m << 8 | 0           (rest reserved, zero)
    60  4  record crc           crc32c of [8:52] + [56:60] + meta, then of [0:8] + body crc
    64     meta, then the crc table (crc32c of each 64 KiB of the body; only above 64 KiB), then the body, zeros to a
    multiple of 8

The part of the crc that all strands share comes first, so that the committer computes it once and extends it by 12
bytes a strand.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from awscrt import checksums

from kakera.base import limits

Buffer = bytes | bytearray | memoryview

MAGIC = b"KKR\x01"
HEADER_BYTES = 64
_COMMON = struct.Struct("<QQ16sIII")  # segment, sequence, command id, meta length, body length, body size
FULL = struct.Struct("<4sBBBBQQ16sIIIIII")
CRCS = struct.Struct("<III")  # body crc, m << 8, record crc: bytes 52 to 64
_TAIL = struct.Struct("<I")
_END = struct.Struct("<III")  # body crc, m << 8, record crc
_BYTES = tuple(bytes((number,)) for number in range(256))
_ALIGN = 8

crc32c: Callable[..., int] = checksums.crc32c  # (bytes-like, crc of what stands before = 0)


class Type(IntEnum):
    """What a record says.

    HEADER is a strand's first record; DATA stands in bulk segments only; the rest in the journal only.
    """

    HEADER = 1
    DATA = 2
    OBJECT = 3
    DELETE = 4
    MARKER = 5
    PART = 6
    UPLOAD = 7
    ABORT = 8
    SETTINGS = 9


class Flag(IntEnum):
    """Bits of the flags byte."""

    REPLICATED = 1  # the body is the same on every strand
    MOVED = 2  # appended again by cleaning, compaction or a change of tags: identity and order unchanged (R7)
    UNVERSIONED = 4  # the bucket never had versioning when this was decided: replay need not look for other versions


class Header(NamedTuple):
    """A parsed header. `k` = 0 and `m` = 0: no coded body."""

    type: int
    flags: int
    strand: int
    k: int
    segment: int
    sequence: int
    command_id: bytes
    meta_bytes: int
    body_bytes: int
    body_size: int
    body_crc: int
    m: int
    record_crc: int

    @property
    def table_bytes(self) -> int:
        return table_length(self.body_bytes)

    @property
    def length(self) -> int:
        """Whole length on the strand, padding included."""
        return record_length(self.meta_bytes, self.body_bytes)


def table_length(body_bytes: int) -> int:
    """Bytes of the crc table: none up to one block, else 4 for each block of 64 KiB."""
    if body_bytes <= limits.CRC_BLOCK_BYTES:
        return 0
    return 4 * -(-body_bytes // limits.CRC_BLOCK_BYTES)


def record_length(meta_bytes: int, body_bytes: int) -> int:
    used = HEADER_BYTES + meta_bytes + table_length(body_bytes) + body_bytes
    return -(-used // _ALIGN) * _ALIGN


def crc_table(body: Buffer) -> bytes:
    """crc32c of every 64 KiB of `body`, little-endian; empty when the body is one block or less."""
    size = len(body)
    if size <= limits.CRC_BLOCK_BYTES:
        return b""
    whole = memoryview(body)
    block = limits.CRC_BLOCK_BYTES
    return b"".join([_TAIL.pack(crc32c(whole[at : at + block])) for at in range(0, size, block)])


def as_bytes(buffer: Buffer) -> bytes:
    """The buffer as bytes: itself when it is that already."""
    return buffer if type(buffer) is bytes else bytes(buffer)


class Draft(NamedTuple):
    """A record before it is laid on its strands: all that the strands share."""

    type: int
    flags: int
    command_id: bytes
    meta: bytes
    body_bytes: int  # of each strand
    body_size: int  # of the whole
    k: int
    m: int


class Encoder:
    """Lays one draft on strand after strand of a segment; what they share is packed and its crc computed once."""

    __slots__ = ("_common", "_crc", "_draft", "_lead", "_mk", "_tail", "length")

    def __init__(self, draft: Draft, segment: int, sequence: int) -> None:
        self._draft = draft
        self._lead = MAGIC + bytes((draft.type, draft.flags))
        self._tail = _BYTES[draft.k]
        self._mk = draft.m << 8
        meta = draft.meta
        self._common = _COMMON.pack(segment, sequence, draft.command_id, len(meta), draft.body_bytes, draft.body_size)
        self._crc = crc32c(meta, crc32c(self._common + _TAIL.pack(self._mk)))
        self.length = record_length(len(meta), draft.body_bytes)

    def strand(self, index: int, body_crc: int) -> bytes:
        """The 64 header bytes for strand `index`, whose body (or crc table) has `body_crc`."""
        lead = self._lead + _BYTES[index] + self._tail
        crc = crc32c(lead + _TAIL.pack(body_crc), self._crc)
        return lead + self._common + _END.pack(body_crc, self._mk, crc)

    def whole(self, index: int, body: Buffer = b"") -> bytes:
        """The complete record for strand `index`: header, meta, table, body, padding."""
        d = self._draft
        table = crc_table(body)
        head = self.strand(index, crc32c(table) if table else crc32c(body))
        used = HEADER_BYTES + len(d.meta) + len(table) + len(body)
        return b"".join((head, d.meta, table, body, bytes(self.length - used)))


def parse_header(buffer: Buffer, offset: int = 0) -> Header | None:
    """The header at `offset`, or None when these 64 bytes are not one.

    Its crc is not verified here: see `verify_head`.
    """
    if len(buffer) - offset < HEADER_BYTES:
        return None
    magic, *fields, mk, crc = FULL.unpack_from(buffer, offset)
    if magic != MAGIC:
        return None
    header = Header._make((*fields, mk >> 8 & 0xFF, crc))
    if header.meta_bytes > limits.MAX_META_BYTES or header.length > limits.MAX_RECORD_BYTES:
        return None
    return header


def verify_head(header: Header, buffer: Buffer, offset: int = 0) -> bool:
    """True when header and meta at `offset` are whole (R3). `buffer` must hold both."""
    view = memoryview(buffer)
    meta_at = offset + HEADER_BYTES
    if len(view) < meta_at + header.meta_bytes:
        return False
    crc = crc32c(view[offset + 56 : offset + 60], crc32c(view[offset + 8 : offset + 52]))
    crc = crc32c(view[meta_at : meta_at + header.meta_bytes], crc)
    crc = crc32c(bytes(view[offset : offset + 8]) + _TAIL.pack(header.body_crc), crc)
    return crc == header.record_crc


def verify_body(header: Header, body: Buffer, table: Buffer = b"") -> bool:
    """True when the whole body of this strand is right (R3)."""
    if len(body) != header.body_bytes:
        return False
    if header.body_bytes <= limits.CRC_BLOCK_BYTES:
        return crc32c(body) == header.body_crc
    return crc32c(table) == header.body_crc and crc_table(body) == bytes(table)
