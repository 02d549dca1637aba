"""Headers and query of S3 requests to neutral values. Pure; nothing here waits, reads a clock or touches the store.

Header values are the latin-1 text of dialects.http; keys and versions come out as bytes. Malformed input raises
`Rejected` (InvalidArgument with the name and the value, as S3 words it), or is ignored where HTTP says so (ranges,
dates of conditionals).

Sources: Amazon S3 API Reference (GetObject, CopyObject, UploadPartCopy, object tagging), RFC 9110 sections 13 and 14.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_tz
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from kakera.base import limits
from kakera.base.ids import NULL_VERSION
from kakera.core.values import ByteRange, Checksum, Condition, NewObject, ReadCondition
from kakera.dialects.s3 import checksums
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.tagging import parse_tagging_header

Headers = Mapping[str, str]

# Stored with the object and given back with it. Content-Encoding is taken apart (aws-chunked is the wire's, not the
# object's).
OBJECT_HEADERS = frozenset(
    ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
)
USER_PREFIX = "x-amz-meta-"
FAR = 1 << 63  # beyond any object: a number too long to matter


class CopySource(NamedTuple):
    """x-amz-copy-source. version None: the newest."""

    bucket: str
    key: bytes
    version: bytes | None


# --- numbers, versions, dates -----------------------------------------------------------------------------------------


def whole_number(value: str | None, name: str, *, default: int, low: int = 0, high: int = (1 << 31) - 1) -> int:
    """A decimal number of the request. Raises Rejected outside low..high or when it is not one."""
    if value is None or value == "":
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 19) or not low <= int(value) <= high:
        wording = f"Argument {name} must be an integer between {low} and {high}"
        if name == "partNumber":
            wording = f"Part number must be an integer between {low} and {high}, inclusive"
        raise Rejected("InvalidArgument", wording, ArgumentName=name, ArgumentValue=value)
    return int(value)


def part_number(value: str | None) -> int:
    if not value:
        raise Rejected("InvalidArgument", "Part number is missing", ArgumentName="partNumber", ArgumentValue="")
    return whole_number(value, "partNumber", default=0, low=1, high=limits.MAX_PART_NUMBER)


def version_of(query: Mapping[str, str]) -> bytes | None:
    """versionId: None when absent, b"" for "null". Raises Rejected when it is no id of ours."""
    value = query.get("versionId")
    return None if value is None else version_id(value)


def version_id(value: str, name: str = "versionId") -> bytes:
    if value == "null":
        return NULL_VERSION
    found = hex_id(value)
    if found is None:
        wording = "Invalid version id specified" if value else "Version id cannot be the empty string"
        raise Rejected("InvalidArgument", wording, ArgumentName=name, ArgumentValue=value)
    return found


def hex_id(value: str) -> bytes | None:
    """The 16 bytes of a version or upload id, None when it cannot be one."""
    if len(value) != 32 or not value.isascii() or not value.isalnum():
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


@lru_cache(maxsize=limits.PARSED_TIMESTAMPS_CACHED)
def http_date_s(value: str) -> int | None:
    """Seconds since 1970 of an HTTP date in any of its three forms; None for anything else (RFC 9110: ignore)."""
    try:
        found = parsedate_tz(value)
        return None if found is None else timegm((*found[:6], 0, 0, 0)) - (found[9] or 0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def any_date_s(value: str, name: str) -> int:
    """An HTTP date or an ISO 8601 instant. Raises Rejected."""
    seconds = http_date_s(value)
    if seconds is None:
        try:
            instant = datetime.fromisoformat(value)
            seconds = timegm(instant.utctimetuple())
        except (ValueError, OverflowError):
            raise Rejected("InvalidArgument", "Invalid date", ArgumentName=name, ArgumentValue=value) from None
    return seconds


# --- conditions -------------------------------------------------------------------------------------------------------


def etags(value: str) -> list[str]:
    """Entity tags without quotes; S3 also takes them bare. A weak tag of ours does not exist: it is kept as W/...,
    equal to none."""
    found = []
    for item in value.split(","):
        tag = item.strip()
        if len(tag) >= 2 and tag[0] == tag[-1] == '"':
            tag = tag[1:-1]
        if tag:
            found.append(tag)
    return found


def weak_etags(value: str) -> list[str]:
    """As `etags`, for If-None-Match, which compares weakly (RFC 9110 section 13.1.2): W/ is dropped."""
    return etags(",".join(item.strip().removeprefix("W/") for item in value.split(",")))


NO_READ_CONDITION = ReadCondition()
_READ_CONDITIONS = frozenset(("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"))


def read_condition(headers: Headers) -> ReadCondition:
    """Conditions of GET and HEAD. An unreadable date is no condition."""
    if _READ_CONDITIONS.isdisjoint(headers):
        return NO_READ_CONDITION
    return _read_condition(headers, "")


def copy_condition(headers: Headers) -> ReadCondition:
    """Conditions on a copy's source: x-amz-copy-source-if-*."""
    return _read_condition(headers, "x-amz-copy-source-")


def _read_condition(headers: Headers, prefix: str) -> ReadCondition:
    match = headers.get(prefix + "if-match")
    none_match = headers.get(prefix + "if-none-match")
    modified = headers.get(prefix + "if-modified-since")
    unmodified = headers.get(prefix + "if-unmodified-since")
    return ReadCondition(
        if_match=None if match is None else etags(match),
        if_none_match=None if none_match is None else weak_etags(none_match),
        if_modified_since_s=None if modified is None else http_date_s(modified),
        if_unmodified_since_s=None if unmodified is None else http_date_s(unmodified),
    )


def write_condition(headers: Headers) -> Condition | None:
    """Conditions of PUT, Complete and the target of a copy (R6)."""
    match = headers.get("if-match")
    none_match = headers.get("if-none-match")
    if match is None and none_match is None:
        return None
    return Condition(
        if_match=None if match is None else etags(match),
        if_none_match=None if none_match is None else weak_etags(none_match),
    )


def delete_condition(headers: Headers) -> Condition | None:
    """Conditions of DELETE: If-Match, and size and time as S3's directory buckets have them."""
    match = headers.get("if-match")
    size = headers.get("x-amz-if-match-size")
    modified = headers.get("x-amz-if-match-last-modified-time")
    if match is None and size is None and modified is None:
        return None
    name = "x-amz-if-match-last-modified-time"
    return Condition(
        if_match=None if match is None else etags(match),
        size=None if size is None else whole_number(size, "x-amz-if-match-size", default=0, high=FAR),
        mtime_ms=None if modified is None else any_date_s(modified, name) * 1000,
    )


# --- ranges -----------------------------------------------------------------------------------------------------------


def byte_range(headers: Headers) -> ByteRange | None:
    """Range of a GET. None, the whole object, when there is none, when it is malformed, names several ranges, or hangs
    on If-Range: each of these a server may answer with the whole (RFC 9110 section 14.2), and S3 does."""
    value = headers.get("range")
    if value is None or "if-range" in headers:
        return None
    unit, equals, spec = value.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    return _one_range(spec.strip())


def copy_range(value: str) -> ByteRange:
    """x-amz-copy-source-range: exactly bytes=first-last. Raises Rejected for everything else."""
    found = _one_range(value[6:]) if value.startswith("bytes=") else None
    if found is None or found.first is None or found.last is None:
        raise Rejected(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=value,
        )
    return found


def _one_range(spec: str) -> ByteRange | None:
    first_text, dash, last_text = spec.partition("-")
    first, last = _offset(first_text), _offset(last_text)
    if not dash or (first_text and first is None) or (last_text and last is None):
        return None
    if first is None and last is None:
        return None
    if first is not None and last is not None and last < first:
        return None
    return ByteRange(first, last)


def _offset(text: str) -> int | None:
    if not text or not text.isascii() or not text.isdigit():
        return None
    return int(text) if len(text) <= 19 else FAR


# --- what an object carries -------------------------------------------------------------------------------------------


def new_object(key: bytes, headers: Headers) -> NewObject:
    """Content headers, user metadata and tags (sorted, as S3 gives them back) of a PUT. Values are kept as sent.
    Raises Rejected for metadata or tags beyond their limits."""
    kept: dict[str, str] = {}
    user: dict[str, str] = {}
    user_bytes = 0
    for name, value in headers.items():
        if name in OBJECT_HEADERS:
            if name == "content-encoding":
                value = _object_encoding(value)
            if value:
                kept[name] = value
        elif name.startswith(USER_PREFIX):
            user[name[11:]] = value
            user_bytes += len(name) - 11 + len(value)
    if user_bytes > limits.MAX_USER_METADATA_BYTES:
        raise Rejected("MetadataTooLarge", Size=user_bytes, MaxSizeAllowed=limits.MAX_USER_METADATA_BYTES)
    tagging = headers.get("x-amz-tagging")
    return NewObject(key, kept, user, sorted(parse_tagging_header(tagging)) if tagging else [])


def _object_encoding(value: str) -> str:
    if "aws-chunked" not in value.lower():
        return value
    return ", ".join(item for item in map(str.strip, value.split(",")) if item and item.lower() != "aws-chunked")


# --- copies -----------------------------------------------------------------------------------------------------------


def copy_source(value: str) -> CopySource:
    """x-amz-copy-source: [/]bucket/key[?versionId=id], percent-encoded as a whole or in part. "+" stays a plus. Raises
    Rejected."""
    path, mark, version = value.partition("?versionId=")
    if "?" in path:
        # a "?" of the key itself must come encoded; other parameters have no meaning here
        raise _bad_source(value)
    try:
        raw = unquote_to_bytes(path.encode("latin-1"))
        raw.decode()
    except UnicodeError:
        raise _bad_source(value) from None
    bucket, slash, key = raw.removeprefix(b"/").partition(b"/")
    if not bucket or not slash or not key:
        raise _bad_source(value)
    if len(key) > limits.MAX_KEY_BYTES:
        raise Rejected("KeyTooLongError", Size=len(key), MaxSizeAllowed=limits.MAX_KEY_BYTES)
    return CopySource(bucket.decode(), key, version_id(version) if mark else None)


def _bad_source(value: str) -> Rejected:
    return Rejected(
        "InvalidArgument",
        "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        ArgumentName="x-amz-copy-source",
        ArgumentValue=value,
    )


def directive(headers: Headers, name: str) -> bool:
    """x-amz-metadata-directive or x-amz-tagging-directive: True for REPLACE, False for COPY and when absent. Raises
    Rejected."""
    value = headers.get(name)
    if value is None or value == "COPY":
        return False
    if value != "REPLACE":
        what = "metadata" if "metadata" in name else "tagging"
        raise Rejected("InvalidArgument", f"Unknown {what} directive.", ArgumentName=name, ArgumentValue=value)
    return True


# --- checksums of whole uploads ---------------------------------------------------------------------------------------


def checksum_choice(headers: Headers) -> tuple[str, str]:
    """Algorithm and kind that a CreateMultipartUpload asks for, ("", "") for none. Raises Rejected for what S3 does
    not combine."""
    algorithm = headers.get("x-amz-checksum-algorithm", "").upper()
    kind = headers.get("x-amz-checksum-type", "").upper()
    if not algorithm:
        if kind:
            wording = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise Rejected("InvalidRequest", wording)
        return "", ""
    return algorithm, checksum_kind(checksum_algorithm(algorithm), kind)


def checksum_algorithm(value: str) -> str:
    if value.upper() not in checksums.ALGORITHMS:
        raise Rejected(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(checksums.ALGORITHMS)}]",
        )
    return value.upper()


def checksum_kind(algorithm: str, kind: str) -> str:
    """FULL_OBJECT or COMPOSITE, by default what the algorithm has. Raises Rejected for pairs that have no meaning."""
    if kind not in ("", checksums.FULL_OBJECT, checksums.COMPOSITE):
        raise Rejected("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if kind and not checksums.kind_allowed(algorithm, kind):
        wording = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise Rejected("InvalidRequest", wording)
    return kind or checksums.default_kind(algorithm)


def whole_checksum(headers: Headers) -> Checksum | None:
    """The checksum of the whole object that a CompleteMultipartUpload claims, kind "" when it does not say. Raises
    Rejected when it claims two."""
    found = None
    for algorithm in checksums.ALGORITHMS.values():
        value = headers.get(algorithm.header)
        if value:
            if found is not None:
                wording = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                raise Rejected("InvalidRequest", wording)
            found = Checksum(algorithm.name, value, headers.get("x-amz-checksum-type", "").upper())
    return found
