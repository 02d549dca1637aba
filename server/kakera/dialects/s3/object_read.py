"""GetObject, HeadObject, GetObjectAttributes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType

from kakera.base import errors, limits
from kakera.core.conditions import resolve_range
from kakera.core.values import BucketInfo, ObjectInfo, ObjectRead, PartInfo
from kakera.dialects.http import Response
from kakera.dialects.s3 import listing_xml, parse, render
from kakera.dialects.s3.call import Call
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.xml_out import document, http_date

_OVERRIDES = frozenset(render.OVERRIDES)
_NO_QUERY: dict[str, str] = {}


class OpenStream:
    """The pieces of an opened object, and its pins: `close` of the read is called once, at the end of the pieces, at
    their failure, or by `aclose` when the client went away, also before the first piece was asked for (R7)."""

    __slots__ = ("_pieces", "_read")

    def __init__(self, read: ObjectRead, pieces: AsyncIterator[bytes | memoryview]) -> None:
        self._read: ObjectRead | None = read
        self._pieces = pieces

    def __aiter__(self) -> OpenStream:
        return self

    async def __anext__(self) -> bytes | memoryview:
        try:
            return await self._pieces.__anext__()
        except BaseException:
            self._release()
            raise

    async def aclose(self) -> None:
        try:
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                await close()
        finally:
            self._release()

    def _release(self) -> None:
        read, self._read = self._read, None
        if read is not None:
            read.close()

    async def __aenter__(self) -> OpenStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def get_object(call: Call) -> Response:
    request = call.request
    headers = request.headers
    bucket = call.open_bucket()
    condition = parse.read_condition(headers)
    byte_range = parse.byte_range(headers) if "range" in headers else None
    if request.raw_query:
        query = request.query
        version, number, overrides = parse.version_of(query), _part_number(query, headers), _overrides(call)
    else:
        version, number, overrides = None, None, None
    read = await call.core.objects.open_read(
        call.store, bucket, call.key, version=version, byte_range=byte_range, condition=condition, part_number=number
    )
    opened = False
    try:
        info = read.info
        answer = render.object_headers(info, overrides)
        status = 200
        if byte_range is not None or number is not None:
            status = _partial(answer, info, read.start, read.stop)
            if number is not None:
                await _part_headers(call, bucket, info, answer, number=number, version=version)
        elif info.checksum is not None and headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            render.add_checksum(answer, info.checksum)
        body = read.body
        if isinstance(body, bytes):
            return Response(status, answer, body)
        opened = True
        return Response(status, answer, OpenStream(read, body), read.stop - read.start)
    finally:
        if not opened:
            read.close()


async def head_object(call: Call) -> Response:
    request = call.request
    headers = request.headers
    bucket = call.open_bucket()
    query = request.query if request.raw_query else _NO_QUERY
    version, number = parse.version_of(query), _part_number(query, headers)
    condition = parse.read_condition(headers)
    if number is not None:
        return await _head_part(call, bucket, version, number)
    info = await call.core.objects.head(call.store, bucket, call.key, version=version, condition=condition)
    answer = render.object_headers(info, _overrides(call) if query else None)
    byte_range = parse.byte_range(headers)
    if byte_range is not None:
        start, stop = resolve_range(byte_range, info.size)
        return Response(_partial(answer, info, start, stop), answer, None, stop - start)
    if headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        render.add_checksum(answer, info.checksum)
    return Response(200, answer, None, info.size)


async def _head_part(call: Call, bucket: BucketInfo, version: bytes | None, number: int) -> Response:
    condition = parse.read_condition(call.request.headers)
    read = await call.core.objects.open_read(
        call.store, bucket, call.key, version=version, condition=condition, part_number=number
    )
    read.close()
    answer = render.object_headers(read.info)
    status = _partial(answer, read.info, read.start, read.stop)
    await _part_headers(call, bucket, read.info, answer, number=number, version=version)
    return Response(status, answer, None, read.stop - read.start)


def _partial(answer: render.HeaderList, info: ObjectInfo, start: int, stop: int) -> int:
    """206 and its Content-Range; 200 for an empty object, of which there is no range to name."""
    if info.size == 0:
        return 200
    answer.append(("content-range", f"bytes {start}-{stop - 1}/{info.size}"))
    return 206


def _part_number(query: dict[str, str], headers: parse.Headers) -> int | None:
    value = query.get("partNumber")
    if value is None:
        return None
    number = parse.part_number(value)
    if "range" in headers:
        raise Rejected("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    return number


async def _part_headers(
    call: Call, bucket: BucketInfo, info: ObjectInfo, answer: render.HeaderList, *, number: int, version: bytes | None
) -> None:
    """x-amz-mp-parts-count and the part's own checksum."""
    wants_checksum = call.request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    if not info.parts_count:
        if wants_checksum:
            render.add_checksum(answer, info.checksum)
        return
    answer.append(("x-amz-mp-parts-count", str(info.parts_count)))
    if wants_checksum and info.checksum is not None:
        # The version that was opened, whatever came after it; the null version has no other name
        exact = info.version if info.versioned else version
        _, parts, _ = await call.core.objects.parts(
            call.store, bucket, call.key, version=exact, after=number - 1, limit=1
        )
        for part in parts:
            if part.part_number == number and part.checksum is not None:
                algorithm = part.checksum.algorithm.lower()
                answer.append(("x-amz-checksum-" + algorithm, part.checksum.value))
                answer.append(("x-amz-checksum-type", info.checksum.kind))


def _overrides(call: Call) -> dict[str, str] | None:
    """response-* of the query. Raises Rejected for anonymous requests, as S3 does, and for values that are no
    header."""
    query = call.request.query
    if _OVERRIDES.isdisjoint(query):
        return None
    found = {}
    for name, header in render.OVERRIDES.items():
        value = query.get(name)
        if value is not None:
            if any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
                raise Rejected(
                    "InvalidArgument",
                    "Header value cannot be represented using ISO-8859-1.",
                    ArgumentName=name,
                    ArgumentValue=value,
                )
            found[header] = value
    if call.identity.account is None:
        raise Rejected("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    return found


# --- attributes -------------------------------------------------------------------------------------------------------

_ATTRIBUTES = frozenset(("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"))


async def get_object_attributes(call: Call) -> Response:
    bucket = call.open_bucket()
    headers = call.request.headers
    wanted = {name.strip() for name in headers.get("x-amz-object-attributes", "").split(",")} - {""}
    if not wanted or not wanted <= _ATTRIBUTES:
        raise Rejected(
            "InvalidArgument",
            "Invalid attribute name specified."
            if wanted
            else "The x-amz-object-attributes header specifying the "
            "attributes to be retrieved is either missing or empty",
            ArgumentName="x-amz-object-attributes",
            ArgumentValue=headers.get("x-amz-object-attributes", ""),
        )
    version = parse.version_of(call.request.query)
    after = parse.whole_number(headers.get("x-amz-part-number-marker"), "x-amz-part-number-marker", default=0)
    limit = parse.whole_number(headers.get("x-amz-max-parts"), "x-amz-max-parts", default=limits.MAX_LIST_KEYS)
    limit = min(limit, limits.MAX_LIST_KEYS)
    found: list[PartInfo] = []
    truncated = False
    if "ObjectParts" in wanted and limit:
        info, found, truncated = await call.core.objects.parts(
            call.store, bucket, call.key, version=version, after=min(after, limits.MAX_PART_NUMBER), limit=limit
        )
    else:
        info = await call.core.objects.head(call.store, bucket, call.key, version=version)
    _check_attributes_condition(call, info)
    page = listing_xml.PartsAsked(after, limit, found, truncated)
    answer = [("last-modified", http_date(info.mtime_ms // 1000)), *render.XML]
    if info.versioned:
        answer.append(("x-amz-version-id", info.version.hex() or "null"))
    return Response(200, answer, _attributes(info, wanted, page))


def _attributes(info: ObjectInfo, wanted: set[str], page: listing_xml.PartsAsked) -> bytes:
    inner = ""
    if "ETag" in wanted:
        inner += f"<ETag>{info.etag}</ETag>"
    if "Checksum" in wanted and info.checksum is not None:
        inner += f"<Checksum>{render.checksum_elements(info.checksum)}</Checksum>"
    if "ObjectParts" in wanted:
        inner += listing_xml.object_parts(info, page)
    if "StorageClass" in wanted:
        inner += "<StorageClass>STANDARD</StorageClass>"
    if "ObjectSize" in wanted:
        inner += f"<ObjectSize>{info.size}</ObjectSize>"
    return document("GetObjectAttributesResponse", inner)


def _check_attributes_condition(call: Call, info: ObjectInfo) -> None:
    match = call.request.headers.get("if-match")
    if match is not None:
        tags = parse.etags(match)
        if "*" not in tags and info.etag not in tags:
            raise errors.PreconditionFailed(condition="if_match")
