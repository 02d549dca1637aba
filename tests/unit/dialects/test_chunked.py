"""The aws-chunked framing by itself: no signatures are checked here, only where they stand."""

from __future__ import annotations

import pytest

from kakera.base import limits
from kakera.dialects.s3.chunked import ChunkDecoder, Mark, canonical_trailers, parse_trailers
from kakera.dialects.s3.refusals import BodyError
from tests.unit.dialects.wire import aws_chunks, cut

DATA = bytes(range(256)) * 80  # 20,480 bytes


def decode(wire: bytes, size: int, *, signed: bool = False, step: int = 1 << 20):
    decoder = ChunkDecoder(size, signed=signed)
    for piece in cut(wire, [step] * (len(wire) // step)):
        decoder.feed(piece)
    trailers = decoder.finish()
    return b"".join(decoder.pieces), decoder.marks, trailers


def code(wire: bytes, size: int, *, signed: bool = False) -> str:
    with pytest.raises(BodyError) as caught:
        decode(wire, size, signed=signed)
    with pytest.raises(BodyError) as again:
        decode(wire, size, signed=signed, step=1)
    assert again.value.code == caught.value.code
    return caught.value.code


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 8192, 1 << 20])
def test_any_cut_of_the_wire(step):
    wire = b"".join(aws_chunks(DATA, 8192)) + b"\r\n"
    data, marks, trailers = decode(wire, len(DATA), step=step)
    assert data == DATA
    assert [mark.offset for mark in marks] == [8192, 16384, 20480, 20480]
    assert trailers == {}


def test_an_empty_body():
    assert decode(b"0\r\n\r\n", 0) == (b"", [Mark(0, "", closing=True)], {})


def test_one_aws_chunk_as_long_as_the_body():
    assert decode(b"".join(aws_chunks(DATA, len(DATA))) + b"\r\n", len(DATA))[0] == DATA


def test_slices_are_not_copies():
    wire = b"".join(aws_chunks(DATA, 8192)) + b"\r\n"
    decoder = ChunkDecoder(len(DATA), signed=False)
    decoder.feed(wire)
    assert all(piece.obj is wire for piece in decoder.pieces)


@pytest.mark.parametrize(
    ("wire", "size"),
    [
        (b"x\r\n", 10),
        (b"\r\n", 10),
        (b";a\r\n", 10),
        (b"0x5\r\nabcde\r\n0\r\n\r\n", 5),
        (b"+5\r\nabcde\r\n0\r\n\r\n", 5),
        (b"-5\r\nabcde\r\n0\r\n\r\n", 5),
        (b"5 \r\nabcde\r\n0\r\n\r\n", 5),
        (b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n", 16),
        (b"5\nabcde\n0\n\n", 5),
        (b"5\r\nabcdef\r\n0\r\n\r\n", 5),
        (b"5\r\nabcde0\r\n\r\n", 5),
        (b"5;ext=1\r\nabcde\r\n0\r\n\r\n", 5),
        (b"5;chunk-signature=" + b"0" * 64 + b"\r\nabcde\r\n0\r\n\r\n", 5),
        (b"0" * 17 + b"\r\n\r\n", 0),
        (b"5" * (limits.MAX_AWS_CHUNK_LINE_BYTES + 1), 5),
        (b"5;" + b"a" * 100_000, 5),
    ],
)
def test_malformed_framing(wire, size):
    assert code(wire, size) == "InvalidRequest"


@pytest.mark.parametrize(
    "extension", [b"", b";", b";chunk-signature=", b";chunk-signature=" + b"A" * 64, b";signature=" + b"0" * 64]
)
def test_a_signature_is_demanded_where_it_was_announced(extension):
    assert code(b"5" + extension + b"\r\nabcde\r\n", 5, signed=True) == "InvalidRequest"


@pytest.mark.parametrize(
    ("wire", "size"),
    [
        (b"", 0),
        (b"5", 5),
        (b"5\r\n", 5),
        (b"5\r\nabc", 5),
        (b"5\r\nabcde\r\n", 5),
        (b"5\r\nabcde\r\n0\r\n", 5),
        (b"5\r\nabcde\r\n0\r\n\r", 5),
        (b"5\r\nabcde\r\n0\r\nx-a:b\r\n", 5),
        (b"4\r\nabcd\r\n0\r\n\r\n", 5),  # shorter than announced
        (b"6\r\nabcdef\r\n0\r\n\r\n", 5),  # longer than announced
        (b"ffffffffffffffff\r\n", 5),
    ],
)
def test_incomplete(wire, size):
    assert code(wire, size) == "IncompleteBody"


def test_every_prefix_of_a_body_is_incomplete():
    wire = b"".join(aws_chunks(DATA[:9000], 8192)) + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    for length in [*range(40), *range(8190, 8230), *range(len(wire) - 60, len(wire))]:
        assert code_of_prefix(wire[:length]) in ("IncompleteBody", "MalformedTrailerError"), length


def code_of_prefix(wire: bytes) -> str:
    with pytest.raises(BodyError) as caught:
        decode(wire, 9000)
    return caught.value.code


def test_only_the_last_may_be_short():
    frames = aws_chunks(DATA, 8191)
    assert code(b"".join(frames) + b"\r\n", len(DATA)) == "InvalidChunkSizeError"
    assert decode(b"".join(aws_chunks(DATA[:8192] + b"x", 8192)) + b"\r\n", 8193)[0][-1:] == b"x"


# --- trailers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"X-Amz-Checksum-Crc32: AAAAAA== \r\n\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\n\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\n\r\n\r\n\r\n",
    ],
)
def test_trailers(block):
    assert parse_trailers(block) == {"x-amz-checksum-crc32": "AAAAAA=="}


def test_the_signature_in_a_block_of_its_own():
    block = b"x-amz-checksum-crc32:AAAAAA==\n\r\nx-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n"
    trailers = parse_trailers(block)
    assert trailers == {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-trailer-signature": "0" * 64}
    assert canonical_trailers(trailers) == b"x-amz-checksum-crc32:AAAAAA==\n"


@pytest.mark.parametrize(
    "block",
    [
        b"no colon\r\n\r\n",
        b":v\r\n\r\n",
        b"a b:v\r\n\r\n",
        b"a:1\r\na:2\r\n\r\n",
        b"a:1\r\nA:2\r\n\r\n",
        b"a:\x00\r\n\r\n",
        b"a:x\ry\r\n\r\n",
        b"\xff:v\r\n\r\n",
        b"".join(b"a%d:1\r\n" % number for number in range(limits.MAX_TRAILERS + 1)) + b"\r\n",
    ],
)
def test_malformed_trailers(block):
    with pytest.raises(BodyError) as caught:
        parse_trailers(block)
    assert caught.value.code == "MalformedTrailerError"


def test_trailers_are_bounded():
    assert code(b"0\r\n" + b"a:" + b"b" * limits.MAX_TRAILER_BYTES + b"\r\n\r\n", 0) == "MalformedTrailerError"


def test_nothing_hides_behind_the_closing_aws_chunk():
    assert code(b"0\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 0) == "MalformedTrailerError"
