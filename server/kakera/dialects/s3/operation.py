"""Which operation a request asks for: the table in core.operations, with a short way for requests without a query."""

from __future__ import annotations

from kakera.core import operations
from kakera.dialects.http import Request
from kakera.dialects.s3.errors import Rejected

# (method, is a bucket named, is a key named) -> name, for requests without a query that carry no header of meaning
_PLAIN = {
    ("GET", True, True): "GetObject",
    ("HEAD", True, True): "HeadObject",
    ("PUT", True, True): "PutObject",
    ("DELETE", True, True): "DeleteObject",
}
_LEVELS: dict[tuple[bool, bool], operations.Level] = {
    (False, False): operations.SERVICE,
    (True, False): operations.BUCKET,
    (True, True): operations.OBJECT,
}
# What a pre-signed URL adds: it says who asks, not what.
_SIGNATURE = frozenset(
    (
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
        "X-Amz-Content-Sha256", "x-id",
    )
)  # fmt: skip
_HEADERS_OF_MEANING = frozenset(
    name
    for row in operations.ALL.operations
    if row.vendor == "s3" and row.level == operations.OBJECT
    for name in row.headers
)


def name_of(request: Request, bucket: str, key: bytes) -> str:
    """The name in core.operations. Raises Rejected: NotImplemented for what has no name yet, MethodNotAllowed for a
    method that the place does not answer to."""
    method = request.method
    place = (bool(bucket), bool(key))
    if not request.raw_query or request.query.keys() <= _SIGNATURE:
        plain = _PLAIN.get((method, *place))
        if plain is not None and _HEADERS_OF_MEANING.isdisjoint(request.headers):
            return plain
    if method == "OPTIONS":
        raise _preflight(request)
    level = _LEVELS[place]
    found = operations.match("s3", method, level, request.query, request.headers)
    if found is not None:
        return found.name
    if operations.subresources("s3", request.query):
        raise not_built(f"{method} {'&'.join(operations.subresources('s3', request.query))}")
    if "partNumber" in request.query:
        # The PUT of a part that lost its upload: never the PUT of an object
        wording = "This operation does not accept a part number without an upload id."
        raise Rejected("InvalidArgument", wording, ArgumentName="uploadId", ArgumentValue="")
    raise Rejected("MethodNotAllowed", Method=method, ResourceType=level.upper())


def _preflight(request: Request) -> Rejected:
    """No bucket has CORS rules yet: every preflight is refused as S3 refuses it without any."""
    return Rejected("AccessForbidden") if "origin" in request.headers else Rejected("BadRequest")


def not_built(name: str) -> Rejected:
    """NotImplemented for an operation of the table that has no handler."""
    return Rejected(
        "NotImplemented",
        "A header or query you provided implies functionality that is not implemented",
        Operation=name,
    )
