"""Bodies: what the head announces, and what then arrives, whole, short, long, altered."""

from __future__ import annotations

import asyncio
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

from kakera.base import limits
from kakera.dialects.s3 import checksums
from kakera.dialects.s3.auth import Identity, PayloadMode
from kakera.dialects.s3.body import (
    VerifiedBody,
    announces_digest,
    plan_body,
    read_document,
    stored_content_encoding,
)
from kakera.dialects.s3.refusals import BodyError
from tests.unit.dialects.wire import Pieces, aws_chunks, cut, identify, request, sign, trailer_signature

SMALL = b"0123456789" * 400
LARGE = bytes(range(256)) * 40_000  # 10,240,000 bytes: two whole buffers and a rest
ANONYMOUS = Identity(None)


def md5_header(data: bytes) -> str:
    return checksums.encode(hashlib.md5(data).digest())


async def receive(asked, identity: Identity = ANONYMOUS, **options):
    """The body read to its end, as the core does it: (pieces, digests)."""
    body = VerifiedBody(asked.body, plan_body(asked, identity, max_bytes=limits.MAX_PUT_BYTES, **options))
    pieces = []
    while piece := await body.read():
        pieces.append(piece)
    assert not await body.read()
    return pieces, body.digests()


async def refused(asked, identity: Identity = ANONYMOUS) -> BodyError:
    with pytest.raises(BodyError) as caught:
        await receive(asked, identity)
    return caught.value


def plain(data: bytes, headers: dict | None = None, sizes=(), length: int | None = None):
    found = {"content-length": str(len(data) if length is None else length), **(headers or {})}
    return request("PUT", headers=found, body=cut(data, sizes))


# --- plain bodies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"x", SMALL, LARGE[: limits.HASH_INLINE_BYTES], LARGE[: limits.HASH_INLINE_BYTES + 1]]
)
@pytest.mark.parametrize("sizes", [(), (1,), (1000,) * 50, (65536,) * 200])
async def test_plain_bodies(data, sizes):
    pieces, digests = await receive(plain(data, {"content-md5": md5_header(data)}, sizes))
    assert b"".join(pieces) == data
    assert digests == (len(data), hashlib.md5(data).digest(), None)


async def test_large_bodies_come_in_the_stores_chunks():
    headers = {"x-amz-checksum-crc32c": checksums.encode(checksums.compute("CRC32C", LARGE))}
    pieces, digests = await receive(plain(LARGE, headers, (65536,) * 300))
    assert [len(piece) for piece in pieces] == [
        limits.CHUNK_BYTES,
        limits.CHUNK_BYTES,
        len(LARGE) - 2 * limits.CHUNK_BYTES,
    ]
    assert b"".join(pieces) == LARGE
    assert digests.md5 == hashlib.md5(LARGE).digest()
    assert digests.checksum.value == headers["x-amz-checksum-crc32c"]
    with pytest.raises(TypeError):
        pieces[0][0] = 1  # read-only: it is being hashed


async def test_one_huge_piece_and_an_executor_of_ones_own():
    with ThreadPoolExecutor(1) as executor:
        asked = plain(LARGE)
        body = VerifiedBody(asked.body, plan_body(asked, ANONYMOUS, max_bytes=1 << 30), executor=executor)
        data = b"".join([bytes(piece) for piece in [await body.read(), await body.read(), await body.read()]])
    assert data == LARGE
    assert body.digests().size_bytes == len(LARGE)


async def test_a_small_body_in_one_piece_is_not_copied():
    pieces, _ = await receive(plain(SMALL))
    assert pieces[0] is SMALL or pieces[0] == SMALL


async def test_the_event_loop_goes_on_while_a_large_body_is_hashed():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await receive(plain(LARGE, sizes=(65536,) * 300))
    counter.cancel()
    assert turns > 2


async def test_digests_before_the_end_are_not_to_be_had():
    asked = plain(LARGE)
    body = VerifiedBody(asked.body, plan_body(asked, ANONYMOUS, max_bytes=1 << 30))
    await body.read()
    with pytest.raises(AssertionError):
        body.digests()


@pytest.mark.parametrize("data", [SMALL, LARGE])
async def test_short_bodies(data):
    for length in (len(data) + 1, len(data) * 2):
        assert (await refused(plain(data, length=length))).code == "IncompleteBody"
    assert (await refused(plain(b"", length=5))).code == "IncompleteBody"


@pytest.mark.parametrize("data", [SMALL, LARGE])
async def test_bodies_longer_than_announced(data):
    assert (await refused(plain(data, length=len(data) - 1))).code == "IncompleteBody"


async def test_the_last_piece_is_withheld_from_a_bad_body():
    asked = plain(LARGE, {"content-md5": md5_header(b"other")})
    body = VerifiedBody(asked.body, plan_body(asked, ANONYMOUS, max_bytes=1 << 30))
    await body.read()
    await body.read()
    with pytest.raises(BodyError):
        await body.read()
    with pytest.raises(AssertionError):
        body.digests()


# --- the head ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "code", "status"),
    [
        ({}, "MissingContentLength", 411),
        ({"transfer-encoding": "chunked"}, "MissingContentLength", 411),
        ({"content-length": "-1"}, "InvalidArgument", 400),
        ({"content-length": "1e3"}, "InvalidArgument", 400),
        ({"content-length": "5,5"}, "InvalidArgument", 400),
        ({"content-length": "9" * 30}, "InvalidArgument", 400),
        ({"content-length": str(limits.MAX_PUT_BYTES + 1)}, "EntityTooLarge", 400),
        ({"content-length": "5", "content-md5": ""}, "InvalidDigest", 400),
        ({"content-length": "5", "content-md5": "AWS="}, "InvalidDigest", 400),
        ({"content-length": "5", "content-md5": "rL0Y20xC+Fzt72VPzMSk2A"}, "InvalidDigest", 400),
        ({"content-length": "5", "x-amz-checksum-crc32": "bad"}, "BadDigest", 400),
        ({"content-length": "5", "x-amz-checksum-sha256": "AAAAAA=="}, "BadDigest", 400),
        ({"content-length": "5", "x-amz-checksum-xxhash": "AAAAAA=="}, "InvalidRequest", 400),
        (
            {"content-length": "5", "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
            "InvalidRequest",
            400,
        ),
        ({"content-length": "5", "x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest", 400),
        ({"content-length": "5", "x-amz-sdk-checksum-algorithm": "ROT13"}, "InvalidRequest", 400),
        (
            {"content-length": "5", "x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": "AAAAAA=="},
            "InvalidRequest",
            400,
        ),
        ({"content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}, "InvalidRequest", 400),
        ({"content-length": "15", "x-amz-decoded-content-length": "5"}, "InvalidRequest", 400),
    ],
)
def test_heads_that_cannot_be_right(headers, code, status):
    with pytest.raises(BodyError) as caught:
        plan_body(request("PUT", headers=headers), ANONYMOUS, max_bytes=limits.MAX_PUT_BYTES)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_the_largest_put_is_planned():
    headers = {
        "content-length": str(limits.MAX_PUT_BYTES),
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "X",
    }
    plan = plan_body(request("PUT", headers=headers), ANONYMOUS, max_bytes=limits.MAX_PUT_BYTES)
    assert plan.decoded_bytes == limits.MAX_PUT_BYTES
    assert plan.algorithm is None


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ("aws-chunked", None),
        ("", None),
        ("gzip", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, AWS-Chunked, br", "gzip,br"),
    ],
)
def test_stored_content_encoding(value, stored):
    assert stored_content_encoding(value) == stored


def test_announces_digest():
    for name in ("content-md5", "x-amz-checksum-sha1", "x-amz-trailer"):
        assert announces_digest({name: "x"})
    assert not announces_digest(
        {"x-amz-checksum-algorithm": "CRC32", "content-length": "1", "x-amz-checksum-type": "x"}
    )


# --- digests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
@pytest.mark.parametrize("name", checksums.ALGORITHMS)
async def test_checksums_in_headers(data, name):
    header = checksums.ALGORITHMS[name].header
    value = checksums.encode(checksums.compute(name, data))
    _, digests = await receive(plain(data, {header: value, "x-amz-sdk-checksum-algorithm": name}))
    assert (digests.checksum.algorithm, digests.checksum.value, digests.checksum.kind) == (name, value, "FULL_OBJECT")
    wrong = checksums.encode(checksums.compute(name, data + b"x"))
    error = await refused(plain(data, {header: wrong}))
    assert (error.code, error.status) == ("BadDigest", 400)
    assert name in error.message


async def test_a_default_checksum_where_none_was_asked_for():
    _, digests = await receive(plain(SMALL), default_algorithm="CRC64NVME")
    assert digests.checksum.value == checksums.encode(checksums.compute("CRC64NVME", SMALL))
    asked = plain(SMALL, {"x-amz-checksum-sha1": checksums.encode(checksums.compute("SHA1", SMALL))})
    _, digests = await receive(asked, default_algorithm="CRC64NVME")
    assert digests.checksum.algorithm == "SHA1"


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
async def test_content_md5(data):
    error = await refused(plain(data, {"content-md5": md5_header(data + b"x")}))
    assert error.code == "BadDigest"
    assert error.extra["CalculatedDigest"] == md5_header(data)


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
async def test_signed_payloads(data):
    good = sign(
        payload=hashlib.sha256(data).hexdigest(), headers={"content-length": str(len(data))}, body=cut(data, [])
    )
    assert (await receive(good, identify(good)))[1].size_bytes == len(data)
    bad = sign(payload=hashlib.sha256(b"?").hexdigest(), headers={"content-length": str(len(data))}, body=cut(data, []))
    error = await refused(bad, identify(bad))
    assert (error.code, error.status) == ("XAmzContentSHA256Mismatch", 400)
    assert error.extra["S3ComputedContentSHA256"] == hashlib.sha256(data).hexdigest()


# --- aws-chunked ------------------------------------------------------------------------------------------------------


def framed(data: bytes, *, signed: bool, trailer: str | None, size: int = 65536, alter=None, **headers: str):
    """A PUT in aws-chunks. trailer: checksum algorithm; alter: a function over (frames, trailing block)."""
    mode = {
        (True, False): PayloadMode.SIGNED_CHUNKS,
        (True, True): PayloadMode.SIGNED_CHUNKS_TRAILER,
        (False, True): PayloadMode.UNSIGNED_CHUNKS_TRAILER,
    }[signed, trailer is not None]
    found = {"x-amz-decoded-content-length": str(len(data)), "content-encoding": "aws-chunked", **headers}
    if trailer is not None:
        found["x-amz-trailer"] = checksums.ALGORITHMS[trailer].header
    head = sign(payload=mode.value, headers=found)
    identity = identify(head)
    frames = aws_chunks(data, size, identity if signed else None)
    block = b""
    if trailer is not None:
        value = checksums.encode(checksums.compute(trailer, data))
        block = f"{checksums.ALGORITHMS[trailer].header}:{value}\r\n".encode()
        if signed:
            signature = trailer_signature(data, size, identity, block.replace(b"\r", b""))
            block += f"x-amz-trailer-signature:{signature}\r\n".encode()
    block += b"\r\n"
    if alter is not None:
        frames, block = alter(frames, block)
    wire = b"".join(frames) + block
    asked = sign(payload=mode.value, headers={**found, "content-length": str(len(wire))}, body=cut(wire, [4000] * 3000))
    # the chain was signed for the head without content-length: keep that identity
    return asked, identity


FORMS = [(True, None), (True, "CRC32C"), (False, "CRC64NVME"), (False, "SHA256")]


@pytest.mark.parametrize("data", [b"", b"x", SMALL, LARGE[:300_000], LARGE])
@pytest.mark.parametrize(("signed", "trailer"), FORMS)
async def test_framed_bodies(data, signed, trailer):
    asked, identity = framed(data, signed=signed, trailer=trailer)
    pieces, digests = await receive(asked, identity)
    assert b"".join(pieces) == data
    assert digests.md5 == hashlib.md5(data).digest()
    if trailer is not None:
        assert digests.checksum.value == checksums.encode(checksums.compute(trailer, data))


def _swap(frames, block):
    return [frames[1], frames[0], *frames[2:]], block


def _drop(frames, block):
    return [*frames[:1], *frames[2:]], block


def _flip(frames, block):
    frame = bytearray(frames[1])
    frame[len(frame) // 2] ^= 1
    return [frames[0], bytes(frame), *frames[2:]], block


def _flip_last(frames, block):
    frame = bytearray(frames[-2])
    frame[-3] ^= 1
    return [*frames[:-2], bytes(frame), frames[-1]], block


def _closing(frames, block):
    return [*frames[:-1], frames[-1].replace(b"chunk-signature=", b"chunk-signature=0")[:-3] + b"\r\n"], block


@pytest.mark.parametrize("data", [LARGE[: 65536 * 2], LARGE[: 65536 * 20]])
@pytest.mark.parametrize(
    ("alter", "codes"),
    [
        (_swap, {"SignatureDoesNotMatch"}),
        (_drop, {"IncompleteBody"}),
        (_flip, {"SignatureDoesNotMatch"}),
        (_flip_last, {"SignatureDoesNotMatch"}),
        (_closing, {"SignatureDoesNotMatch"}),
    ],
)
async def test_altered_signed_bodies(data, alter, codes):
    changed = bytes(reversed(data[:65536])) + data[65536:]  # two frames that differ, so that swapping them is seen
    for trailer in (None, "CRC32"):
        asked, identity = framed(changed, signed=True, trailer=trailer, alter=alter)
        assert (await refused(asked, identity)).code in codes


@pytest.mark.parametrize("data", [SMALL, LARGE[: 65536 * 20]])
async def test_a_bad_checksum_in_a_trailer(data):
    def wrong(frames, block):
        name, _, rest = block.partition(b":")
        return frames, name + b":" + checksums.encode(checksums.compute("SHA1", b"?")).encode() + rest[28:]

    asked, identity = framed(data, signed=False, trailer="SHA1", alter=wrong)
    assert (await refused(asked, identity)).code == "BadDigest"
    asked, identity = framed(data, signed=True, trailer="SHA1", alter=wrong)
    assert (await refused(asked, identity)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "block",
    [
        b"\r\n",
        b"x-amz-checksum-sha1:AAAA\r\n\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n",
        b"garbage\r\n\r\n",
    ],
)
async def test_trailers_other_than_announced(block):
    asked, identity = framed(SMALL, signed=False, trailer="CRC32", alter=lambda frames, _: (frames, block))
    assert (await refused(asked, identity)).code == "MalformedTrailerError"


async def test_a_trailer_that_is_no_checksum():
    block = b"x-amz-checksum-crc32:%%%\r\n\r\n"
    asked, identity = framed(SMALL, signed=False, trailer="CRC32", alter=lambda frames, _: (frames, block))
    assert (await refused(asked, identity)).code == "InvalidRequest"


async def test_a_missing_trailer_signature():
    def without(frames, block):
        return frames, block.split(b"x-amz-trailer-signature")[0] + b"\r\n"

    asked, identity = framed(SMALL, signed=True, trailer="CRC32", alter=without)
    assert (await refused(asked, identity)).code == "MalformedTrailerError"


@pytest.mark.parametrize("data", [SMALL, LARGE[: 65536 * 20]])
@pytest.mark.parametrize(("signed", "trailer"), FORMS)
async def test_framed_bodies_cut_short(data, signed, trailer):
    for cut_off in (1, 2, 40, 3000):

        def shorter(frames, block, cut_off=cut_off):
            wire = b"".join(frames) + block
            return [wire[:-cut_off]], b""

        asked, identity = framed(data, signed=signed, trailer=trailer, alter=shorter)
        assert (await refused(asked, identity)).code in ("IncompleteBody", "MalformedTrailerError")


@pytest.mark.parametrize("data", [SMALL, LARGE[: 65536 * 3]])
@pytest.mark.parametrize("alter", [None, _closing])
async def test_the_closing_signature_is_verified_however_the_wire_is_cut(data, alter):
    asked, identity = framed(data, signed=True, trailer=None, alter=alter)
    wire = b"".join([piece async for piece in _drain(asked.body)])
    for sizes in ([1] * 100 + [4000] * 60, [len(wire) - 90], [len(wire) - 84], [len(wire) - 86, 1, 1, 1], []):
        asked.body = Pieces(cut(wire, sizes))
        if alter is None:
            assert b"".join((await receive(asked, identity))[0]) == data
        else:
            assert (await refused(asked, identity)).code == "SignatureDoesNotMatch"


async def _drain(source):
    while piece := await source.read():
        yield piece


async def test_the_client_goes_in_the_middle():
    """Content-Length says more than ever comes; the trailer would be complete."""
    asked, identity = framed(SMALL, signed=True, trailer=None)
    asked.headers["content-length"] = str(int(asked.headers["content-length"]) + 1)
    assert (await refused(asked, identity)).code == "IncompleteBody"


async def test_chunked_transfer_of_a_framed_body():
    """Transfer-Encoding: chunked has no Content-Length; the decoded length is all that is announced."""
    asked, identity = framed(SMALL, signed=False, trailer="CRC32")
    del asked.headers["content-length"]
    pieces, _ = await receive(asked, identity)
    assert b"".join(pieces) == SMALL


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
async def test_what_botocore_frames(data):
    """The one aws-chunked writer at hand that is not ours."""
    wrapper = AwsChunkedWrapper(io.BytesIO(data), Crc32Checksum, "x-amz-checksum-crc32")
    wire = wrapper.read()
    mode = PayloadMode.UNSIGNED_CHUNKS_TRAILER.value
    headers = {"content-length": str(len(wire)), "x-amz-decoded-content-length": str(len(data))}
    headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    asked = sign(payload=mode, headers=headers, body=cut(wire, [16_000] * 700))
    pieces, digests = await receive(asked, identify(asked))
    assert b"".join(pieces) == data
    assert digests.checksum.value == checksums.encode(checksums.compute("CRC32", data))


async def test_the_decoded_length_is_demanded():
    asked, identity = framed(SMALL, signed=False, trailer="CRC32")
    del asked.headers["x-amz-decoded-content-length"]
    assert (await refused(asked, identity)).code == "MissingContentLength"


async def test_a_decoded_length_other_than_what_comes():
    for off in (-1, 1):
        asked, identity = framed(SMALL, signed=True, trailer=None)
        asked.headers["x-amz-decoded-content-length"] = str(len(SMALL) + off)
        assert (await refused(asked, identity)).code == "IncompleteBody"


def test_signed_aws_chunks_without_a_signature_of_the_head():
    identity = Identity(None, PayloadMode.SIGNED_CHUNKS)
    asked = request("PUT", headers={"x-amz-decoded-content-length": "1"})
    with pytest.raises(BodyError):
        plan_body(asked, identity, max_bytes=10)


# --- documents --------------------------------------------------------------------------------------------------------


async def test_documents():
    assert await read_document(plain(b"<a/>"), ANONYMOUS) == b"<a/>"
    assert await read_document(plain(LARGE[:1_000_000], sizes=(9999,) * 200), ANONYMOUS) == LARGE[:1_000_000]
    assert await read_document(plain(b""), ANONYMOUS) == b""


async def test_documents_are_bounded_and_verified():
    with pytest.raises(BodyError) as caught:
        await read_document(plain(b"", length=limits.MAX_XML_BYTES + 1), ANONYMOUS)
    assert caught.value.code == "MaxMessageLengthExceeded"
    with pytest.raises(BodyError) as caught:
        await read_document(plain(b"<a/>", {"content-md5": md5_header(b"<b/>")}), ANONYMOUS)
    assert caught.value.code == "BadDigest"
