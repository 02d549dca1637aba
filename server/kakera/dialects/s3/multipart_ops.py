"""Multipart uploads: create, upload and copy a part, list parts and uploads, complete, abort."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from itertools import zip_longest
from urllib.parse import quote

from kakera.base import errors, limits
from kakera.core.copying import Source, Target
from kakera.core.values import BucketInfo, Checksum, Combined, CompletePart, PartInfo, Stored, UploadInfo, UploadPage
from kakera.dialects.http import Response
from kakera.dialects.s3 import checksums, listing_xml, parse, render, xml_in
from kakera.dialects.s3.call import Call
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.list_ops import asked_of
from kakera.dialects.s3.object_write import source_error
from kakera.dialects.s3.xml_out import document, escape, iso
from kakera.index.tables import PartRow


def _upload_id(call: Call) -> bytes:
    """Raises NoSuchUpload for what is no id of ours."""
    text = call.request.query.get("uploadId", "")
    found = parse.hex_id(text)
    if found is None:
        raise Rejected("NoSuchUpload", UploadId=text)
    return found


async def create_multipart_upload(call: Call) -> Response:
    headers = call.request.headers
    bucket = call.open_bucket()
    new = parse.new_object(call.key, headers)
    algorithm, kind = parse.checksum_choice(headers)
    upload = await call.core.multipart.create(
        call.store, bucket, call.account, new, checksum_algorithm=algorithm, checksum_kind=kind
    )
    answer = [*render.XML]
    if algorithm:
        answer += [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
    inner = (
        f"<Bucket>{escape(call.bucket)}</Bucket><Key>{escape(call.key.decode())}</Key>"
        f"<UploadId>{upload.upload_id.hex()}</UploadId>"
    )
    return Response(200, answer, document("InitiateMultipartUploadResult", inner))


async def upload_part(call: Call) -> Response:
    """A part of an upload with a checksum algorithm gets that checksum, given or computed."""
    bucket = call.open_bucket()
    number = parse.part_number(call.request.query.get("partNumber"))
    upload = await call.core.multipart.get(call.store, bucket, call.key, _upload_id(call))
    body = await call.body(default_algorithm=upload.checksum_algorithm or None)
    part = await call.core.multipart.put_part(call.store, bucket, call.key, upload.upload_id, number, body=body)
    answer = [("etag", f'"{part.etag}"')]
    if part.checksum is not None:
        answer.append(("x-amz-checksum-" + part.checksum.algorithm.lower(), part.checksum.value))
    return Response(200, answer)


async def upload_part_copy(call: Call) -> Response:
    headers = call.request.headers
    bucket = call.open_bucket()
    number = parse.part_number(call.request.query.get("partNumber"))
    upload_id = _upload_id(call)
    source = parse.copy_source(headers["x-amz-copy-source"])
    wanted = headers.get("x-amz-copy-source-range")
    byte_range = None if wanted is None else parse.copy_range(wanted)
    source_bucket = call.open_source(source.bucket)
    try:
        part = await call.core.multipart.copy_part(
            call.store,
            Source(source_bucket, source.key, source.version, parse.copy_condition(headers), byte_range),
            Target(bucket, call.key, upload_id, number),
        )
    except errors.KakeraError as error:
        raise source_error(error) from error
    answer = [*render.XML]
    if source.version is not None:
        answer.append(("x-amz-copy-source-version-id", source.version.hex() or "null"))
    return Response(200, answer, _copied_part(part))


def _copied_part(part: PartInfo) -> bytes:
    checksum = part.checksum
    inner = "" if checksum is None else f"<Checksum{checksum.algorithm}>{checksum.value}</Checksum{checksum.algorithm}>"
    modified = iso(part.mtime_ms)
    return document(
        "CopyPartResult", f"<LastModified>{modified}</LastModified><ETag>&quot;{part.etag}&quot;</ETag>{inner}"
    )


async def abort_multipart_upload(call: Call) -> Response:
    bucket = call.open_bucket()
    await call.core.multipart.abort(call.store, bucket, call.key, _upload_id(call))
    return Response(204)


# --- lists ------------------------------------------------------------------------------------------------------------


async def list_parts(call: Call) -> Response:
    bucket = call.open_bucket()
    query = call.request.query
    after = parse.whole_number(query.get("part-number-marker"), "part-number-marker", default=0)
    limit = parse.whole_number(query.get("max-parts"), "max-parts", default=limits.MAX_LIST_KEYS)
    limit = min(limit, limits.MAX_LIST_KEYS)
    page = await call.core.multipart.list_parts(
        call.store, bucket, call.key, _upload_id(call), after=min(after, limits.MAX_PART_NUMBER), limit=limit
    )
    body = listing_xml.parts(page, call.bucket, after=after, limit=limit, names=call.services.names)
    return Response(200, [*render.XML], body)


async def list_multipart_uploads(call: Call) -> Response:
    bucket = call.open_bucket()
    asked = asked_of(call, "max-uploads")
    query = call.request.query
    key_marker = query.get("key-marker", "").encode()
    # without a key-marker S3 ignores the upload-id-marker
    upload_text = query.get("upload-id-marker", "") if key_marker else ""
    marker = parse.hex_id(upload_text) if upload_text else b""
    if marker is None:
        raise Rejected(
            "InvalidArgument",
            "Invalid uploadId marker",
            ArgumentName="upload-id-marker",
            ArgumentValue=upload_text,
        )
    call.core.check_readable(call.store, bucket.bucket_id, None)
    page = UploadPage([], [], truncated=False)
    if asked.limit:
        page = await call.core.multipart.list_uploads(
            call.store,
            bucket,
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            key_marker=key_marker,
            upload_marker=marker,
            limit=asked.limit,
        )
    return Response(200, [*render.XML], listing_xml.uploads(page, asked, key_marker, upload_text, call.services.names))


# --- complete ---------------------------------------------------------------------------------------------------------


async def complete_multipart_upload(call: Call) -> Response:
    """Reads no body but the list of parts. Repeated, it answers as the first time (R16)."""
    headers = call.request.headers
    bucket = call.open_bucket()
    asked = await call.document_about_object()
    if len(asked) > limits.XML_INLINE_BYTES:
        parts = await asyncio.to_thread(xml_in.complete_multipart_upload, asked)
    else:
        parts = xml_in.complete_multipart_upload(asked)
    wanted = _last_of_each(parts)
    upload_id = _upload_id(call)
    claimed = parse.whole_checksum(headers)
    condition = parse.write_condition(headers)
    multipart = call.core.multipart
    chosen = await multipart.parts_for(call.store, bucket, call.key, upload_id, wanted)
    upload = None
    if chosen:
        try:
            upload = await multipart.get(call.store, bucket, call.key, upload_id)
        except errors.NoSuchUpload:  # completed meanwhile by another request, or aborted: the second look tells
            chosen = await multipart.parts_for(call.store, bucket, call.key, upload_id, wanted)
    if upload is not None:
        _check_size(headers.get("x-amz-mp-object-size"), chosen)
        combined = Combined(combined_etag(chosen), combined_checksum(upload, chosen, claimed))
    else:
        combined = Combined("", None)
    stored = await multipart.complete(
        call.store, bucket, call.key, upload_id, chosen, combined=combined, condition=condition
    )
    mine = bool(chosen) and stored.etag == combined.etag
    checksum = stored.checksum if mine else await _remembered_checksum(call, bucket, stored)
    return _completed(call, stored, checksum)


def _last_of_each(parts: list[CompletePart]) -> list[CompletePart]:
    """A part that was sent twice and is named twice in a row counts as it was named last."""
    return [
        part
        for part, following in zip_longest(parts, parts[1:])
        if following is None or following.part_number != part.part_number
    ]


def _completed(call: Call, stored: Stored, checksum: Checksum | None) -> Response:
    scheme = "https" if call.request.secure else "http"
    location = f"{scheme}://{call.request.host}/{quote(call.bucket)}/{quote(call.key)}"
    inner = (
        f"<Location>{escape(location)}</Location><Bucket>{escape(call.bucket)}</Bucket>"
        f"<Key>{escape(call.key.decode())}</Key><ETag>&quot;{stored.etag}&quot;</ETag>{render.checksum_elements(checksum)}"
    )
    answer = [*render.XML]
    if stored.version:
        answer.append(("x-amz-version-id", stored.version.hex()))
    return Response(200, answer, document("CompleteMultipartUploadResult", inner))


async def _remembered_checksum(call: Call, bucket: BucketInfo, stored: Stored) -> Checksum | None:
    """The checksum of an upload that was completed before; None when its version is no longer there."""
    try:
        info = await call.core.objects.head(call.store, bucket, call.key, version=stored.version)
    except (errors.NotFound, errors.MethodNotAllowed):
        return None
    return info.checksum if info.etag == stored.etag else None


def _check_size(announced: str | None, chosen: Sequence[PartRow]) -> None:
    if announced is None:
        return
    size = sum(part.size for part in chosen)
    if parse.whole_number(announced, "x-amz-mp-object-size", default=0, high=parse.FAR) != size:
        wording = (
            f"The provided 'x-amz-mp-object-size' header value {announced} does not match what was computed: {size}"
        )
        raise Rejected("InvalidRequest", wording)


def combined_etag(chosen: Sequence[PartRow]) -> str:
    """S3's ETag of a multipart: the MD5 of the parts' MD5s, and their number."""
    digests = b"".join([bytes.fromhex(part.etag) for part in chosen])
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(chosen)}"


def combined_checksum(upload: UploadInfo, chosen: Sequence[PartRow], claimed: Checksum | None) -> Checksum | None:
    """The checksum of the whole from those of the parts, by the upload's algorithm, or by the claimed one where the
    upload has none. Raises Rejected (InvalidRequest for what cannot be computed, BadDigest for a claim that is not
    so)."""
    algorithm, kind = upload.checksum_algorithm, upload.checksum_kind
    if claimed is not None:
        if not algorithm:
            algorithm = claimed.algorithm
            kind = parse.checksum_kind(algorithm, claimed.kind)
        elif claimed.algorithm != algorithm or claimed.kind not in ("", kind):
            wording = (
                f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, actual checksum Type: "
            )
            raise Rejected("InvalidRequest", wording + claimed.algorithm.lower())
    if not algorithm:
        return None
    kind = kind or checksums.default_kind(algorithm)
    digests = []
    for part in chosen:
        name, _, value = part.checksum.partition(":")
        digest = checksums.decode(algorithm, value) if name == algorithm else None
        if digest is None:
            raise Rejected(
                "InvalidRequest",
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {part.part_number} in the request.",
            )
        digests.append((digest, part.size))
    value = checksums.of_parts(algorithm, kind, digests)
    if claimed is not None and claimed.value not in (value, value.partition("-")[0]):
        raise Rejected("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")
    return Checksum(algorithm, value, kind)
