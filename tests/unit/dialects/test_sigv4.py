"""The arithmetic of SigV4 against the vendor's published examples and against its own inverses."""

from __future__ import annotations

import pytest

from kakera.base import limits
from kakera.dialects.http import Request
from kakera.dialects.s3 import sigv4
from kakera.dialects.s3.auth import AuthError, PayloadMode, authenticate
from kakera.dialects.s3.body import VerifiedBody, plan_body
from kakera.dialects.s3.sigv4 import ChainSeed, SignatureChain
from tests.unit.dialects.wire import Key, Pieces, cut, load

_REQUESTS, _REQUESTS_NOW = load("requests.json")
_CHUNKED, _CHUNKED_NOW = load("aws_chunked.json")


def _keys(document: dict) -> dict[str, Key]:
    key = Key(document["access_key_id"], document["secret_access_key"])
    return {key.access_key_id: key}


def _request(case: dict, headers: dict | None = None) -> Request:
    body = Pieces([case["body"].encode()] if "body" in case else [])
    return Request(case["method"], case["path"].encode(), case["query"].encode(), headers or case["headers"], body)


@pytest.mark.parametrize("case", _REQUESTS["cases"], ids=lambda case: case["name"])
def test_published_examples(case):
    identity = authenticate(_request(case), _keys(_REQUESTS), now=_REQUESTS_NOW, region="us-east-1")
    assert identity.account.access_key_id == _REQUESTS["access_key_id"]
    assert identity.scope.date == "20130524"


@pytest.mark.parametrize("case", _REQUESTS["cases"], ids=lambda case: case["name"])
def test_published_examples_with_one_thing_changed(case):
    changes = [{"method": "POST"}, {"path": case["path"] + "x"}, {"query": (case["query"] + "&a=b").lstrip("&")}]
    for change in changes:
        with pytest.raises(AuthError) as caught:
            authenticate(_request({**case, **change}), _keys(_REQUESTS), now=_REQUESTS_NOW, region="us-east-1")
        assert caught.value.code == "SignatureDoesNotMatch"
    for name in set(case["headers"]) - {"authorization", "x-amz-date"}:
        headers = {**case["headers"], name: case["headers"][name].swapcase() + "0"}
        with pytest.raises(AuthError) as caught:
            authenticate(_request(case, headers), _keys(_REQUESTS), now=_REQUESTS_NOW, region="us-east-1")
        assert caught.value.code in ("SignatureDoesNotMatch", "InvalidArgument")


def _chunked_request(case: dict, wire: bytes, step: int) -> Request:
    return Request(
        case["method"], case["path"].encode(), b"", case["headers"], Pieces(cut(wire, range(1, len(wire) // 8, step)))
    )


def _wire(case: dict) -> bytes:
    frames = [
        f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size + (b"\r\n" if size else b"")
        for size, signature in case["aws_chunks"]
    ]
    return b"".join(frames) + case["trailer"].encode()


@pytest.mark.parametrize("case", _CHUNKED["cases"], ids=lambda case: case["name"])
async def test_published_aws_chunked_examples(case):
    wire = _wire(case)
    request = _chunked_request(case, wire, 997)
    identity = authenticate(request, _keys(_CHUNKED), now=_CHUNKED_NOW, region="us-east-1")
    assert identity.payload in (PayloadMode.SIGNED_CHUNKS, PayloadMode.SIGNED_CHUNKS_TRAILER)
    body = VerifiedBody(request.body, plan_body(request, identity, max_bytes=1 << 20))
    data = bytes(await body.read())
    assert data == b"a" * 66560
    assert body.digests().size_bytes == 66560
    if "x-amz-trailer" in case["headers"]:
        assert body.digests().checksum == ("CRC32C", "sOO8/Q==") or body.digests().checksum.value == "sOO8/Q=="


def test_signing_key_example():
    """The derived key of the general SigV4 documentation (service iam)."""
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_a_changed_secret_changes_the_key():
    assert sigv4.signing_key("a", "20261123", "r", "s3") != sigv4.signing_key("b", "20261123", "r", "s3")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", ""),
        (b"acl", "acl="),
        (b"b=2&a=1", "a=1&b=2"),
        (b"a=2&a=1", "a=1&a=2"),
        (b"a-b=1&a=2", "a=2&a-b=1"),  # by name first: "-" sorts before "="
        (b"prefix=a%2fb", "prefix=a%2Fb"),
        (b"prefix=a/b", "prefix=a%2Fb"),
        (b"prefix=a+b", "prefix=a%20b"),
        (b"prefix=%7Ea", "prefix=~a"),
        (b"prefix=a%2Bb", "prefix=a%2Bb"),
        (b"x==1&&", "x=%3D1"),
        (b"prefix=%C3%A9", "prefix=%C3%A9"),
        (b"prefix=\xc3\xa9", "prefix=%C3%A9"),
        (b"p=100%", "p=100%25"),
    ],
)
def test_canonical_query(raw, canonical):
    assert sigv4.canonical_query(raw) == canonical


def test_canonical_query_leaves_out_the_signature_alone():
    raw = b"X-Amz-Signature=00&X-Amz-SignatureX=1&a=X-Amz-Signature=2"
    assert sigv4.canonical_query(raw, without=b"X-Amz-Signature") == "X-Amz-SignatureX=1&a=X-Amz-Signature%3D2"


def test_blanks_in_header_values():
    headers = {"a": "  x   y\t z ", "b": "\xc3\xa0  \xc2\x85", "c": "plain"}
    # 0xA0 and 0x85 are halves of letters here, not blanks
    assert (
        sigv4.canonical_headers(headers, ["a", "b", "c", "absent"])
        == "a:x y z\nb:\xc3\xa0 \xc2\x85\nc:plain\nabsent:\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20130524T000000",
        "20130524 000000Z",
        "20130524T240000Z",
        "20130230T000000Z",
        "20131301T000000Z",
        "２0130524T000000Z",
        "+0130524T000000Z",
        "20130524T00_000Z",
        "20130524T000000z",
        "20130524T000000ZZ",
    ],
)
def test_timestamps_that_are_none(text):
    assert sigv4.parse_timestamp(text) is None


def test_timestamp():
    assert sigv4.parse_timestamp("20130524T000001Z") == 1369353601


@pytest.mark.parametrize("text", ["", "a/b/c/d", "/20130524/r/s3/aws4_request", "a//r/s3/aws4_request", "a/d/r/s3/"])
def test_credentials_that_are_none(text):
    assert sigv4.split_credential(text) is None


def test_long_texts_are_not_kept():
    for _ in range(3):
        assert sigv4.split_credential("a" * 100_000 + "/20130524/r/s3/aws4_request") is None
        assert sigv4.parse_timestamp("2" * 100_000) is None
    assert sigv4._split_credential.cache_info().currsize <= limits.PARSED_CREDENTIALS_CACHED
    before = sigv4._parse_timestamp.cache_info()
    sigv4.parse_timestamp("3" * 100_000)
    assert sigv4._parse_timestamp.cache_info() == before


def test_a_key_id_with_slashes():
    scope = sigv4.split_credential("a/b/20130524/r/s3/aws4_request")
    assert scope.access_key_id == "a/b"
    assert scope.text == "20130524/r/s3/aws4_request"


def test_equal_takes_any_bytes_a_client_may_send():
    assert sigv4.equal("ab", "ab")
    assert not sigv4.equal("ab", "\xff\u1234")


def test_the_seed_does_not_show_its_key():
    assert b"\x01secret".hex() not in repr(ChainSeed(b"\x01secret", "t", "s", "sig"))
    assert "secret" not in repr(ChainSeed(b"\x01secret", "t", "s", "sig"))


def test_a_chain_depends_on_every_link():
    seed = ChainSeed(b"k", "t", "s", "0" * 64)
    straight, swapped = SignatureChain(seed), SignatureChain(seed)
    first, second = straight.next_chunk("a"), straight.next_chunk("b")
    other_first, other_second = swapped.next_chunk("b"), swapped.next_chunk("a")
    assert len({first, second, other_first, other_second}) == 4
