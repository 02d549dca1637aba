"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from kakera.core.values import ObjectInfo
from kakera.dialects.http import Response
from kakera.dialects.s3 import parse, render, xml_in
from kakera.dialects.s3.call import Call


async def get_object_tagging(call: Call) -> Response:
    bucket = call.open_bucket()
    info = await call.core.objects.head(call.store, bucket, call.key, version=parse.version_of(call.request.query))
    return Response(200, [*render.XML, *_version(info)], render.tag_set(list(info.tags)))


async def put_object_tagging(call: Call) -> Response:
    bucket = call.open_bucket()
    tags = xml_in.tagging(await call.document())
    version = parse.version_of(call.request.query)
    info = await call.core.objects.set_tags(call.store, bucket, call.key, version, tags)
    return Response(200, _version(info))


async def delete_object_tagging(call: Call) -> Response:
    bucket = call.open_bucket()
    version = parse.version_of(call.request.query)
    info = await call.core.objects.set_tags(call.store, bucket, call.key, version, [])
    return Response(204, _version(info))


def _version(info: ObjectInfo | None) -> render.HeaderList:
    if info is None or not info.versioned:
        return []
    return [("x-amz-version-id", info.version.hex() or "null")]
