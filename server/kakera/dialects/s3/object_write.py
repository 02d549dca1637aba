"""PutObject, CopyObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

import asyncio

from kakera.base import errors, limits
from kakera.core.copying import Source
from kakera.core.values import BucketInfo, Condition, Deleted
from kakera.dialects.http import Response
from kakera.dialects.s3 import parse, render, xml_in
from kakera.dialects.s3.call import Call
from kakera.dialects.s3.errors import Rejected, describe
from kakera.dialects.s3.xml_out import document, escape


async def put_object(call: Call) -> Response:
    headers = call.request.headers
    bucket = call.open_bucket()
    new = parse.new_object(call.key, headers)
    body = await call.body()
    stored = await call.core.objects.put(
        call.store, bucket, call.account, new, body, condition=parse.write_condition(headers)
    )
    return Response(200, render.stored_headers(stored))


# --- copy -------------------------------------------------------------------------------------------------------------


async def copy_object(call: Call) -> Response:
    headers = call.request.headers
    bucket = call.open_bucket()
    source = parse.copy_source(headers["x-amz-copy-source"])
    replace_metadata = parse.directive(headers, "x-amz-metadata-directive")
    replace_tags = parse.directive(headers, "x-amz-tagging-directive")
    source_bucket = call.open_source(source.bucket)
    same = source_bucket.bucket_id == bucket.bucket_id and source.key == call.key
    if same and source.version is None and not replace_metadata:
        raise Rejected(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    algorithm = headers.get("x-amz-checksum-algorithm")
    try:
        stored = await call.core.objects.copy(
            call.store,
            Source(source_bucket, source.key, source.version, parse.copy_condition(headers)),
            bucket,
            call.account,
            parse.new_object(call.key, headers),
            keep_metadata=not replace_metadata,
            keep_tags=not replace_tags,
            condition=parse.write_condition(headers),
            checksum_algorithm=parse.checksum_algorithm(algorithm) if algorithm else "",
        )
    except errors.KakeraError as error:
        raise source_error(error) from error
    answer = [*render.XML]
    if stored.version:
        answer.append(("x-amz-version-id", stored.version.hex()))
    if source.version is not None:
        answer.append(("x-amz-copy-source-version-id", source.version.hex() or "null"))
    return Response(200, answer, render.copied("CopyObjectResult", stored.etag, stored.mtime_ms, stored.checksum))


def source_error(error: errors.KakeraError) -> Exception:
    """What reading a copy's source may raise, in the words of a copy: 304 has no place in the answer to a PUT."""
    if isinstance(error, errors.MethodNotAllowed):
        return Rejected(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        )
    if isinstance(error, errors.NotModified):
        return errors.PreconditionFailed(condition="x-amz-copy-source-If-None-Match")
    return error


# --- delete -----------------------------------------------------------------------------------------------------------


async def delete_object(call: Call) -> Response:
    bucket = call.open_bucket()
    version = parse.version_of(call.request.query) if call.request.raw_query else None
    condition = parse.delete_condition(call.request.headers)
    deleted = await _delete(call, bucket, call.key, version, condition)
    return Response(204, render.deleted_headers(deleted))


async def _delete(
    call: Call, bucket: BucketInfo, key: bytes, version: bytes | None, condition: Condition | None
) -> Deleted:
    """One key; its conditions are the committer's to decide (R6)."""
    return await call.core.objects.delete(call.store, bucket, call.account, key, version=version, condition=condition)


class _Outcome:
    """One line of the answer to DeleteObjects."""

    __slots__ = ("failed", "xml")

    def __init__(self, xml: str, *, failed: bool) -> None:
        self.xml = xml
        self.failed = failed


async def delete_objects(call: Call) -> Response:
    """Many keys in one request; each succeeds or fails alone, and all travel at once, so that they share a group
    commit."""
    bucket = call.open_bucket()
    asked = xml_in.delete_objects(await call.document())
    room = asyncio.Semaphore(limits.DELETES_AT_ONCE)

    async def one(item: xml_in.DeleteItem) -> _Outcome:
        async with room:
            return await _delete_item(call, bucket, item)

    outcomes = await asyncio.gather(*[one(item) for item in asked.items])
    inner = "".join([outcome.xml for outcome in outcomes if outcome.failed or not asked.quiet])
    return Response(200, [*render.XML], document("DeleteResult", inner))


async def _delete_item(call: Call, bucket: BucketInfo, item: xml_in.DeleteItem) -> _Outcome:
    version_element = "" if item.version_id is None else f"<VersionId>{escape(item.version_id)}</VersionId>"
    try:
        key = item.key.encode()
        if len(key) > limits.MAX_KEY_BYTES:
            raise Rejected("KeyTooLongError")
        version = None
        if item.version_id is not None:
            version = b"" if item.version_id == "null" else parse.hex_id(item.version_id)
            if version is None:
                raise Rejected("NoSuchVersion")
        deleted = await _delete(call, bucket, key, version, _item_condition(item))
    except errors.KakeraError as error:
        failure = describe(error)
        return _Outcome(
            f"<Error><Key>{escape(item.key)}</Key>{version_element}<Code>{failure.code}</Code>"
            f"<Message>{escape(failure.message)}</Message></Error>",
            failed=True,
        )
    found = f"<Key>{escape(item.key)}</Key>{version_element}"
    if deleted.versioned and deleted.marker:
        marker = deleted.version.hex() or "null"
        found += f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId>"
    return _Outcome(f"<Deleted>{found}</Deleted>", failed=False)


def _item_condition(item: xml_in.DeleteItem) -> Condition | None:
    if item.etag is None and item.size is None and item.last_modified is None:
        return None
    modified = item.last_modified
    return Condition(
        if_match=None if item.etag is None else parse.etags(item.etag),
        size=None if item.size is None else parse.whole_number(item.size.strip(), "Size", default=0, high=parse.FAR),
        mtime_ms=None if modified is None else parse.any_date_s(modified.strip(), "LastModifiedTime") * 1000,
    )
