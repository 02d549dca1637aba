"""Conditions and ranges of a read. Pure (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

from kakera.base import errors
from kakera.core.values import ByteRange, ReadCondition


def check_read(condition: ReadCondition, etag: str, mtime_ms: int) -> None:
    """In the order of RFC 9110 section 13.2.2. Raises PreconditionFailed or NotModified."""
    mtime_s = mtime_ms // 1000
    if condition.if_match is not None:
        if "*" not in condition.if_match and etag not in condition.if_match:
            raise errors.PreconditionFailed(condition="if_match")
    elif condition.if_unmodified_since_s is not None and mtime_s > condition.if_unmodified_since_s:
        raise errors.PreconditionFailed(condition="if_unmodified_since")
    if condition.if_none_match is not None:
        if "*" in condition.if_none_match or etag in condition.if_none_match:
            raise errors.NotModified(etag=etag, mtime_ms=mtime_ms)
    elif condition.if_modified_since_s is not None and mtime_s <= condition.if_modified_since_s:
        raise errors.NotModified(etag=etag, mtime_ms=mtime_ms)


def resolve_range(wanted: ByteRange, size: int) -> tuple[int, int]:
    """(start, stop) with stop exclusive. Raises InvalidRange when nothing of it lies in the object."""
    first, last = wanted
    if first is None:
        length = last or 0
        if length == 0 or size == 0:
            raise errors.InvalidRange(size_bytes=size)
        return max(0, size - length), size
    if first >= size:
        raise errors.InvalidRange(size_bytes=size)
    return first, size if last is None else min(last + 1, size)
