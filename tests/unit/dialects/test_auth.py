"""Who asks: every refusal by its vendor's code, and agreement with botocore's signers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kakera.dialects.s3 import sigv4
from kakera.dialects.s3.auth import AuthError, PayloadMode
from tests.unit.dialects.wire import EMPTY, KEY, KEYS, NOW_S, STAMP, Key, identify, request, sign


def refusal(asked, *, now: float = NOW_S) -> AuthError:
    with pytest.raises(AuthError) as caught:
        identify(asked, now=now)
    return caught.value


def code(asked, *, now: float = NOW_S) -> str:
    return refusal(asked, now=now).code


def resigned(**changes: str):
    """A good request whose headers are changed after signing; None takes one away."""
    asked = sign("GET")
    for name, value in changes.items():
        asked.headers[name.replace("_", "-")] = value
    return asked


@pytest.fixture(autouse=True)
def botocore_clock(monkeypatch):
    """botocore signs with a clock of its own; it has one seam, whose name depends on the version."""
    instant = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: instant.replace(tzinfo=None))


def by_botocore(method: str, url: str, headers: dict | None = None, data: bytes = b"", *, expires: int | None = None):
    """The same request signed by botocore, in the header or (expires) in the query."""
    asked = AWSRequest(method=method, url=url, headers=headers or {}, data=data)
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key)
    if expires is None:
        asked.context["payload_signing_enabled"] = True
        asked.context["client_config"] = None
        S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(asked)
    else:
        S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=expires).add_auth(asked)
    parts = urlsplit(asked.url)
    sent = {name.lower(): value for name, value in asked.headers.items()}
    sent.setdefault("host", parts.netloc)
    return request(method, parts.path.encode(), parts.query.encode(), sent)


# --- the header -------------------------------------------------------------------------------------------------------


def test_a_signed_request_names_its_account():
    identity = identify(sign())
    assert identity.account is KEY
    assert identity.payload is PayloadMode.SHA256
    assert identity.payload_sha256 == EMPTY
    assert identity.scope.text == "20261123/us-east-1/s3/aws4_request"
    assert KEY.secret_access_key not in repr(identity.seed)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8333/bucket/a//b/../c",
        "http://localhost:8333/bucket/%E3%82%AB%20k%2B%27%28%29",
        "http://localhost:8333/bucket?list-type=2&prefix=a%2Fb%20c&delimiter=%2F",
        "http://localhost:8333/bucket?acl",
        "http://bucket.localhost:8333/",
    ],
)
def test_botocore_header_signatures(url):
    assert identify(by_botocore("GET", url, {"x-amz-meta-a": "b  c", "range": "bytes=0-1"})).account is KEY


@pytest.mark.parametrize(
    "url", ["http://h/bucket/k%20ey", "http://h:1/b?versionId=x", "http://h/b/k?partNumber=1&uploadId=a"]
)
def test_botocore_presigned(url):
    identity = identify(by_botocore("PUT", url, {"x-amz-meta-a": "b"}, expires=60))
    assert identity.account is KEY
    assert identity.payload is PayloadMode.UNSIGNED


def test_order_and_blanks_of_the_header_are_free():
    asked = sign()
    scheme, rest = asked.headers["authorization"].split(" ", 1)
    parts = [part.strip() for part in rest.split(",")]
    asked.headers["authorization"] = f"{scheme}   {' ,  '.join(reversed(parts))},"
    assert identify(asked).account is KEY


def test_a_path_sent_other_than_it_was_signed():
    asked = sign(path=b"/bucket/a%28b%29")
    asked.raw_path = b"/bucket/a(b)"
    assert identify(asked).account is KEY
    asked.raw_path = b"/bucket/a%28b%2529"
    assert code(asked) == "SignatureDoesNotMatch"


def test_a_slash_in_a_key_is_not_an_encoded_slash():
    asked = sign(path=b"/bucket/a%2Fb")
    asked.raw_path = b"/bucket/a/b"
    assert code(asked) == "SignatureDoesNotMatch"


def test_date_instead_of_x_amz_date():
    asked = sign("GET", headers={"date": "Mon, 23 Nov 2026 12:00:00 GMT"})
    # signed over x-amz-date as well: take that one out by signing anew without it
    unsigned = by_date("Mon, 23 Nov 2026 12:00:00 GMT")
    assert identify(asked).account is KEY
    assert identify(unsigned).account is KEY
    assert identify(by_date(STAMP)).account is KEY
    assert code(by_date("Mon, 23 Nov 2026 13:00:00 GMT")) == "RequestTimeTooSkewed"
    assert code(by_date("yesterday")) == "AccessDenied"


def test_the_date_that_counts_must_be_signed():
    """Else an old request is made young by another Date; only the day is part of the scope."""
    asked = by_date("Mon, 23 Nov 2026 12:00:00 GMT", ["host", "x-amz-content-sha256"])
    assert refusal(asked).extra == {"HeadersNotSigned": "date"}


def by_date(date: str, names: Sequence[str] = ("date", "host", "x-amz-content-sha256")):
    """A GET that has no x-amz-date."""
    headers = {"date": date, "host": "h", "x-amz-content-sha256": EMPTY}
    scope = "20261123/us-east-1/s3/aws4_request"
    lines = sigv4.canonical_headers(headers, names)
    signed = ";".join(names)
    canonical = sigv4.canonical_request("GET", b"/", "", header_lines=lines, signed_names=signed, payload=EMPTY)
    stamp = STAMP if "13:00" not in date else "20261123T130000Z"
    text = sigv4.string_to_sign(stamp, scope, canonical)
    signature = sigv4.sign(sigv4.signing_key(KEY.secret_access_key, "20261123", "us-east-1", "s3"), text)
    credential = f"Credential={KEY.access_key_id}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {credential},SignedHeaders={signed},Signature={signature}"
    return request("GET", b"/", b"", headers)


def test_x_amz_date_goes_before_date():
    assert identify(sign(headers={"date": "Thu, 01 Jan 1970 00:00:00 GMT"})).account is KEY


@pytest.mark.parametrize("off_s", [-901, 901, 3600, -86400])
def test_skew(off_s):
    error = refusal(sign(), now=NOW_S + off_s)
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.extra["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize("off_s", [-900, 0, 900])
def test_within_the_skew(off_s):
    assert identify(sign(), now=NOW_S + off_s).account is KEY


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("20261122/us-east-1/s3/aws4_request", "Invalid credential date"),
        ("20261123/eu-west-1/s3/aws4_request", "expecting 'us-east-1'"),
        ("20261123/us-east-1/ec2/aws4_request", "incorrect service"),
        ("20261123/us-east-1/s3/aws5_request", "incorrect terminal"),
    ],
)
def test_scopes_that_are_not_ours(scope, expected):
    error = refusal(sign(scope=scope))
    assert (error.code, error.status) == ("AuthorizationHeaderMalformed", 400)
    assert expected in error.message


def test_a_wrong_region_is_told_the_right_one():
    assert refusal(sign(scope="20261123/eu-west-1/s3/aws4_request")).extra == {"Region": "us-east-1"}


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=host;;a,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=Host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=h\xf6st,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=host;host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=1,Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders=host,Other=1,Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request,SignedHeaders="
        + "a;" * 300
        + "b,Signature=0",
    ],
)
def test_malformed_headers(authorization):
    assert code(resigned(authorization=authorization)) == "AuthorizationHeaderMalformed"


@pytest.mark.parametrize(
    "authorization", ["Basic dXNlcjpwYXNz", "Bearer x", "AWS4-HMAC-SHA256x", "AWS4-HMAC-SHA512 a=b"]
)
def test_other_schemes(authorization):
    assert code(resigned(authorization=authorization)) == "InvalidArgument"


def test_the_old_signature_is_refused():
    error = refusal(request(headers={"authorization": "AWS AKID:c2ln", "host": "h"}))
    assert (error.code, error.status) == ("InvalidRequest", 400)
    assert "Please use AWS4-HMAC-SHA256" in error.message
    query = b"AWSAccessKeyId=AKID&Expires=1&Signature=c2ln"
    assert refusal(request(query=query)).message == error.message


def test_unknown_key():
    error = refusal(sign(key=Key("NOBODY")))
    assert (error.code, error.status) == ("InvalidAccessKeyId", 403)
    assert error.extra == {"AWSAccessKeyId": "NOBODY"}


def test_wrong_secret():
    error = refusal(sign(key=Key(KEY.access_key_id, "wrong")))
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.extra["StringToSign"].startswith(f"AWS4-HMAC-SHA256\n{STAMP}\n")
    assert error.extra["CanonicalRequest"].startswith("PUT\n/bucket/key\n")
    assert KEY.secret_access_key not in str(error.extra)


def test_a_customers_key_is_not_echoed():
    name = "x-amz-server-side-encryption-customer-key"
    error = refusal(sign(headers={name: "plain-key-material"}, key=Key(KEY.access_key_id, "wrong")))
    assert error.code == "SignatureDoesNotMatch"
    assert "plain-key-material" not in str(error.extra)


@pytest.mark.parametrize("signature", ["", "0", "g" * 64, "0" * 63, "\xff" * 64, "0" * 10_000])
def test_signatures_of_any_shape(signature):
    asked = sign()
    head, _, _ = asked.headers["authorization"].rpartition("=")
    asked.headers["authorization"] = f"{head}={signature}"
    error = refusal(asked)
    assert error.code == "SignatureDoesNotMatch" or not signature
    assert all(len(value) <= 4096 for value in error.extra.values())


def test_an_upper_case_signature_is_another():
    asked = sign()
    head, _, signature = asked.headers["authorization"].rpartition("=")
    asked.headers["authorization"] = f"{head}={signature.upper()}"
    assert code(asked) == "SignatureDoesNotMatch"


def test_every_amz_header_must_be_signed():
    error = refusal(resigned(x_amz_acl="public-read"))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.extra == {"HeadersNotSigned": "x-amz-acl"}


def test_the_host_must_be_signed():
    asked = sign()
    asked.headers["authorization"] = asked.headers["authorization"].replace("=host;", "=")
    assert refusal(asked).extra == {"HeadersNotSigned": "host"}


def test_the_content_digest_header_is_demanded_and_checked():
    asked = sign()
    del asked.headers["x-amz-content-sha256"]
    assert code(asked) == "InvalidRequest"
    for odd in ("", "x", "0" * 63, "STREAMING-AWS4-HMAC-SHA256", "unsigned-payload", "\xe9" * 64, "sha256"):
        assert code(sign(payload=odd)) == "InvalidArgument"
    assert code(sign(payload="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")) == "NotImplemented"
    assert identify(sign(payload="A" * 64)).payload_sha256 == "a" * 64
    for mode in PayloadMode:
        if mode is not PayloadMode.SHA256:
            assert identify(sign(payload=mode.value)).payload is mode


def test_session_tokens_are_not_known_here():
    assert code(sign(headers={"x-amz-security-token": "t"})) == "InvalidToken"
    assert code(presigned(extra="&X-Amz-Security-Token=t")) == "InvalidToken"


# --- the query --------------------------------------------------------------------------------------------------------


def presigned(*, extra: str = "", expires: object = 60, **changes: str):
    """A presigned GET with parameters replaced after signing ("" takes one away)."""
    asked = by_botocore("GET", "http://h/bucket/key?prefix=a", expires=expires)
    query = asked.raw_query.decode()
    for name, value in changes.items():
        parts = [part for part in query.split("&") if not part.startswith(f"X-Amz-{name}=")]
        query = "&".join([*parts, f"X-Amz-{name}={value}"] if value else parts)
    asked.raw_query = (query + extra).encode()
    return asked


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"])
def test_a_parameter_missing(name):
    error = refusal(presigned(**{name: ""}))
    assert (error.code, error.status) == ("AuthorizationQueryParametersError", 400)
    assert "requires the X-Amz-Algorithm" in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Algorithm", "AWS4-HMAC-SHA512"),
        ("Credential", "a%2Fb"),
        ("Credential", "AKIDEXAMPLE%2F20261123%2Feu-west-1%2Fs3%2Faws4_request"),
        ("Credential", "AKIDEXAMPLE%2F20261122%2Fus-east-1%2Fs3%2Faws4_request"),
        ("Credential", "AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fsts%2Faws4_request"),
        ("Date", "20261123"),
        ("Date", "Mon%2C%2023%20Nov%202026%2012%3A00%3A00%20GMT"),
        ("SignedHeaders", "host%3B%C3%A9%E4%B8%AD"),
        ("SignedHeaders", "%3B"),
        ("Expires", "x"),
        ("Expires", "1.5"),
        ("Expires", "-1"),
        ("Expires", "0"),
        ("Expires", "604801"),
        ("Expires", "9" * 400),
        ("Expires", "%D9%A3"),
    ],
)
def test_malformed_parameters(name, value):
    assert code(presigned(**{name: value})) == "AuthorizationQueryParametersError"


def test_the_life_of_a_presigned_url():
    asked = presigned()
    assert identify(asked, now=NOW_S + 60).account is KEY
    assert identify(asked, now=NOW_S - 900).account is KEY
    expired = refusal(asked, now=NOW_S + 60.5)
    assert (expired.code, expired.status, expired.message) == ("AccessDenied", 403, "Request has expired")
    assert expired.extra["Expires"] == "2026-11-23T12:01:00Z"
    assert refusal(asked, now=NOW_S - 901).message == "Request is not yet valid"
    week = presigned(expires=604_800)
    assert identify(week, now=NOW_S + 604_800).account is KEY


def test_longer_life_is_not_to_be_had_by_editing():
    assert code(presigned(Expires="61")) == "SignatureDoesNotMatch"


def test_an_added_parameter_breaks_the_signature():
    assert code(presigned(extra="&versionId=x")) == "SignatureDoesNotMatch"
    assert code(presigned(extra="&X-Amz-Expires=604800")) == "SignatureDoesNotMatch"


def test_a_second_signature_parameter_proves_nothing():
    asked = presigned()
    asked.raw_query = b"X-Amz-Signature=" + b"0" * 64 + b"&" + asked.raw_query
    assert code(asked) == "SignatureDoesNotMatch"


def test_headers_added_to_a_presigned_url():
    asked = presigned()
    asked.headers["x-amz-acl"] = "public-read"
    assert refusal(asked).extra == {"HeadersNotSigned": "x-amz-acl"}


def test_two_mechanisms():
    asked = presigned()
    asked.headers["authorization"] = sign().headers["authorization"]
    assert (refusal(asked).code, refusal(asked).status) == ("InvalidArgument", 400)
    old = request(query=b"AWSAccessKeyId=a", headers={"authorization": "AWS a:b"})
    assert code(old) == "InvalidArgument"


def test_a_presigned_content_digest_is_part_of_the_signature():
    asked = presigned()
    asked.headers["x-amz-content-sha256"] = EMPTY
    assert code(asked) == "SignatureDoesNotMatch"
    asked.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    assert identify(asked).account is KEY


# --- nobody -----------------------------------------------------------------------------------------------------------


def test_anonymous():
    for asked in (request(), request(headers={"authorization": ""}), request(query=b"X-Amz-Date=1&x-id=GetObject")):
        identity = identify(asked)
        assert identity.account is None
        assert identity.payload is PayloadMode.UNSIGNED
        assert identity.seed is None


def test_anonymous_bodies_may_be_digested_but_not_signed():
    assert identify(request(headers={"x-amz-content-sha256": EMPTY})).payload_sha256 == EMPTY
    trailer = {"x-amz-content-sha256": PayloadMode.UNSIGNED_CHUNKS_TRAILER.value}
    assert identify(request(headers=trailer)).payload is PayloadMode.UNSIGNED_CHUNKS_TRAILER
    signed = {"x-amz-content-sha256": PayloadMode.SIGNED_CHUNKS.value}
    assert code(request(headers=signed)) == "InvalidRequest"


def test_keys_are_looked_up_exactly():
    assert set(KEYS) == {"AKIDEXAMPLE"}
    assert code(sign(key=Key("akidexample"))) == "InvalidAccessKeyId"
