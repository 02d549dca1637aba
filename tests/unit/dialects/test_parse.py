"""Headers and query to values: ranges, conditions, copies, metadata."""

from __future__ import annotations

from email.utils import formatdate
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.core.values import ByteRange, Checksum
from kakera.dialects.s3 import parse
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.refusals import S3Refusal

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


# --- ranges


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=4-7", ByteRange(4, 7)),
        ("bytes=4-", ByteRange(4, None)),
        ("bytes=-7", ByteRange(None, 7)),
        ("bytes=-0", ByteRange(None, 0)),
        ("Bytes = 1-2", ByteRange(1, 2)),
        ("bytes=007-9", ByteRange(7, 9)),
        ("bytes=1-" + "9" * 40, ByteRange(1, 1 << 63)),
        ("bytes=5-4", None),
        ("bytes=1-2,4-5", None),
        ("bytes=1-2,", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes", None),
        ("items=1-2", None),
        ("bytes=a-b", None),
        ("bytes=1-b", None),
        ("bytes=+1-2", None),
        ("bytes=1--2", None),
        ("bytes=--2", None),
        ("bytes=0x1-2", None),
        ("bytes=1_0-20", None),
        ("bytes=\u0661-2", None),
    ],
)
def test_ranges(value: str, found: ByteRange | None) -> None:
    assert parse.byte_range({"range": value}) == found


def test_a_range_that_hangs_on_if_range_is_the_whole() -> None:
    assert parse.byte_range({"range": "bytes=0-1", "if-range": '"x"'}) is None
    assert parse.byte_range({}) is None


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_every_sound_range_is_read(first: int, length: int) -> None:
    assert parse.byte_range({"range": f"bytes={first}-{first + length}"}) == ByteRange(first, first + length)
    assert parse.byte_range({"range": f"bytes={first}-"}) == ByteRange(first, None)
    assert parse.byte_range({"range": f"bytes=-{length}"}) == ByteRange(None, length)


@given(st.text(max_size=60))
def test_no_range_breaks_the_parser(value: str) -> None:
    found = parse.byte_range({"range": "bytes=" + value})
    if found is not None:
        assert (found.first, found.last) != (None, None)
        assert found.first is None or found.last is None or found.first <= found.last


@pytest.mark.parametrize(
    "value", ["0-2", "bytes=0", "bytes=-3", "bytes=3-", "bytes=hello-world", "bytes=0-2,3-5", "bytes=2-1"]
)
def test_a_copy_takes_one_whole_range_only(value: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse.copy_range(value)
    assert refusal.value.code == "InvalidArgument"
    assert refusal.value.detail["ArgumentValue"] == value


def test_a_copys_range() -> None:
    assert parse.copy_range("bytes=0-9") == ByteRange(0, 9)


# --- conditions


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"abc"', ["abc"]),
        ("abc", ["abc"]),
        ("*", ["*"]),
        ('"a", "b" ,c', ["a", "b", "c"]),
        ('W/"abc"', ['W/"abc"']),
        ("", []),
        (",,", []),
        ('"', ['"']),
    ],
)
def test_entity_tags(value: str, found: list[str]) -> None:
    assert parse.etags(value) == found


def test_if_none_match_compares_weakly_and_if_match_strongly() -> None:
    condition = parse.read_condition({"if-none-match": 'W/"a", "b"', "if-match": 'W/"a"'})
    assert condition.if_none_match == ["a", "b"]
    assert condition.if_match is not None and "a" not in condition.if_match


@given(st.integers(0, 4_000_000_000))
def test_dates_of_conditions(at_s: int) -> None:
    date = formatdate(at_s, usegmt=True)
    condition = parse.read_condition({"if-modified-since": date, "if-unmodified-since": date})
    assert (condition.if_modified_since_s, condition.if_unmodified_since_s) == (at_s, at_s)


@pytest.mark.parametrize(
    "text", ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT"]
)
def test_all_three_forms_of_a_date(text: str) -> None:
    assert parse.http_date_s(text) == 784111777


@given(st.text(max_size=40))
def test_what_is_no_date_is_no_condition(text: str) -> None:
    found = parse.http_date_s(text)
    assert found is None or isinstance(found, int)


def test_no_condition_costs_nothing() -> None:
    assert parse.read_condition({"host": "x"}) is parse.NO_READ_CONDITION
    assert parse.write_condition({"host": "x"}) is None
    assert parse.delete_condition({"host": "x"}) is None


def test_conditions_of_writes_and_deletes() -> None:
    written = parse.write_condition({"if-none-match": "*"})
    assert written is not None and written.if_none_match == ["*"] and written.if_match is None
    deleted = parse.delete_condition(
        {"x-amz-if-match-size": "7", "x-amz-if-match-last-modified-time": "Sun, 06 Nov 1994 08:49:37 GMT"}
    )
    assert deleted is not None and (deleted.size, deleted.mtime_ms) == (7, 784111777000)
    with pytest.raises(Rejected):
        parse.delete_condition({"x-amz-if-match-size": "-1"})
    with pytest.raises(Rejected):
        parse.delete_condition({"x-amz-if-match-last-modified-time": "yesterday"})


# --- copies


@given(NAMES, st.booleans(), st.booleans())
def test_any_source_comes_back(key: str, slash: bool, whole: bool) -> None:
    if len(key.encode()) > limits.MAX_KEY_BYTES:
        return
    path = quote("b/" + key, safe="" if whole else "/")
    found = parse.copy_source(("/" if slash else "") + path)
    assert found == parse.CopySource("b", key.encode(), None)


def test_sources_with_versions() -> None:
    version = "0" * 31 + "a"
    assert parse.copy_source(f"b/k?versionId={version}") == ("b", b"k", bytes.fromhex(version))
    assert parse.copy_source("b/k?versionId=null") == ("b", b"k", b"")
    # A question mark of the key comes encoded.
    assert parse.copy_source("/b/%3FversionId") == ("b", b"?versionId", None)
    assert parse.copy_source("b/a+b") == ("b", b"a+b", None)
    assert parse.copy_source("b/a//b") == ("b", b"a//b", None)
    assert parse.copy_source("/b//k") == ("b", b"/k", None)


@pytest.mark.parametrize(
    "value", ["", "/", "b", "b/", "/b/", "//k", "b/k?x=1", "b/%ff", "b/k?versionId=zz", "b/k?versionId="]
)
def test_sources_that_name_nothing(value: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse.copy_source(value)
    assert refusal.value.code == "InvalidArgument"


def test_directives() -> None:
    assert parse.directive({}, "x-amz-metadata-directive") is False
    assert parse.directive({"x-amz-metadata-directive": "COPY"}, "x-amz-metadata-directive") is False
    assert parse.directive({"x-amz-metadata-directive": "REPLACE"}, "x-amz-metadata-directive") is True
    with pytest.raises(Rejected):
        parse.directive({"x-amz-metadata-directive": "replace"}, "x-amz-metadata-directive")


# --- what an object carries


def test_content_headers_and_metadata_are_kept_as_sent() -> None:
    new = parse.new_object(
        b"k",
        {
            "content-type": "text/plain",
            "content-encoding": "aws-chunked, gzip",
            "cache-control": "",
            "expires": "123",
            "x-amz-meta-A": "never upper case on the wire",
            "x-amz-meta-a": " spaced ",
            "x-amz-meta-\u00fc": "\u00e9",
            "x-amz-date": "no metadata",
            "content-length": "1",
        },
    )
    assert new.headers == {"content-type": "text/plain", "content-encoding": "gzip", "expires": "123"}
    assert new.user == {"A": "never upper case on the wire", "a": " spaced ", "\u00fc": "\u00e9"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [("gzip", "gzip"), ("aws-chunked", None), ("aws-chunked,aws-chunked", None), ("deflate, gzip", "deflate, gzip"),
     ("gzip, AWS-Chunked", "gzip")],
)  # fmt: skip
def test_aws_chunked_is_the_wires(value: str, kept: str | None) -> None:
    assert parse.new_object(b"k", {"content-encoding": value}).headers.get("content-encoding") == kept


def test_metadata_up_to_its_limit() -> None:
    room = limits.MAX_USER_METADATA_BYTES - 1
    assert parse.new_object(b"k", {"x-amz-meta-a": "v" * room}).user["a"]
    with pytest.raises(Rejected) as refusal:
        parse.new_object(b"k", {"x-amz-meta-a": "v" * (room + 1)})
    assert refusal.value.code == "MetadataTooLarge"


def test_tags_of_the_header_are_sorted() -> None:
    assert parse.new_object(b"k", {"x-amz-tagging": "foo=bar&bar"}).tags == [("bar", ""), ("foo", "bar")]
    with pytest.raises(S3Refusal):
        parse.new_object(b"k", {"x-amz-tagging": "&".join(f"k{n}=v" for n in range(limits.MAX_TAGS + 1))})


# --- numbers and ids


@pytest.mark.parametrize("value", ["-1", "1.5", "blah", " 1", "1 ", "\u0661", "9" * 30, "2147483648", "0x1"])
def test_numbers_that_are_none(value: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse.whole_number(value, "max-keys", default=1)
    assert refusal.value.detail == {"ArgumentName": "max-keys", "ArgumentValue": value}


def test_numbers() -> None:
    assert parse.whole_number(None, "max-keys", default=7) == 7
    assert parse.whole_number("", "max-keys", default=7) == 7
    assert parse.whole_number("0", "max-keys", default=7) == 0
    for bad in (None, "", "0", "10001", "x"):
        with pytest.raises(Rejected):
            parse.part_number(bad)
    assert parse.part_number("10000") == 10_000


@given(st.binary(min_size=16, max_size=16))
def test_ids_round_trip(raw: bytes) -> None:
    assert parse.hex_id(raw.hex()) == raw
    assert parse.version_id(raw.hex()) == raw
    assert parse.version_id("null") == b""


@pytest.mark.parametrize(
    "value", ["", "x", "g" * 32, "a" * 31, "a" * 33, " " * 32, "a" * 30 + " a", "NULL", "\u0661" * 32]
)
def test_ids_that_are_none(value: str) -> None:
    assert parse.hex_id(value) is None
    with pytest.raises(Rejected) as refusal:
        parse.version_id(value)
    assert refusal.value.code == "InvalidArgument"


# --- checksums of whole uploads


def test_what_an_upload_asks_for() -> None:
    assert parse.checksum_choice({}) == ("", "")
    assert parse.checksum_choice({"x-amz-checksum-algorithm": "crc32"}) == ("CRC32", "COMPOSITE")
    assert parse.checksum_choice({"x-amz-checksum-algorithm": "CRC64NVME"}) == ("CRC64NVME", "FULL_OBJECT")
    for bad in (
        {"x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-algorithm": "MD5"},
        {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"},
        {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "HALF"},
    ):
        with pytest.raises(Rejected) as refusal:
            parse.checksum_choice(bad)
        assert refusal.value.code == "InvalidRequest"


def test_what_a_complete_claims() -> None:
    assert parse.whole_checksum({}) is None
    assert parse.whole_checksum({"x-amz-checksum-crc32": "AAAA"}) == Checksum("CRC32", "AAAA", "")
    with pytest.raises(Rejected):
        parse.whole_checksum({"x-amz-checksum-crc32": "AAAA", "x-amz-checksum-sha1": "AAAA"})
