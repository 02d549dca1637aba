"""Which dialect a request speaks, told by its signature or, without one, by its vendor's headers and parameters. S3 is
the default: an anonymous GET looks the same in both.
"""

from __future__ import annotations

from kakera.dialects.http import Request, Response
from kakera.dialects.s3 import errors
from kakera.dialects.s3.core_api import Services
from kakera.dialects.s3.handle import handle as handle_s3
from kakera.dialects.s3.xml_out import escape

_S3_SIGNATURE = "AWS"
_OSS_SIGNATURES = ("OSS ", "OSS2 ", "OSS4-HMAC-SHA256")
_OSS_QUERY = (b"OSSAccessKeyId=", b"x-oss-")


def speaks_oss(request: Request) -> bool:
    """`OSS`, `OSS2` and `OSS4` signatures, OSSAccessKeyId or x-oss-* in the query, an x-oss-* header."""
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization:
        return not authorization.startswith(_S3_SIGNATURE) and authorization.startswith(_OSS_SIGNATURES)
    raw_query = request.raw_query
    if raw_query:
        if b"X-Amz-" in raw_query:
            return False
        if any(mark in raw_query for mark in _OSS_QUERY):
            return True
    return any(name.startswith("x-oss-") for name in headers)


async def handle(request: Request, services: Services) -> Response:
    """The one door of the object API. Raises nothing."""
    if speaks_oss(request):
        return _oss_not_built(request)
    return await handle_s3(request, services)


def refuse(error: Exception, request: Request) -> Response:
    """The answer to a request that reaches no dialect's operation: the failure in the form its client reads."""
    return _oss_not_built(request) if speaks_oss(request) else errors.respond(error, request)


def _oss_not_built(request: Request) -> Response:
    """OSS's error document (OSS API Reference, "Error responses"): the dialect is not built yet, and says so in its
    own form."""
    headers = [("x-oss-request-id", request.request_id)]
    if request.method == "HEAD":
        return Response(501, headers)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NotImplemented</Code>'
        "<Message>A header or query you provided implies functionality that is not implemented.</Message>"
        f"<RequestId>{escape(request.request_id)}</RequestId><HostId>{escape(request.host)}</HostId></Error>"
    ).encode()
    return Response(501, [*headers, ("content-type", "application/xml")], body)
