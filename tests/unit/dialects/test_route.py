"""Which bucket and key a path and a Host name."""

from __future__ import annotations

from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.dialects.http import MalformedUri, NoBody, Request
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.route import Target, target, virtual_bucket

DOMAINS = ("s3.example.com", "example.com", "s3.eu.example.com")
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(
    lambda key: len(key.encode()) <= limits.MAX_KEY_BYTES
)


def request(path: bytes, host: str = "s3.example.com") -> Request:
    return Request("GET", path, b"", {}, NoBody(), host=host)


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        (b"/", "", b""),
        (b"/b", "b", b""),
        (b"/b/", "b", b""),
        (b"/b//", "b", b"/"),
        (b"/b/a", "b", b"a"),
        (b"/b/a/", "b", b"a/"),
        (b"/b/a//b", "b", b"a//b"),
        (b"/b//a", "b", b"/a"),
        (b"/b/../x", "b", b"../x"),
        (b"/b/./x", "b", b"./x"),
        (b"/b/%2e%2e/x", "b", b"../x"),
        (b"/b/%2Fa", "b", b"/a"),
        (b"/b%2Fa", "b/a", b""),
        (b"/b/a%2520b", "b", b"a%20b"),
        (b"/b/a+b", "b", b"a+b"),
        (b"/b/100%", "b", b"100%"),
        (b"/b/%zz", "b", b"%zz"),
        (b"/b/%00", "b", b"\0"),
        (b"/b/%E6%AC%A0%E7%89%87", "b", "欠片".encode()),
        ("/b/欠片".encode(), "b", "欠片".encode()),
    ],
)
def test_path_style(path: bytes, bucket: str, key: bytes) -> None:
    assert target(request(path), DOMAINS) == Target(bucket, key)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("s3.example.com", ""),
        ("example.com", ""),
        ("b.s3.example.com", "b"),
        ("b.s3.example.com:9000", "b"),
        ("B.S3.Example.COM", "b"),
        ("b.c.s3.example.com", "b.c"),
        ("b.s3.example.com.", "b"),
        ("s3.eu.example.com", ""),
        ("b.s3.eu.example.com", "b"),
        ("b.example.com", "b"),
        ("bs3.example.com", "bs3"),
        ("s3.example.com.evil.org", ""),
        ("127.0.0.1:9000", ""),
        ("[::1]:9000", ""),
        ("", ""),
    ],
)
def test_hosts(host: str, bucket: str) -> None:
    assert virtual_bucket(host, DOMAINS) == bucket


def test_the_longest_domain_counts_in_any_order() -> None:
    for domains in (DOMAINS, DOMAINS[::-1]):
        assert virtual_bucket("b.s3.example.com", domains) == "b"


def test_virtual_hosted_style_takes_the_whole_path_as_key() -> None:
    assert target(request(b"/a//b", "b.s3.example.com"), DOMAINS) == Target("b", b"a//b")
    assert target(request(b"/", "b.s3.example.com"), DOMAINS) == Target("b", b"")
    assert target(request(b"//", "b.s3.example.com"), DOMAINS) == Target("b", b"/")


@given(KEYS)
def test_any_key_comes_back_as_it_was_sent(key: str) -> None:
    path = b"/b/" + quote(key, safe="/~").encode()
    assert target(request(path), ()) == Target("b", key.encode())


@given(KEYS)
def test_a_key_is_decoded_once_only(key: str) -> None:
    """A key that looks encoded is another key than what it would decode to."""
    encoded = quote(key, safe="")
    if len(encoded) <= limits.MAX_KEY_BYTES:
        path = b"/b/" + quote(encoded, safe="").encode()
        assert target(request(path), ()) == Target("b", encoded.encode())


@given(st.binary(min_size=1, max_size=300))
def test_bytes_that_are_no_text_are_refused_and_the_rest_is_kept(raw: bytes) -> None:
    path = b"/b/" + quote_from_bytes(raw, safe="").encode()
    try:
        raw.decode()
    except UnicodeDecodeError:
        with pytest.raises(MalformedUri):
            target(request(path), ())
    else:
        assert target(request(path), ()) == Target("b", raw)


def test_the_longest_key_and_one_byte_more() -> None:
    most = b"k" * limits.MAX_KEY_BYTES
    assert target(request(b"/b/" + most), ()).key == most
    with pytest.raises(Rejected) as refusal:
        target(request(b"/b/" + most + b"k"), ())
    assert (refusal.value.code, refusal.value.status) == ("KeyTooLongError", 400)
    # It is the decoded key that counts.
    assert target(request(b"/b/" + b"%6B" * limits.MAX_KEY_BYTES), ()).key == most


def test_a_key_without_a_bucket() -> None:
    with pytest.raises(Rejected) as refusal:
        target(request(b"//key"), ())
    assert refusal.value.code == "InvalidBucketName"


@pytest.mark.parametrize("path", [b"", b"b/k", b"http://x/b"])
def test_a_path_without_a_slash(path: bytes) -> None:
    with pytest.raises(MalformedUri):
        target(request(path), ())
