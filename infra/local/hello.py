"""The first object: written with a real client, read back, compared."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.credentials import Credentials

BUCKET = "kakera-hello"
KEY = "hello"
BODY_BYTES = 200_000  # more than fits into a journal record: both ways of storing are passed on the way


class HelloError(Exception):
    """The store answers, but an object could not be written and read back."""


@dataclass(frozen=True)
class Hello:
    size_bytes: int
    written: bool


def greet(endpoint: str, region: str, credentials: Credentials, *, write: bool) -> Hello:
    """Put and get an object; with `write` false only get the one of an earlier greeting, if there is any.

    Raises: HelloError.
    """
    client = _client(endpoint, region, credentials)
    body = secrets.token_bytes(BODY_BYTES)
    try:
        if write:
            _make_bucket(client)
            client.put_object(Bucket=BUCKET, Key=KEY, Body=body)
        found = client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    except ClientError as error:
        if not write and error.response["Error"]["Code"] in ("NoSuchBucket", "NoSuchKey"):
            return Hello(size_bytes=0, written=False)
        raise HelloError(str(error)) from error
    except BotoCoreError as error:
        raise HelloError(str(error)) from error
    if write and found != body:
        raise HelloError(f"{BUCKET}/{KEY}: {len(body)} bytes were written, {len(found)} others came back")
    return Hello(size_bytes=len(found), written=write)


def _make_bucket(client: Any) -> None:
    try:
        client.create_bucket(Bucket=BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def _client(endpoint: str, region: str, credentials: Credentials) -> Any:
    # The caller's shell may name profiles and files of other clouds: none is read here.
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    return boto3.Session(botocore_session=session).client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            proxies={},
            retries={"total_max_attempts": 2},
            connect_timeout=5,
            read_timeout=20,
        ),
    )
