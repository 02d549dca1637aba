"""The metas that segments read and write themselves: the strand header's, DATA's, and the reference to a chunk.

msgpack arrays; new fields only at the end, with defaults. `journal.records` shows them on as its own.
"""

from __future__ import annotations

import msgspec


class ChunkRef(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One chunk in a bulk segment: where its DATA records lie on every strand, its size and crc32c before coding."""

    segment: int
    offset: int
    length: int
    size: int
    crc: int


class StrandMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """HEADER: first record of every strand. members: drive id by strand index, "" where none was to be had.

    Journal only: previous: the segment before (0: none), previous_end: the last sequence of it that counts,
    previous_bytes: where that record ends; floor: oldest segment that counts, floor_sequence: its first sequence;
    opening: how many of the records that follow belong to the header (R15): they count as one with it.
    """

    cluster: str
    kind: str
    k: int
    m: int
    members: list[str]
    created_ms: int
    previous: int = 0
    previous_end: int = 0
    previous_bytes: int = 0
    floor: int = 0
    floor_sequence: int = 0
    opening: int = 0


class DataMeta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """DATA: chunk `number` of the body named by the record's command id; crc: crc32c of the chunk before coding."""

    number: int
    crc: int
