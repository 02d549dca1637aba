"""What the wire half of the S3 dialect refuses, with the vendor's code, status and message: one table.

Source: Amazon S3 API Reference, "Error responses"; messages as the service words them. The store's own errors are
mapped elsewhere in this dialect; these arise before the store is asked.

S3Refusal
├── AuthError   who is asking is not proven
├── BodyError   the body is not what was announced
└── XmlError    the document in the body is not one of ours
"""

from __future__ import annotations

from collections.abc import Mapping

from kakera.base.errors import Refused

# code -> (status, message)
TABLE: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed."),
    "AuthorizationQueryParametersError": (400, "Error parsing the X-Amz-Credential parameter."),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "IllegalVersioningConfigurationException": (
        400,
        "The versioning configuration specified in the request is invalid.",
    ),
    "IncompleteBody": (400, "The request body terminated unexpectedly"),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidChunkSizeError": (403, "Only the last chunk is allowed to have a size less than 8192 bytes"),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "MalformedTrailerError": (
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}


class S3Refusal(Refused):
    """`code`, `status`, `message` go to the wire as they are; `extra` are further elements of the error document, in
    order.
    """

    def __init__(self, code: str, message: str = "", extra: Mapping[str, str] | None = None) -> None:
        self.status, default = TABLE[code]
        self.code = code
        self.extra: dict[str, str] = dict(extra or {})
        super().__init__(message or default)


class AuthError(S3Refusal):
    """The request is not proven to come from whom it names."""


class BodyError(S3Refusal):
    """The body is not what was announced; nothing of it may become visible."""


class XmlError(S3Refusal):
    """The document in the body is not one of ours."""
