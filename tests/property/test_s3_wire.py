"""What of the S3 dialect meets the network, fed with anything: it agrees with botocore, or it refuses by name."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from kakera.base import limits
from kakera.dialects import http
from kakera.dialects.s3 import checksums, sigv4, tagging, xml_in
from kakera.dialects.s3.auth import AuthError, PayloadMode, authenticate
from kakera.dialects.s3.body import VerifiedBody, plan_body, stored_content_encoding
from kakera.dialects.s3.chunked import ChunkDecoder, parse_trailers
from kakera.dialects.s3.refusals import BodyError, S3Refusal, XmlError
from tests.unit.dialects.wire import (
    KEY,
    KEYS,
    NOW_S,
    REGION,
    Pieces,
    aws_chunks,
    cut,
    identify,
    request,
    sign,
    trailer_signature,
)

# Keys as users choose them: any text that has a UTF-8 form
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
odd_keys = keys | st.sampled_from(
    ["a", "a/", "a//b", "../x", "/", "+", " ", "%2F", "a b", "é", "~", "'()!*", "カギ", "?", "#", "&=", "\x7f"]
)
tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@contextlib.contextmanager
def botocore_at(now_s: float) -> Iterator[None]:
    before = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda **_: datetime.datetime.fromtimestamp(now_s, datetime.UTC).replace(
        tzinfo=None
    )
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = before


def botocore_request(method: str, url: str, headers: dict[str, str], *, expires: int | None) -> http.Request:
    asked = AWSRequest(method=method, url=url, headers=headers, data=b"")
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key)
    with botocore_at(NOW_S):
        if expires is None:
            S3SigV4Auth(credentials, "s3", REGION).add_auth(asked)
        else:
            S3SigV4QueryAuth(credentials, "s3", REGION, expires=expires).add_auth(asked)
    parts = urlsplit(asked.url)
    sent = {name.lower(): value for name, value in asked.headers.items()}
    sent.setdefault("host", parts.netloc)
    return request(method, parts.path.encode(), parts.query.encode(), sent)


queries = st.lists(st.tuples(tokens, odd_keys | st.just("")), max_size=6, unique_by=lambda pair: pair[0])
metadata = st.dictionaries(tokens.map("x-amz-meta-{}".format), values, max_size=4)
methods = st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"])


@st.composite
def signed_requests(draw: st.DrawFn) -> http.Request:
    """By botocore, in the header or in the query."""
    path = "/bucket/" + quote(draw(odd_keys), safe="/~")
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in draw(queries))
    url = f"http://localhost:8333{path}" + (f"?{query}" if query else "")
    expires = draw(st.none() | st.integers(1, limits.MAX_PRESIGN_EXPIRES_S))
    return botocore_request(draw(methods), url, draw(metadata), expires=expires)


@given(signed_requests())
def test_what_botocore_signs_is_believed(asked: http.Request) -> None:
    assert authenticate(asked, KEYS, now=NOW_S, region=REGION).account is KEY


@given(signed_requests(), st.data())
def test_one_changed_byte_is_not(asked: http.Request, data: st.DataObject) -> None:
    """In the method, the path, the query, or the value of a header that was signed. Another spelling is no change."""
    before = (sigv4.recoded_path(asked.raw_path), sigv4.canonical_query(asked.raw_query), _signed_values(asked))
    where = data.draw(st.sampled_from(["method", "path", "query", "header"]))
    if where == "method":
        asked.method = "PATCH"
    elif where == "path":
        asked.raw_path = _flip(asked.raw_path, data)
    elif where == "query" and asked.raw_query:
        asked.raw_query = _flip(asked.raw_query, data)
    else:
        name = data.draw(st.sampled_from(sorted(asked.headers)))
        asked.headers[name] = _flip(asked.headers[name].encode("latin-1"), data).decode("latin-1")
    after = (sigv4.recoded_path(asked.raw_path), sigv4.canonical_query(asked.raw_query), _signed_values(asked))
    if where != "method" and before == after:
        return
    try:
        identity = authenticate(asked, KEYS, now=NOW_S, region=REGION)
    except (AuthError, http.MalformedUri):
        return
    assert identity.account is None  # the claim itself was damaged: nobody, never somebody else


def _signed_values(asked: http.Request) -> str:
    return sigv4.canonical_headers(asked.headers, sorted(asked.headers))


def _flip(raw: bytes, data: st.DataObject) -> bytes:
    if not raw:
        return b"x"
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[position] ^= data.draw(st.integers(1, 127))
    return bytes(changed)


wire_text = st.text(st.characters(max_codepoint=255), max_size=60)
auth_pieces = st.lists(
    st.sampled_from(
        [
            "AWS4-HMAC-SHA256 ",
            "Credential=",
            "AKIDEXAMPLE/20261123/us-east-1/s3/aws4_request",
            ",",
            "SignedHeaders=",
            "host;x-amz-date",
            "Signature=",
            "0" * 64,
            "AWS a:b",
            " ",
        ]
    )
    | wire_text,
    max_size=12,
).map("".join)
query_pieces = st.lists(
    st.sampled_from(
        [
            b"X-Amz-Algorithm=AWS4-HMAC-SHA256",
            b"X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fs3%2Faws4_request",
            b"X-Amz-Date=20261123T120000Z",
            b"X-Amz-Expires=60",
            b"X-Amz-SignedHeaders=host",
            b"X-Amz-Signature=" + b"0" * 64,
            b"X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
            b"AWSAccessKeyId=x",
        ]
    )
    | st.binary(max_size=20),
    max_size=10,
).map(b"&".join)


@given(auth_pieces, query_pieces, st.dictionaries(tokens, wire_text, max_size=3), wire_text, st.binary(max_size=30))
@settings(max_examples=300)
def test_any_claim_is_refused_or_nobodys(
    authorization: str, query: bytes, headers: dict[str, str], stamp: str, path: bytes
) -> None:
    sent = {"host": "h", "x-amz-date": stamp, "x-amz-content-sha256": stamp, **headers, "authorization": authorization}
    for found in (sent, {**sent, "x-amz-date": "20261123T120000Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}):
        try:
            assert authenticate(request("GET", path, query, found), KEYS, now=NOW_S, region=REGION).account is None
        except (AuthError, http.MalformedUri) as refusal:
            assert isinstance(refusal, http.MalformedUri) or 400 <= refusal.status < 600


@given(st.lists(st.tuples(odd_keys, odd_keys | st.just("")), max_size=8))
def test_queries_come_back_as_they_were_encoded(pairs: list[tuple[str, str]]) -> None:
    raw = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs).encode()
    asked = request(query=raw)
    assert asked.query_pairs == tuple(pairs)
    assert asked.query == dict(reversed(pairs))


@given(st.binary(max_size=300))
def test_any_query_decodes_or_is_malformed(raw: bytes) -> None:
    sigv4.canonical_query(raw)
    with contextlib.suppress(http.MalformedUri):
        http.decode_query(raw)
    assert sigv4.canonical_query(sigv4.canonical_query(raw).encode()) == sigv4.canonical_query(raw)


@given(st.text(max_size=200))
def test_small_texts_of_any_kind(text: str) -> None:
    sigv4.parse_timestamp(text)
    sigv4.split_credential(text)
    for name in checksums.ALGORITHMS:
        checksums.decode(name, text)
    encoding = stored_content_encoding(text)
    assert encoding is None or "aws-chunked" not in [token.lower() for token in encoding.split(",")]
    with contextlib.suppress(S3Refusal):
        tagging.parse_tagging_header(text.encode("utf-8", "replace").decode("latin-1"))


# --- aws-chunked ------------------------------------------------------------------------------------------------------

bodies = st.binary(max_size=300) | st.integers(8000, 40_000).map(lambda size: (bytes(range(256)) * 157)[:size])
cuts = st.lists(st.integers(1, 9000), max_size=30)


@given(bodies, st.integers(limits.MIN_AWS_CHUNK_BYTES, 20_000), cuts)
def test_framing_comes_off_however_the_wire_is_cut(data: bytes, size: int, sizes: list[int]) -> None:
    decoder = ChunkDecoder(len(data), signed=False)
    for piece in cut(b"".join(aws_chunks(data, size)) + b"x-a:b\r\n\r\n", sizes):
        decoder.feed(piece)
    assert decoder.finish() == {"x-a": "b"}
    assert b"".join(decoder.pieces) == data


@given(st.binary(max_size=400), st.integers(0, 400), st.booleans(), cuts)
def test_any_wire_is_refused_by_name_and_the_same_however_cut(
    wire: bytes, size: int, signed: bool, sizes: list[int]
) -> None:
    outcomes = {_outcome(wire, size, signed, pieces) for pieces in (sizes, [], [1] * len(wire))}
    assert len(outcomes) == 1


def _outcome(wire: bytes, size: int, signed: bool, sizes: list[int]) -> tuple[str, bytes]:
    decoder = ChunkDecoder(size, signed=signed)
    try:
        for piece in cut(wire, sizes):
            decoder.feed(piece)
        decoder.finish()
    except BodyError as refusal:
        return refusal.code, b""
    return "", b"".join(decoder.pieces)


@given(st.binary(max_size=200))
def test_any_trailer_block(block: bytes) -> None:
    for form in (block, block + b"\r\n\r\n", b"x-amz-checksum-crc32:" + block + b"\r\n\r\n"):
        with contextlib.suppress(BodyError):
            assert len(parse_trailers(form)) <= limits.MAX_TRAILERS


@st.composite
def framed_bodies(draw: st.DrawFn):
    """(data, wire, headers, payload mode): a whole PUT in signed aws-chunks, with a trailer or without."""
    data = draw(bodies)
    size = draw(st.integers(limits.MIN_AWS_CHUNK_BYTES, 20_000))
    trailer = draw(st.sampled_from([None, *checksums.ALGORITHMS]))
    mode = PayloadMode.SIGNED_CHUNKS_TRAILER if trailer else PayloadMode.SIGNED_CHUNKS
    headers = {"x-amz-decoded-content-length": str(len(data))}
    if trailer:
        headers["x-amz-trailer"] = checksums.ALGORITHMS[trailer].header
    head = sign(payload=mode.value, headers=headers)
    identity = identify(head)
    wire = b"".join(aws_chunks(data, size, identity))
    if trailer:
        line = f"{headers['x-amz-trailer']}:{checksums.encode(checksums.compute(trailer, data))}"
        signature = trailer_signature(data, size, identity, f"{line}\n".encode())
        wire += f"{line}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return data, wire + b"\r\n", head, identity


async def _receive(head, identity, wire: bytes, sizes: list[int], length: int) -> tuple[bytes, int]:
    head.headers["content-length"] = str(length)
    head.body = Pieces(cut(wire, sizes))
    body = VerifiedBody(head.body, plan_body(head, identity, max_bytes=1 << 30))
    pieces = []
    while piece := await body.read():
        pieces.append(bytes(piece))
    return b"".join(pieces), body.digests().size_bytes


@given(framed_bodies(), cuts)
@settings(max_examples=50)
def test_signed_bodies_come_whole(framed, sizes: list[int]) -> None:
    data, wire, head, identity = framed
    assert asyncio.run(_receive(head, identity, wire, sizes, len(wire))) == (data, len(data))


@given(framed_bodies(), cuts, st.data())
@settings(max_examples=150)
def test_a_changed_byte_in_a_signed_body_is_seen(framed, sizes: list[int], data: st.DataObject) -> None:
    """Any byte, any cut. Only the spelling of sizes and of names is free (their case), and blanks around a value."""
    body, wire, head, identity = framed
    changed = _flip(wire, data)
    try:
        received, _ = asyncio.run(_receive(head, identity, changed, sizes, len(wire)))
    except BodyError:
        return
    assert received == body
    assert _spelling(changed) == _spelling(wire)


def _spelling(wire: bytes) -> bytes:
    return wire.lower().translate(None, b" \t\r\n")


@given(framed_bodies(), cuts, st.data())
@settings(max_examples=50)
def test_a_body_cut_short_is_seen(framed, sizes: list[int], data: st.DataObject) -> None:
    _, wire, head, identity = framed
    short = wire[: data.draw(st.integers(0, len(wire) - 1))]
    for length in (len(wire), len(short)):
        with pytest.raises(BodyError):
            asyncio.run(_receive(head, identity, short, sizes, length))


@given(bodies, cuts, st.integers(1, 50))
@settings(max_examples=50)
def test_plain_bodies_are_exact(data: bytes, sizes: list[int], off: int) -> None:
    digest = hashlib.sha256(data).hexdigest()
    head = sign(payload=digest)
    identity = identify(head)
    assert asyncio.run(_receive(head, identity, data, sizes, len(data))) == (data, len(data))
    # more than Content-Length cannot come: HTTP's own framing ends the body there
    for wire, length in ((data, len(data) + off), (data + b"x", len(data) + 1)):
        with pytest.raises(BodyError):
            asyncio.run(_receive(head, identity, wire, sizes, length))


# --- checksums --------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8), st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]))
def test_the_whole_follows_from_its_parts(parts: list[bytes], name: str) -> None:
    pairs = [(checksums.compute(name, part), len(part)) for part in parts]
    assert checksums.full_object(name, pairs) == checksums.encode(checksums.compute(name, b"".join(parts)))


# --- documents --------------------------------------------------------------------------------------------------------

PARSERS = (
    xml_in.complete_multipart_upload,
    xml_in.delete_objects,
    xml_in.create_bucket_configuration,
    xml_in.versioning_configuration,
    xml_in.tagging,
)
names = st.sampled_from(
    [
        "CompleteMultipartUpload",
        "Part",
        "PartNumber",
        "ETag",
        "Delete",
        "Object",
        "Key",
        "Quiet",
        "Tagging",
        "TagSet",
        "Tag",
        "Value",
        "Status",
        "VersioningConfiguration",
        "CreateBucketConfiguration",
        "LocationConstraint",
        "Other",
    ]
)
trees = st.recursive(
    st.text(max_size=5).map(lambda text: quote(text, safe=" ")),
    lambda inner: st.tuples(names, st.lists(inner, max_size=4)).map(lambda t: f"<{t[0]}>{''.join(t[1])}</{t[0]}>"),
    max_leaves=15,
)


@given(trees | st.text(max_size=100))
@settings(max_examples=300)
def test_any_document_is_taken_or_refused_by_name(text: str) -> None:
    for parser in PARSERS:
        with contextlib.suppress(XmlError):
            parser(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused_by_name(data: bytes) -> None:
    for parser in PARSERS:
        with contextlib.suppress(XmlError):
            parser(data)


xml_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)


@given(st.lists(xml_text, min_size=1, max_size=10))
def test_keys_of_a_multi_delete_come_back(found: list[str]) -> None:
    escape = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
    items = "".join(f"<Object><Key>{key.translate(escape)}</Key></Object>" for key in found)
    assert [item.key for item in xml_in.delete_objects(f"<Delete>{items}</Delete>".encode()).items] == found
