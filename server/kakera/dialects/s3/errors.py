"""From a failure to S3's answer: one table class -> code, status, message; one function writes the error document.

Three kinds arrive here: the store's facts (base.errors, by class), what the wire half refused (refusals.S3Refusal,
with its own code), and `Rejected`, what this half refuses by S3's code. Status and wording: Amazon S3 API Reference,
"Error responses".

Where S3 has no word for it (docs/compat/s3-notes.md): no space is InsufficientStorage, 507, which SDKs do not retry;
everything else that is "not now" is 503 with the reason as the message.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from kakera.base import errors as base
from kakera.dialects.http import MalformedUri, Request, Response
from kakera.dialects.s3 import refusals
from kakera.dialects.s3.xml_out import escape, http_date

_log = logging.getLogger("kakera.dialects.s3")

# Codes of this half of the dialect that the wire half does not have: code -> (status, message).
CODES: dict[str, tuple[int, str]] = {
    "AccessForbidden": (403, "CORSResponse: CORS is not enabled for this bucket."),
    "BadRequest": (400, "Insufficient information. Origin request header needed."),
    "IllegalLocationConstraintException": (
        400,
        "The location constraint is incompatible for the region specific endpoint this request was sent to.",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
    ),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "A header or query you provided implies functionality that is not implemented."),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
}


class Rejected(base.Refused):
    """Refused by S3's own code. `detail` goes into the error document, element by element, in order."""

    def __init__(self, code: str, message: str = "", **detail: object) -> None:
        self.status, default = CODES.get(code) or refusals.TABLE[code]
        self.code = code
        super().__init__(message or default, **detail)


class Row(NamedTuple):
    """`speaks`: the failure's own message, when it has one, replaces `message`."""

    code: str
    status: int
    message: str
    speaks: bool = False


_NOT_NOW = "Service is unable to handle request."

# Every class of base.errors that may be raised; a class that is not here is answered as its nearest ancestor
# (tests/unit/dialects/test_errors.py keeps the leaves complete).
TABLE: dict[type[base.KakeraError], Row] = {
    base.NoSuchBucket: Row("NoSuchBucket", 404, "The specified bucket does not exist"),
    base.NoSuchKey: Row("NoSuchKey", 404, "The specified key does not exist."),
    base.NoSuchVersion: Row("NoSuchVersion", *CODES["NoSuchVersion"]),
    base.NoSuchUpload: Row("NoSuchUpload", *CODES["NoSuchUpload"]),
    base.BucketExists: Row(
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.",
    ),
    base.BucketOwnedByYou: Row(
        "BucketAlreadyOwnedByYou",
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    base.BucketNotEmpty: Row("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"),
    base.OperationAborted: Row(
        "OperationAborted",
        409,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    base.NotModified: Row("NotModified", 304, "Not Modified"),
    base.PreconditionFailed: Row("PreconditionFailed", *CODES["PreconditionFailed"]),
    base.InvalidBucketName: Row("InvalidBucketName", *CODES["InvalidBucketName"]),
    base.InvalidRange: Row("InvalidRange", 416, "The requested range is not satisfiable"),
    base.InvalidPart: Row("InvalidPart", *CODES["InvalidPart"]),
    base.InvalidPartOrder: Row(
        "InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number."
    ),
    base.PartTooSmall: Row("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"),
    base.TooLarge: Row("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"),
    base.InvalidArgument: Row("InvalidArgument", 400, "Invalid Argument", speaks=True),
    base.MetadataTooLarge: Row("MetadataTooLarge", *CODES["MetadataTooLarge"]),
    base.TooManyBuckets: Row("TooManyBuckets", 400, "You have attempted to create more buckets than allowed"),
    base.InvalidState: Row(
        "InvalidBucketState", 409, "The request is not valid for the current state of the bucket.", speaks=True
    ),
    base.Denied: Row("AccessDenied", 403, "Access Denied"),
    # S3 has no word for a copy that takes no writes. 503 would be sent again and again, 405 denies that the resource
    # knows the method; 403 is final, and its message is shown by every client.
    base.Replica: Row("AccessDenied", 403, "This store takes no changes.", speaks=True),
    base.MethodNotAllowed: Row("MethodNotAllowed", *CODES["MethodNotAllowed"]),
    base.Stale: Row("OperationAborted", 409, "The settings of the bucket changed meanwhile. Please try again."),
    base.ReadOnly: Row("ServiceUnavailable", 503, _NOT_NOW, speaks=True),
    base.NotReady: Row("ServiceUnavailable", 503, _NOT_NOW, speaks=True),
    base.Busy: Row("SlowDown", 503, "Please reduce your request rate.", speaks=True),
    base.OutOfSpace: Row("InsufficientStorage", 507, "There is no space left; DELETE is still taken.", speaks=True),
    base.Damaged: Row("ServiceUnavailable", 503, _NOT_NOW, speaks=True),
    base.Unknown: Row("ServiceUnavailable", 503, "It is not known whether the request was carried out.", speaks=True),
    base.Unavailable: Row("ServiceUnavailable", 503, _NOT_NOW, speaks=True),
    MalformedUri: Row("InvalidURI", *CODES["InvalidURI"]),
    base.Invalid: Row("InvalidRequest", 400, "Invalid Request", speaks=True),
    base.Conflict: Row("OperationAborted", 409, "A conflicting operation is in progress. Please try again."),
    base.NotFound: Row("NoSuchKey", 404, "The specified key does not exist."),
    base.Refused: Row("InvalidRequest", 400, "Invalid Request", speaks=True),
}
_INTERNAL = Row("InternalError", 500, "We encountered an internal error. Please try again.")

# detail of base.errors -> element of the error document
_ELEMENTS = {
    "argument": "ArgumentName",
    "value": "ArgumentValue",
    "size_bytes": "ProposedSize",
    "maximum_bytes": "MaxSizeAllowed",
    "minimum_bytes": "MinSizeAllowed",
    "part_number": "PartNumber",
    "etag": "ETag",
    "condition": "Condition",
    "requested": "RangeRequested",
}
_CONDITIONS = {
    "if_match": "If-Match",
    "if_none_match": "If-None-Match",
    "if_modified_since": "If-Modified-Since",
    "if_unmodified_since": "If-Unmodified-Since",
}


class Failure(NamedTuple):
    """What the client is told. extra: further elements of the document, in order."""

    code: str
    status: int
    message: str
    extra: list[tuple[str, str]]


def describe(error: Exception) -> Failure:
    """Code, status, message and elements of any failure; an unforeseen one is InternalError and goes to the log with
    its trace."""
    if isinstance(error, refusals.S3Refusal):
        return Failure(error.code, error.status, error.message, list(error.extra.items()))
    if isinstance(error, Rejected):
        return Failure(
            error.code, error.status, error.message, [(name, str(value)) for name, value in error.detail.items()]
        )
    if not isinstance(error, base.KakeraError):
        _log.error("unforeseen failure", exc_info=error)
        return Failure(_INTERNAL.code, _INTERNAL.status, _INTERNAL.message, [])
    row = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), _INTERNAL)
    message = error.message if row.speaks and error.message else row.message
    return Failure(row.code, row.status, message, _extra(error))


def _extra(error: base.KakeraError) -> list[tuple[str, str]]:
    found = []
    for name, value in error.detail.items():
        element = _ELEMENTS.get(name)
        if element and value is not None:
            if isinstance(error, base.InvalidRange) and name == "size_bytes":
                element = "ActualObjectSize"
            if isinstance(error, base.NotModified):
                continue
            found.append((element, _CONDITIONS.get(str(value), str(value))))
    return found


def respond(error: Exception, request: Request, *, bucket: str = "", key: bytes = b"") -> Response:
    """The answer to a failed request. HEAD and 304 have no body (RFC 9110). bucket, key: what was asked for, as far as
    known."""
    failure = describe(error)
    headers = _headers(error)
    if request.method == "HEAD" or failure.status == 304:
        return Response(failure.status, headers)
    elements = list(failure.extra)
    if failure.code in _NAMES_BUCKET and bucket:
        elements.append(("BucketName", bucket))
    if failure.code in _NAMES_KEY and key:
        elements.append(("Key", key.decode("utf-8", "replace")))
    resource = request.raw_path.decode("latin-1")
    body = document(failure.code, failure.message, elements, resource=resource, request_id=request.request_id)
    headers.append(("content-type", "application/xml"))
    return Response(failure.status, headers, body)


_NAMES_BUCKET = frozenset(
    ("NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "InvalidBucketName")
)
_NAMES_KEY = frozenset(("NoSuchKey", "NoSuchVersion"))


def _headers(error: Exception) -> list[tuple[str, str]]:
    """Headers that belong to a failure: the marker found instead of an object, the range that would do, the tag that
    matched."""
    if not isinstance(error, base.KakeraError):
        return []
    detail = error.detail
    marker = detail.get("delete_marker_version")
    if isinstance(error, base.NoSuchKey):
        if marker is None:
            return [("x-amz-delete-marker", "false")]  # S3 omits it; see docs/compat/s3-notes.md
        return [("x-amz-delete-marker", "true"), ("x-amz-version-id", wire_version(marker))]
    if isinstance(error, base.MethodNotAllowed) and marker is not None:
        found = [("allow", "DELETE"), ("x-amz-delete-marker", "true"), ("x-amz-version-id", wire_version(marker))]
        if "mtime_ms" in detail:
            found.append(("last-modified", http_date(int(str(detail["mtime_ms"])) // 1000)))
        return found
    if isinstance(error, base.InvalidRange) and "size_bytes" in detail:
        return [("content-range", f"bytes */{detail['size_bytes']}")]
    if isinstance(error, base.NotModified):
        found = []
        if "etag" in detail:
            found.append(("etag", f'"{detail["etag"]}"'))
        if "mtime_ms" in detail:
            found.append(("last-modified", http_date(int(str(detail["mtime_ms"])) // 1000)))
        return found
    return []


def wire_version(version: object) -> str:
    """A version id as clients see it: 32 hex digits, "null" for the null version; text is passed on."""
    if isinstance(version, bytes):
        return version.hex() or "null"
    return str(version) or "null"


def document(code: str, message: str, elements: list[tuple[str, str]], *, resource: str, request_id: str) -> bytes:
    """S3's error document."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>{inner}'
        f"<Resource>{escape(resource)}</Resource><RequestId>{escape(request_id)}</RequestId>"
        f"<HostId>{escape(request_id)}</HostId></Error>"
    ).encode()
