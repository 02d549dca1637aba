"""Headers and small documents of answers. The hot path (GET, HEAD, PUT of an object) only appends to one list."""

from __future__ import annotations

from kakera.core.values import Checksum, Deleted, ObjectInfo, Stored
from kakera.dialects.s3.xml_out import document, escape, http_date, iso

HeaderList = list[tuple[str, str]]

# query parameter of a signed GET -> header it replaces
OVERRIDES = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}
DEFAULT_TYPE = "binary/octet-stream"
XML: HeaderList = [("content-type", "application/xml")]


def object_headers(info: ObjectInfo, overrides: dict[str, str] | None = None) -> HeaderList:
    """What GET and HEAD say of a version. overrides: header -> value, from the query."""
    headers = [
        ("etag", f'"{info.etag}"'),
        ("last-modified", http_date(info.mtime_ms // 1000)),
        ("accept-ranges", "bytes"),
    ]
    kept = info.headers
    if overrides:
        kept = {**kept, **overrides}
    headers += kept.items()
    if "content-type" not in kept:
        headers.append(("content-type", DEFAULT_TYPE))
    if info.versioned:
        headers.append(("x-amz-version-id", info.version.hex() or "null"))
    if info.user:
        headers += [("x-amz-meta-" + name, value) for name, value in info.user.items()]
    if info.tags:
        headers.append(("x-amz-tagging-count", str(len(info.tags))))
    return headers


def add_checksum(headers: HeaderList, checksum: Checksum | None) -> None:
    if checksum is not None:
        headers.append(("x-amz-checksum-" + checksum.algorithm.lower(), checksum.value))
        headers.append(("x-amz-checksum-type", checksum.kind))


def stored_headers(stored: Stored) -> HeaderList:
    """What PUT says of the version it made."""
    headers = [("etag", f'"{stored.etag}"')]
    if stored.version:
        headers.append(("x-amz-version-id", stored.version.hex()))
    if stored.checksum is not None:
        add_checksum(headers, stored.checksum)
    return headers


def deleted_headers(deleted: Deleted) -> HeaderList:
    headers: HeaderList = []
    if deleted.versioned:
        headers.append(("x-amz-version-id", deleted.version.hex() or "null"))
        if deleted.marker:
            headers.append(("x-amz-delete-marker", "true"))
    return headers


def checksum_elements(checksum: Checksum | None) -> str:
    if checksum is None:
        return ""
    name = f"Checksum{checksum.algorithm}"
    return f"<{name}>{escape(checksum.value)}</{name}><ChecksumType>{checksum.kind}</ChecksumType>"


def copied(name: str, etag: str, mtime_ms: int, checksum: Checksum | None) -> bytes:
    """CopyObjectResult and CopyPartResult."""
    inner = f"<LastModified>{iso(mtime_ms)}</LastModified><ETag>&quot;{etag}&quot;</ETag>{checksum_elements(checksum)}"
    return document(name, inner)


def tag_set(tags: list[tuple[str, str]]) -> bytes:
    lines = [f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in tags]
    return document("Tagging", f"<TagSet>{''.join(lines)}</TagSet>")
