"""Who sends this request: SigV4 in the Authorization header or in the query, or nobody (anonymous).

`authenticate` is pure: keys, time and region are handed in. It proves the head of the request only; what the body
must still prove is in `Identity.payload` and is checked by body.py before anything becomes visible.

Sources: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)", "Error responses". Decisions
beyond them: a request with an unsigned x-amz-* header is refused in the query form too, as the service does;
x-amz-content-sha256 needs no place among the signed headers, since its value is a line of the canonical request
anyway; an empty Authorization header is no claim at all.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_tz
from enum import Enum
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple, Protocol

from kakera.base import limits
from kakera.dialects.http import Request
from kakera.dialects.s3 import sigv4
from kakera.dialects.s3.refusals import AuthError
from kakera.dialects.s3.sigv4 import ChainSeed, Scope


class KeyHolder(Protocol):
    """An access key with its account and secret."""

    @property
    def account_id(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...


class PayloadMode(Enum):
    """What the request says of its body (x-amz-content-sha256)."""

    UNSIGNED = "UNSIGNED-PAYLOAD"
    SHA256 = "sha256"
    SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


_WORDS = {mode.value: mode for mode in PayloadMode if mode is not PayloadMode.SHA256}
_SIGNED_CHUNKS = (PayloadMode.SIGNED_CHUNKS, PayloadMode.SIGNED_CHUNKS_TRAILER)


@dataclass(slots=True)
class Identity:
    """account None: anonymous. payload_sha256: the announced digest in mode SHA256, else "". seed: of a signed
    request only.
    """

    account: KeyHolder | None
    payload: PayloadMode = PayloadMode.UNSIGNED
    payload_sha256: str = ""
    scope: Scope | None = None
    signed_headers: tuple[str, ...] = ()
    seed: ChainSeed | None = field(default=None, repr=False)


class _Claim(NamedTuple):
    """What a request says of its own signature, wherever it says it."""

    scope: Scope
    signed: tuple[str, ...]
    signature: str
    timestamp: str
    payload: str
    query: str


def authenticate(request: Request, keys: Mapping[str, KeyHolder], *, now: float, region: str) -> Identity:
    """Prove the head of `request`. `now` in seconds since the epoch; `region` the one we answer for. Raises
    AuthError.
    """
    authorization = request.headers.get("authorization")
    raw_query = request.raw_query
    if raw_query and (b"X-Amz-" in raw_query or b"AWSAccessKeyId" in raw_query):
        query = request.query
        if "X-Amz-Algorithm" in query or "X-Amz-Signature" in query or "X-Amz-Credential" in query:
            if authorization:
                raise _two_mechanisms(authorization)
            identity = _prove(request, _query_claim(request, now, region), keys)
            _take_hoisted(request)
            return identity
        if "AWSAccessKeyId" in query:
            raise _two_mechanisms(authorization) if authorization else _old_mechanism()
    if authorization:
        return _prove(request, _header_claim(request, authorization, now, region), keys)
    return _anonymous(request)


_HOISTED_HINT = b"checksum"
_HOISTED = ("x-amz-checksum-", "x-amz-sdk-checksum-algorithm")


def _take_hoisted(request: Request) -> None:
    """Pre-signers move headers into the query, where the signature covers them as well: what they say of the body
    holds as if they were headers. A header of the same name must say the same."""
    if _HOISTED_HINT not in request.raw_query.lower():
        return
    for name, value in request.query.items():
        lowered = name.lower()
        if lowered.startswith(_HOISTED) and request.headers.setdefault(lowered, value) != value:
            raise AuthError("InvalidRequest", f"{lowered} differs between the query and the headers.")


def _anonymous(request: Request) -> Identity:
    announced = request.headers.get("x-amz-content-sha256")
    if announced is None:
        return Identity(None)
    mode, digest = _payload_mode(announced)
    if mode in _SIGNED_CHUNKS:
        raise AuthError("InvalidRequest", "A signed payload needs a signed request.")
    return Identity(None, mode, digest)


# --- the claim in the Authorization header ----------------------------------------------------------------------------


class _ParsedHeader(NamedTuple):
    scope: Scope
    signed: tuple[str, ...]
    signature: str


def _header_claim(request: Request, authorization: str, now: float, region: str) -> _Claim:
    parsed = _parse_authorization(authorization)
    headers = request.headers
    if "x-amz-security-token" in headers:
        raise AuthError("InvalidToken")
    timestamp, at_s = _header_time(headers)
    if abs(now - at_s) > limits.MAX_CLOCK_SKEW_S:
        raise _too_skewed(timestamp, now)
    _check_scope(parsed.scope, timestamp, region, "AuthorizationHeaderMalformed")
    if "x-amz-date" not in headers and "date" not in parsed.signed:
        raise _not_signed(["date"])
    payload = headers.get("x-amz-content-sha256")
    if payload is None:
        raise AuthError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    query = sigv4.canonical_query(request.raw_query)
    return _Claim(parsed.scope, parsed.signed, parsed.signature, timestamp, payload, query)


def _parse_authorization(authorization: str) -> _ParsedHeader:
    if not authorization.startswith("AWS4-HMAC-SHA256"):
        if authorization.startswith("AWS "):
            raise _old_mechanism()
        extra = {"ArgumentName": "Authorization", "ArgumentValue": authorization[: limits.MAX_ECHOED_CHARS]}
        raise AuthError("InvalidArgument", "Unsupported Authorization Type", extra)
    # The signature is the one part that differs between two requests of a client: what stands before it is parsed once
    prefix, separator, signature = authorization.rpartition("Signature=")
    if separator and "," not in signature and len(prefix) <= limits.MAX_CREDENTIAL_CHARS:
        return _ParsedHeader(*_parse_prefix_cached(prefix), signature.strip())
    fields = _fields(authorization)
    signature = fields.get("Signature", "")
    if not signature:
        raise _malformed_header(
            "the authorization header requires three components: Credential, SignedHeaders, Signature."
        )
    return _ParsedHeader(*_scope_and_headers(fields), signature)


def _parse_prefix(prefix: str) -> tuple[Scope, tuple[str, ...]]:
    fields = _fields(prefix)
    if "Signature" in fields:
        raise _malformed_header('the authorization component "Signature" is malformed.')
    return _scope_and_headers(fields)


_parse_prefix_cached = lru_cache(maxsize=limits.PARSED_CREDENTIALS_CACHED)(_parse_prefix)


def _fields(text: str) -> dict[str, str]:
    """`AWS4-HMAC-SHA256 name=value, name=value`: order and blanks are free; a name twice is malformed."""
    found: dict[str, str] = {}
    rest = text.removeprefix("AWS4-HMAC-SHA256")
    if rest[:1] not in ("", " ", "\t"):
        raise AuthError("InvalidArgument", "Unsupported Authorization Type", {"ArgumentName": "Authorization"})
    for piece in rest.split(","):
        name, _, value = piece.strip().partition("=")
        if not name:
            continue
        if name not in ("Credential", "SignedHeaders", "Signature") or name in found:
            raise _malformed_header(f'the authorization component "{piece.strip()}" is malformed.')
        found[name] = value.strip()
    return found


def _scope_and_headers(fields: Mapping[str, str]) -> tuple[Scope, tuple[str, ...]]:
    if not fields.get("Credential") or not fields.get("SignedHeaders"):
        raise _malformed_header(
            "the authorization header requires three components: Credential, SignedHeaders, Signature."
        )
    scope = sigv4.split_credential(fields["Credential"])
    if scope is None:
        expecting = 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        raise _malformed_header(f"the Credential is mal-formed; {expecting}")
    return scope, _split_signed(fields["SignedHeaders"], "AuthorizationHeaderMalformed")


def _split_signed(text: str, code: str) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    odd = not text.isascii() or text != text.lower() or not all(names)
    if odd or len(names) > limits.MAX_SIGNED_HEADERS or len(set(names)) != len(names):
        raise AuthError(code, f"{_LEAD.get(code, '')}the SignedHeaders component is malformed.")
    return names


def _header_time(headers: Mapping[str, str]) -> tuple[str, float]:
    """x-amz-date, else Date; as it stands in the string to sign, and in seconds. Raises AuthError when there is
    neither.
    """
    stamp = headers.get("x-amz-date") or headers.get("date", "")
    at_s: float | None = sigv4.parse_timestamp(stamp)
    if at_s is None and "x-amz-date" not in headers:
        stamp, at_s = _http_date(stamp)
    if at_s is None:
        raise AuthError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return stamp, at_s


def _http_date(text: str) -> tuple[str, float | None]:
    """RFC 9110 section 5.6.7: to the form the string to sign wants."""
    try:
        parsed = parsedate_tz(text[:64])
        if parsed is None:
            return "", None
        at_s = timegm(parsed[:9]) - (parsed[9] or 0)
        return strftime("%Y%m%dT%H%M%SZ", gmtime(at_s)), at_s
    except (ValueError, OverflowError, IndexError, TypeError, OSError):
        return "", None


# --- the claim in the query -------------------------------------------------------------------------------------------

_QUERY_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


def _query_claim(request: Request, now: float, region: str) -> _Claim:
    query = request.query
    for name in _QUERY_NAMES:
        if not query.get(name):
            raise _malformed_query(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
            )
    if query["X-Amz-Algorithm"] != sigv4.ALGORITHM:
        raise _malformed_query('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
    if "X-Amz-Security-Token" in query or "x-amz-security-token" in request.headers:
        raise AuthError("InvalidToken")
    scope = sigv4.split_credential(query["X-Amz-Credential"])
    if scope is None:
        raise _malformed_query(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    timestamp = query["X-Amz-Date"]
    _check_lifetime(timestamp, query["X-Amz-Expires"], now)
    _check_scope(scope, timestamp, region, "AuthorizationQueryParametersError")
    signed = _split_signed(query["X-Amz-SignedHeaders"], "AuthorizationQueryParametersError")
    payload = query.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256")
    canonical = sigv4.canonical_query(request.raw_query, without=b"X-Amz-Signature")
    return _Claim(scope, signed, query["X-Amz-Signature"], timestamp, payload or PayloadMode.UNSIGNED.value, canonical)


def _check_lifetime(timestamp: str, expires: str, now: float) -> None:
    at_s = sigv4.parse_timestamp(timestamp)
    if at_s is None:
        raise _malformed_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    digits = expires.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise _malformed_query("X-Amz-Expires should be a number")
    expires_s = int(expires)
    if expires_s < 0:
        raise _malformed_query("X-Amz-Expires must be non-negative")
    if not 1 <= expires_s <= limits.MAX_PRESIGN_EXPIRES_S:
        raise _malformed_query(
            "X-Amz-Expires must be between 1 second and a week (in seconds); that is, the given X-Amz-Expires must be "
            f"no more than {limits.MAX_PRESIGN_EXPIRES_S} seconds"
        )
    if now < at_s - limits.MAX_CLOCK_SKEW_S:
        raise AuthError("AccessDenied", "Request is not yet valid", {"ServerTime": _iso(now)})
    if now > at_s + expires_s:
        extra = {"X-Amz-Expires": expires, "Expires": _iso(at_s + expires_s), "ServerTime": _iso(now)}
        raise AuthError("AccessDenied", "Request has expired", extra)


# --- the proof --------------------------------------------------------------------------------------------------------


def _prove(request: Request, claim: _Claim, keys: Mapping[str, KeyHolder]) -> Identity:
    scope, signed = claim.scope, claim.signed
    account = keys.get(scope.access_key_id)
    if account is None:
        raise AuthError("InvalidAccessKeyId", extra={"AWSAccessKeyId": scope.access_key_id})
    _check_signed(request.headers, signed)
    mode, digest = _payload_mode(claim.payload)
    key = sigv4.signing_key(account.secret_access_key, scope.date, scope.region, scope.service)
    header_lines = sigv4.canonical_headers(request.headers, signed)
    names = ";".join(signed)
    scope_text = scope.text
    path = request.raw_path
    for attempt in (0, 1):
        canonical = sigv4.canonical_request(
            request.method, path, claim.query, header_lines=header_lines, signed_names=names, payload=claim.payload
        )
        text = sigv4.string_to_sign(claim.timestamp, scope_text, canonical)
        ours = sigv4.sign(key, text)
        if sigv4.equal(ours, claim.signature):
            seed = ChainSeed(key, claim.timestamp, scope_text, ours)
            return Identity(account, mode, digest, scope, signed, seed)
        path = sigv4.recoded_path(request.raw_path)
        if attempt or path == request.raw_path:
            break
    raise _mismatch(claim, text, canonical)


def _check_signed(headers: Mapping[str, str], signed: tuple[str, ...]) -> None:
    missing = [
        name for name in headers if name.startswith("x-amz-") and name not in signed and name != "x-amz-content-sha256"
    ]
    if "host" not in signed:
        missing.append("host")
    if missing:
        raise _not_signed(missing)


def _check_scope(scope: Scope, timestamp: str, region: str, code: str) -> None:
    lead = _LEAD[code]
    if scope.date != timestamp[:8]:
        day = timestamp[:8]
        what = f'Invalid credential date "{scope.date}". This date is not the same as X-Amz-Date: "{day}".'
        raise AuthError(code, lead + what)
    if scope.region != region:
        what = f"the region '{scope.region}' is wrong; expecting '{region}'"
        raise AuthError(code, lead + what, {"Region": region})
    if scope.service != sigv4.SERVICE:
        raise AuthError(code, f'{lead}incorrect service "{scope.service}". This endpoint belongs to "s3".')
    if scope.terminator != sigv4.TERMINATOR:
        raise AuthError(code, f'{lead}incorrect terminal "{scope.terminator}". This endpoint uses "aws4_request".')


def _payload_mode(announced: str) -> tuple[PayloadMode, str]:
    if sigv4.is_hex_digest(announced):
        return PayloadMode.SHA256, announced
    mode = _WORDS.get(announced)
    if mode is not None:
        return mode, ""
    if announced.startswith("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"):
        raise AuthError("NotImplemented")
    lowered = announced.lower()
    if sigv4.is_hex_digest(lowered):
        return PayloadMode.SHA256, lowered
    allowed = ", ".join(_WORDS)
    extra = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": announced[: limits.MAX_ECHOED_CHARS]}
    message = f"x-amz-content-sha256 must be {allowed} or a valid sha256 value."
    raise AuthError("InvalidArgument", message, extra)


# --- refusals ---------------------------------------------------------------------------------------------------------

_LEAD = {
    "AuthorizationHeaderMalformed": "The authorization header is malformed; ",
    "AuthorizationQueryParametersError": "Error parsing the X-Amz-Credential parameter; ",
}


def _malformed_header(what: str) -> AuthError:
    return AuthError("AuthorizationHeaderMalformed", _LEAD["AuthorizationHeaderMalformed"] + what)


def _malformed_query(what: str) -> AuthError:
    return AuthError("AuthorizationQueryParametersError", what)


def _two_mechanisms(authorization: str) -> AuthError:
    message = (
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter "
        "or the Authorization header should be specified"
    )
    extra = {"ArgumentName": "Authorization", "ArgumentValue": authorization[: limits.MAX_ECHOED_CHARS]}
    return AuthError("InvalidArgument", message, extra)


def _old_mechanism() -> AuthError:
    return AuthError(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )


def _not_signed(names: list[str]) -> AuthError:
    message = "There were headers present in the request which were not signed"
    return AuthError("AccessDenied", message, {"HeadersNotSigned": ", ".join(names)})


def _too_skewed(timestamp: str, now: float) -> AuthError:
    extra = {
        "RequestTime": timestamp,
        "ServerTime": _iso(now),
        "MaxAllowedSkewMilliseconds": str(limits.MAX_CLOCK_SKEW_S * 1000),
    }
    return AuthError("RequestTimeTooSkewed", extra=extra)


def _mismatch(claim: _Claim, text: bytes, canonical: bytes) -> AuthError:
    """With what we signed, so that the client can find the difference; not when a customer's key is part of it
    (R10).
    """
    extra = {
        "AWSAccessKeyId": claim.scope.access_key_id,
        "StringToSign": text.decode("latin-1"),
        "SignatureProvided": claim.signature[: limits.MAX_ECHOED_CHARS],
    }
    if not any("customer-key" in name for name in claim.signed):
        extra["CanonicalRequest"] = canonical[: limits.MAX_ECHOED_CHARS].decode("latin-1")
    return AuthError("SignatureDoesNotMatch", extra=extra)


def _iso(at_s: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(at_s))
