"""The benchmark's own presigner says what botocore says, for every kind of URL it is asked for."""

from __future__ import annotations

import datetime as dt
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from tests.bench.presign import EXPIRES_S, Credentials, Presigner

NOW = dt.datetime(2026, 11, 23, 19, 30, 5, tzinfo=dt.UTC)
HOST = "127.0.0.1:9000"
CREDENTIALS = Credentials(
    access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region="oss-cn-x"
)


def botocore_signature(method: str, target: str) -> str:
    """Sign the unsigned part of `target` with botocore's S3 query signer at NOW."""
    path, _, query = target.partition("?")
    unsigned = "&".join(pair for pair in query.split("&") if not pair.startswith("X-Amz-"))
    request = botocore.awsrequest.AWSRequest(
        method=method, url=f"http://{HOST}{path}" + (f"?{unsigned}" if unsigned else "")
    )
    signer = botocore.auth.S3SigV4QueryAuth(
        botocore.credentials.Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key),
        "s3",
        CREDENTIALS.region,
        expires=EXPIRES_S,
    )
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer.add_auth(request)
    signature: str = dict(parse_qsl(urlsplit(request.url).query))["X-Amz-Signature"]
    return signature


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/bench", "/bench/4096/a0/000001", "/bench/a b+c", "/b/欠片/ü~.txt", "/b/a//b", "/b/100%25"]
)
@pytest.mark.parametrize(
    "query", [{}, {"list-type": "2", "max-keys": "1000", "start-after": "a/b &=+"}, {"Z": "", "a": "1"}]
)
def test_signature_equals_botocores(method: str, path: str, query: dict[str, str]) -> None:
    target = Presigner(CREDENTIALS, HOST, NOW).target(method, path, query)
    assert dict(parse_qsl(urlsplit(target).query))["X-Amz-Signature"] == botocore_signature(method, target)


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    presigner = Presigner(CREDENTIALS, HOST, NOW)
    paths = [f"/bench/{number:04d}" for number in range(50)]
    assert presigner.targets("PUT", paths) == [presigner.target("PUT", path) for path in paths]
    assert len(set(presigner.targets("PUT", paths))) == 50


def test_another_secret_another_host_another_method_sign_differently() -> None:
    target = Presigner(CREDENTIALS, HOST, NOW).target("GET", "/b/k")
    other = Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key + "x", CREDENTIALS.region)
    assert target != Presigner(other, HOST, NOW).target("GET", "/b/k")
    assert target != Presigner(CREDENTIALS, "127.0.0.1:9001", NOW).target("GET", "/b/k")
    assert target != Presigner(CREDENTIALS, HOST, NOW).target("PUT", "/b/k")
