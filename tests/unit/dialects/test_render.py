"""Answers against a parser that is not ours: what was said is what is read."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kakera.core.values import (
    BucketInfo,
    Listed,
    ListPage,
    ObjectInfo,
    PartInfo,
    PartPage,
    Stored,
    UploadInfo,
    UploadPage,
)
from kakera.dialects.s3 import listing_xml, render, xml_out
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.list_ops import key_token, token_key
from kakera.journal.records import Checksum

ID = bytes(range(16))
NAMES = {"main-id": "Main & Söhne"}
# What XML 1.0 can carry, as text or as a character reference.
XML_KEYS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda c: c >= " " or c in "\t\n\r"
    ),
    min_size=1,
    max_size=80,
)
ANY_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def parse(body: bytes) -> etree._Element:
    root = etree.fromstring(body)
    for element in root.iter():
        assert str(element.tag).startswith("{" + xml_out.NAMESPACE + "}")
        element.tag = str(element.tag).partition("}")[2]
    return root


def texts(root: etree._Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path)]


def line(key: bytes, **more: object) -> Listed:
    return Listed(key, ID, 784111777042, 7, "abc-2", "main-id", "CRC32", **more)  # type: ignore[arg-type]


def asked(*, url: bool = False, delimiter: bytes = b"") -> listing_xml.Asked:
    return listing_xml.Asked("b", b"p<\n", delimiter, 1000, url=url)


V2 = listing_xml.V2(None, None, None, owners=True)


@given(st.lists(XML_KEYS, max_size=8), st.lists(XML_KEYS, max_size=4))
def test_plain_listings_carry_any_key_xml_can(keys: list[str], prefixes: list[str]) -> None:
    page = ListPage([line(key.encode()) for key in keys], [prefix.encode() for prefix in prefixes], truncated=False)
    for body in (
        listing_xml.objects_v1(page, asked(), b"", NAMES),
        listing_xml.objects_v2(page, asked(), V2, NAMES),
    ):
        root = parse(body)
        assert texts(root, "Contents/Key") == keys
        assert texts(root, "CommonPrefixes/Prefix") == prefixes
        assert texts(root, "Prefix") == ["p<\n"]
    root = parse(listing_xml.versions(page, asked(), b"", "", NAMES))
    assert texts(root, "Version/Key") == keys


@given(st.lists(ANY_KEYS, max_size=8), st.lists(ANY_KEYS, max_size=4))
def test_url_encoded_listings_carry_every_key(keys: list[str], prefixes: list[str]) -> None:
    page = ListPage([line(key.encode()) for key in keys], [prefix.encode() for prefix in prefixes], truncated=False)
    for body in (
        listing_xml.objects_v2(page, asked(url=True), V2, NAMES),
        listing_xml.versions(page, asked(url=True), b"", "", NAMES),
    ):
        root = parse(body)
        found = texts(root, "Contents/Key") + texts(root, "Version/Key")
        assert [unquote(key, errors="strict") for key in found] == keys
        assert [unquote(prefix, errors="strict") for prefix in texts(root, "CommonPrefixes/Prefix")] == prefixes
        assert all(key.isascii() and "+" not in key and " " not in key for key in found)


def test_url_encoding_is_that_of_s3() -> None:
    assert xml_out.quote("foo+1/b r é~.-_*".encode()) == "foo%2B1/b%20r%20%C3%A9~.-_*"


def test_characters_xml_cannot_carry_become_references() -> None:
    assert xml_out.text(b"a\x01b\rc", url=False) == "a&#x1;b&#xd;c"
    assert xml_out.texts([b"\x00", b"x"], url=True) == ["%00", "x"]
    assert xml_out.texts([], url=False) == [""]


def test_a_whole_page_of_v1() -> None:
    page = ListPage([line(b"k1")], [b"p/"], truncated=True, next_key=b"p/")
    root = parse(listing_xml.objects_v1(page, asked(delimiter=b"/"), b"m", NAMES))
    assert root.tag == "ListBucketResult"
    assert texts(root, "Name") + texts(root, "Marker") + texts(root, "NextMarker") == ["b", "m", "p/"]
    assert texts(root, "IsTruncated") + texts(root, "MaxKeys") + texts(root, "Delimiter") == ["true", "1000", "/"]
    assert texts(root, "Contents/LastModified") == ["1994-11-06T08:49:37.042Z"]
    assert texts(root, "Contents/ETag") + texts(root, "Contents/Size") == ['"abc-2"', "7"]
    assert texts(root, "Contents/Owner/ID") + texts(root, "Contents/Owner/DisplayName") == ["main-id", "Main & Söhne"]
    assert texts(root, "Contents/ChecksumAlgorithm") + texts(root, "Contents/StorageClass") == ["CRC32", "STANDARD"]


def test_v1_names_the_next_marker_only_with_a_delimiter() -> None:
    page = ListPage([line(b"k1")], [], truncated=True, next_key=b"k1")
    assert texts(parse(listing_xml.objects_v1(page, asked(), b"", NAMES)), "NextMarker") == []


def test_v2_echoes_what_it_was_asked() -> None:
    page = ListPage([line(b"k1")], [b"p/"], truncated=True, next_key=b"p/")
    shown = listing_xml.V2("tok", b"after me", "next", owners=False)
    root = parse(listing_xml.objects_v2(page, asked(), shown, NAMES))
    assert texts(root, "KeyCount") == ["2"]
    assert texts(root, "ContinuationToken") + texts(root, "NextContinuationToken") == ["tok", "next"]
    assert texts(root, "StartAfter") == ["after me"]
    assert root.find("Contents/Owner") is None


def test_versions_and_markers_stand_in_their_order() -> None:
    page = ListPage(
        [line(b"k", marker=True), line(b"k", latest=False), Listed(b"l", b"", 0, 0, "e", "gone", "")],
        [],
        truncated=True,
        next_key=b"l",
        next_version=b"",
    )
    root = parse(listing_xml.versions(page, asked(), b"a", "null", NAMES))
    shown = [child for child in root if child.tag in ("Version", "DeleteMarker")]
    assert [child.tag for child in shown] == ["DeleteMarker", "Version", "Version"]
    assert [child.findtext("IsLatest") for child in shown] == ["true", "false", "true"]
    assert [child.findtext("VersionId") for child in shown] == [ID.hex(), ID.hex(), "null"]
    assert shown[0].find("ETag") is None and shown[0].find("Size") is None
    # An account that is no longer known shows its id.
    assert shown[2].findtext("Owner/DisplayName") == "gone"
    assert texts(root, "NextKeyMarker") + texts(root, "NextVersionIdMarker") == ["l", "null"]
    assert texts(root, "KeyMarker") + texts(root, "VersionIdMarker") == ["a", "null"]


def test_uploads_and_parts() -> None:
    upload = UploadInfo("k<é".encode(), ID, 0, "main-id", "SHA256", "COMPOSITE")
    page = UploadPage([upload], [b"p/"], truncated=True, next_key=b"k", next_upload=ID)
    root = parse(listing_xml.uploads(page, asked(), b"", "", NAMES))
    assert texts(root, "Upload/Key") == ["k<é"]
    assert texts(root, "Upload/UploadId") + texts(root, "NextUploadIdMarker") == [ID.hex()] * 2
    assert texts(root, "Upload/Initiator/ID") + texts(root, "Upload/ChecksumType") == ["main-id", "COMPOSITE"]
    assert texts(root, "MaxUploads") + texts(root, "CommonPrefixes/Prefix") == ["1000", "p/"]
    part = PartInfo(3, 5, "abc", 784111777042, Checksum("SHA256", "eA=="))
    listed = PartPage(upload, [part], truncated=True, next_part=3)
    root = parse(listing_xml.parts(listed, "b", after=2, limit=1, names=NAMES))
    assert texts(root, "Part/PartNumber") + texts(root, "NextPartNumberMarker") == ["3", "3"]
    assert texts(root, "Part/ChecksumSHA256") + texts(root, "Part/ETag") == ["eA==", '"abc"']
    assert texts(root, "PartNumberMarker") + texts(root, "MaxParts") == ["2", "1"]


def test_buckets() -> None:
    found = [BucketInfo("a.b-c", 1, "main-id", 0, "", 0, 1, b"")]
    body = listing_xml.buckets(found, listing_xml.owner("main-id", NAMES), region="r", prefix="p", token="t")
    root = parse(body)
    assert texts(root, "Buckets/Bucket/Name") + texts(root, "Buckets/Bucket/BucketRegion") == ["a.b-c", "r"]
    assert texts(root, "Owner/DisplayName") + texts(root, "Prefix") + texts(root, "ContinuationToken") == [
        "Main & Söhne", "p", "t",
    ]  # fmt: skip


# --- headers


def info(**more: object) -> ObjectInfo:
    base = {
        "key": b"k", "version": ID, "mtime_ms": 784111777999, "size": 3, "etag": "abc", "owner": "main-id",
        "headers": {}, "user": {}, "tags": [], "checksum": None,
    }  # fmt: skip
    return ObjectInfo(**(base | more))  # type: ignore[arg-type]


def test_headers_of_an_object() -> None:
    shown = render.object_headers(info(user={"a": "b"}, tags=[("t", "u")], versioned=True))
    assert dict(shown) == {
        "etag": '"abc"',
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "accept-ranges": "bytes",
        "content-type": "binary/octet-stream",
        "x-amz-version-id": ID.hex(),
        "x-amz-meta-a": "b",
        "x-amz-tagging-count": "1",
    }
    assert len(shown) == len(dict(shown))


def test_versions_are_shown_only_where_there_ever_were_some() -> None:
    assert "x-amz-version-id" not in dict(render.object_headers(info()))
    assert dict(render.object_headers(info(version=b"", versioned=True)))["x-amz-version-id"] == "null"


def test_overrides_replace_and_never_repeat() -> None:
    kept = {"content-type": "text/plain", "cache-control": "no-cache"}
    shown = render.object_headers(info(headers=kept), {"content-type": "foo/bar", "expires": "0"})
    assert dict(shown) | {"content-type": "foo/bar", "expires": "0", "cache-control": "no-cache"} == dict(shown)
    assert len(shown) == len(dict(shown))
    assert kept == {"content-type": "text/plain", "cache-control": "no-cache"}


def test_headers_of_a_write() -> None:
    stored = Stored("abc", b"", versioned=True, size=1, mtime_ms=0, checksum=Checksum("SHA1", "eA=="))
    assert dict(render.stored_headers(stored)) == {
        "etag": '"abc"', "x-amz-checksum-sha1": "eA==",
        "x-amz-checksum-type": "FULL_OBJECT",
    }  # fmt: skip


# --- continuation tokens


@given(st.binary(min_size=1, max_size=200))
def test_tokens_round_trip(key: bytes) -> None:
    token = key_token(key)
    assert token.isascii() and not set(token) & set("+/ &?")
    assert token_key(token) == key


@given(st.text(max_size=40))
def test_a_made_up_token_is_refused(text: str) -> None:
    try:
        key = token_key(text)
    except Rejected as refusal:
        assert refusal.code == "InvalidArgument"
    else:
        assert key_token(key) == text


@pytest.mark.parametrize("token", ["", "MQ", "!!!!", "AAAA", key_token(b"k") + "=", key_token(b"k" * 1025)])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(Rejected):
        token_key(token)
