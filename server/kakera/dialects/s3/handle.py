"""One S3 request, from its bytes to its answer. Raises nothing: every failure becomes a Response (errors.respond).

The order is S3's: what is named, who asks, which operation, whether this server does it; the bucket's existence and
the right to it are each operation's first step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from kakera.base.errors import Denied, Replica
from kakera.core import operations
from kakera.dialects.http import Request, Response
from kakera.dialects.s3 import (
    bucket_ops,
    errors,
    list_ops,
    multipart_ops,
    object_read,
    object_tags,
    object_write,
    operation,
    route,
)
from kakera.dialects.s3.auth import authenticate
from kakera.dialects.s3.call import Call, refuse_unbuilt_headers
from kakera.dialects.s3.core_api import Services

Handler = Callable[[Call], Awaitable[Response]]

HANDLERS: Mapping[str, Handler] = {
    "AbortMultipartUpload": multipart_ops.abort_multipart_upload,
    "CompleteMultipartUpload": multipart_ops.complete_multipart_upload,
    "CopyObject": object_write.copy_object,
    "CreateBucket": bucket_ops.create_bucket,
    "CreateMultipartUpload": multipart_ops.create_multipart_upload,
    "DeleteBucket": bucket_ops.delete_bucket,
    "DeleteObject": object_write.delete_object,
    "DeleteObjectTagging": object_tags.delete_object_tagging,
    "DeleteObjects": object_write.delete_objects,
    "GetBucketLocation": bucket_ops.get_bucket_location,
    "GetBucketVersioning": bucket_ops.get_bucket_versioning,
    "GetObject": object_read.get_object,
    "GetObjectAttributes": object_read.get_object_attributes,
    "GetObjectTagging": object_tags.get_object_tagging,
    "HeadBucket": bucket_ops.head_bucket,
    "HeadObject": object_read.head_object,
    "ListBuckets": bucket_ops.list_buckets,
    "ListMultipartUploads": multipart_ops.list_multipart_uploads,
    "ListObjectVersions": list_ops.list_object_versions,
    "ListObjects": list_ops.list_objects,
    "ListObjectsV2": list_ops.list_objects_v2,
    "ListParts": multipart_ops.list_parts,
    "PutBucketVersioning": bucket_ops.put_bucket_versioning,
    "PutObject": object_write.put_object,
    "PutObjectTagging": object_tags.put_object_tagging,
    "UploadPart": multipart_ops.upload_part,
    "UploadPartCopy": multipart_ops.upload_part_copy,
}


async def handle(request: Request, services: Services) -> Response:
    """The whole dialect. Cancellation passes through: then nobody waits for an answer."""
    bucket, key = "", b""
    try:
        bucket, key = route.target(request, services.base_domains)
        request.bucket, request.key = bucket, key.decode("utf-8", "replace")  # what the access line tells
        identity = authenticate(request, services.keys, now=services.now(), region=services.region)
        request.principal = "" if identity.account is None else identity.account.access_key_id
        name = operation.name_of(request, bucket, key)
        request.operation = name
        handler = HANDLERS.get(name)
        if handler is None:
            raise operation.not_built(name)
        if services.refuses_changes and operations.named("s3", name).changes:
            # Where the primary is concerns those who may ask it.
            raise Denied() if identity.account is None else Replica(services.refuses_changes)
        refuse_unbuilt_headers(request)
        return await handler(Call(request, services, identity, name, bucket=bucket, key=key))
    except Exception as error:
        return errors.respond(error, request, bucket=bucket, key=key)
