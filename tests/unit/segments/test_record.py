"""The record: what is written is read, and nothing else is taken for it."""

from __future__ import annotations

import struct

import pytest

from kakera.base import limits
from kakera.segments.drive import JOURNAL, Strand
from kakera.segments.fragments import Bad, judge_record
from kakera.segments.record import (
    HEADER_BYTES,
    Draft,
    Encoder,
    Type,
    crc32c,
    crc_table,
    parse_header,
    record_length,
    table_length,
    verify_head,
)

STRAND = Strand(JOURNAL, 1 << 32 | 7)
BODY = bytes(range(60))
DRAFT = Draft(Type.OBJECT, 0, b"i" * 16, b"the meta", len(BODY), 240, 4, 2)
RECORD = Encoder(DRAFT, STRAND.segment, 9).whole(3, BODY)


def test_every_field_comes_back() -> None:
    piece = judge_record(RECORD, STRAND, 3)
    header = piece.header
    assert (header.type, header.strand, header.k, header.m) == (Type.OBJECT, 3, 4, 2)
    assert (header.segment, header.sequence, header.command_id) == (STRAND.segment, 9, b"i" * 16)
    assert (piece.meta, piece.body, header.body_size) == (b"the meta", BODY, 240)
    assert header.length == len(RECORD) == record_length(8, 60)
    assert len(RECORD) % 8 == 0


@pytest.mark.parametrize("bit", range(8 * (HEADER_BYTES + 8 + len(BODY))))
def test_each_flipped_bit_is_noticed(bit: int) -> None:
    data = bytearray(RECORD)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Bad):
        judge_record(bytes(data), STRAND, 3)


def test_two_flipped_bits_are_noticed() -> None:
    """All pairs within the header, and each header bit with each eighth bit of the rest."""
    header_bits = range(8 * HEADER_BYTES)
    rest = range(8 * HEADER_BYTES, 8 * (HEADER_BYTES + 8 + len(BODY)), 8)
    pairs = [(a, b) for a in header_bits for b in header_bits if a < b and (a + b) % 5 == 0]
    pairs += [(a, b) for a in header_bits for b in rest]
    for a, b in pairs:
        data = bytearray(RECORD)
        data[a // 8] ^= 1 << a % 8
        data[b // 8] ^= 1 << b % 8
        with pytest.raises(Bad):
            judge_record(bytes(data), STRAND, 3)


def test_a_flip_in_the_padding_changes_nothing() -> None:
    used = HEADER_BYTES + 8 + len(BODY)
    assert used < len(RECORD)
    data = bytearray(RECORD)
    data[-1] ^= 1
    assert judge_record(bytes(data), STRAND, 3).body == BODY


@pytest.mark.parametrize("length", range(HEADER_BYTES + 8 + len(BODY)))
def test_a_record_cut_anywhere_is_noticed(length: int) -> None:
    with pytest.raises(Bad):
        judge_record(RECORD[:length], STRAND, 3)
    with pytest.raises(Bad):
        judge_record(RECORD[:length].ljust(len(RECORD), b"\0"), STRAND, 3)


@pytest.mark.parametrize(("strand", "index"), [(STRAND, 2), (STRAND, 4), (Strand(JOURNAL, STRAND.segment + 1), 3)])
def test_a_whole_record_of_another_place_is_not_taken(strand: Strand, index: int) -> None:
    with pytest.raises(Bad, match="another strand"):
        judge_record(RECORD, strand, index)


def test_another_length_than_the_index_says_is_not_taken() -> None:
    with pytest.raises(Bad, match="another record"):
        judge_record(RECORD, STRAND, 3, len(RECORD) + 8)


@pytest.mark.parametrize(("at", "value"), [(40, limits.MAX_META_BYTES + 1), (44, limits.MAX_RECORD_BYTES), (44, 2**31)])
def test_lengths_beyond_the_limits_are_no_header(at: int, value: int) -> None:
    """A scan must not be sent beyond its buffer by 32 bits of noise (R11)."""
    data = bytearray(RECORD)
    struct.pack_into("<I", data, at, value)
    assert parse_header(data) is None


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 131073, 1 << 20])
def test_the_crc_table(size: int) -> None:
    body = bytes(size)
    table = crc_table(body)
    assert len(table) == table_length(size) == (0 if size <= 65536 else 4 * -(-size // 65536))
    draft = DRAFT._replace(body_bytes=size, body_size=size)
    for buffer in (body, bytearray(body), memoryview(body)):
        assert judge_record(Encoder(draft, STRAND.segment, 1).whole(0, buffer), STRAND, 0).body == body


def test_a_flip_in_the_crc_table_is_noticed() -> None:
    draft = DRAFT._replace(body_bytes=70000)
    record = bytearray(Encoder(draft, STRAND.segment, 1).whole(0, bytes(70000)))
    record[HEADER_BYTES + 8 + 2] ^= 16
    with pytest.raises(Bad, match="body damaged"):
        judge_record(bytes(record), STRAND, 0)


def test_a_head_without_its_whole_meta_is_not_verified() -> None:
    header = parse_header(RECORD)
    assert header is not None
    assert verify_head(header, RECORD)
    assert not verify_head(header, RECORD[: HEADER_BYTES + 7])


def test_the_records_crc_is_crc32c_over_any_buffer() -> None:
    whole = b"123456789"  # the check value of the catalogue of CRCs, and of RFC 3720 B.4 for 32 zeros
    assert crc32c(whole) == crc32c(bytearray(whole)) == crc32c(memoryview(whole)[:]) == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(memoryview(whole)[4:], crc32c(whole[:4])) == crc32c(whole)
