"""Buckets: ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, Get- and PutBucketVersioning."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from kakera.base import errors, limits
from kakera.dialects.http import Response
from kakera.dialects.s3 import listing_xml, parse, render, xml_in
from kakera.dialects.s3.call import Call
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.xml_out import document, escape

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
# Reserved by S3 for its own kinds of names (User Guide, "Bucket naming rules").
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
VERSIONING = ("", "Enabled", "Suspended")  # by BucketInfo.versioning


def check_name(name: str) -> None:
    """S3's rules for the name of a new bucket. Raises InvalidBucketName."""
    octets = name.split(".")
    sound = (
        limits.MIN_BUCKET_NAME <= len(name) <= limits.MAX_BUCKET_NAME
        and _NAME_CHARACTERS.issuperset(name)
        and all(label and label[0] != "-" and label[-1] != "-" for label in octets)
        and not (len(octets) == 4 and all(octet.isdigit() for octet in octets))
        and not name.startswith(_RESERVED_PREFIXES)
        and not name.endswith(_RESERVED_SUFFIXES)
    )
    if not sound:
        raise errors.InvalidBucketName()


async def create_bucket(call: Call) -> Response:
    account = call.require_account()
    check_name(call.bucket)
    constraint = xml_in.create_bucket_configuration(await call.document())
    if constraint is not None and constraint != call.services.region:
        raise Rejected("InvalidLocationConstraint", LocationConstraint=constraint)
    try:
        await call.core.buckets.create(call.store, account, call.bucket, region=constraint or "")
    except errors.BucketOwnedByYou:
        # S3 answers so in us-east-1 alone: older clients create before every use
        if call.services.region != "us-east-1":
            raise
    return Response(200, [("location", f"/{call.bucket}")])


async def head_bucket(call: Call) -> Response:
    bucket = call.open_bucket()
    region = bucket.region or call.services.region
    return Response(200, [("x-amz-bucket-region", region), ("x-amz-access-point-alias", "false"), *render.XML])


async def delete_bucket(call: Call) -> Response:
    bucket = call.open_bucket()
    await call.core.buckets.delete(call.store, bucket)
    return Response(204)


async def get_bucket_location(call: Call) -> Response:
    """Empty for a bucket created without a constraint in us-east-1; else what the bucket was created with."""
    bucket = call.open_bucket()
    region = bucket.region or ("" if call.services.region == "us-east-1" else call.services.region)
    return Response(200, [*render.XML], document("LocationConstraint", escape(region)))


async def get_bucket_versioning(call: Call) -> Response:
    bucket = call.open_bucket()
    status = VERSIONING[bucket.versioning]
    inner = f"<Status>{status}</Status>" if status else ""
    return Response(200, [*render.XML], document("VersioningConfiguration", inner))


async def put_bucket_versioning(call: Call) -> Response:
    bucket = call.open_bucket()
    status = xml_in.versioning_configuration(await call.document())
    await call.core.buckets.set_versioning(call.store, bucket, VERSIONING.index(status))
    return Response(200)


# --- the account's buckets --------------------------------------------------------------------------------------------


async def list_buckets(call: Call) -> Response:
    account = call.require_account()
    query = call.request.query
    prefix = query.get("prefix")
    limit = parse.whole_number(
        query.get("max-buckets"),
        "max-buckets",
        default=limits.MAX_BUCKETS_LISTED,
        low=1,
        high=limits.MAX_BUCKETS_LISTED,
    )
    after = _token_name(query["continuation-token"]) if query.get("continuation-token") else ""
    region = query.get("bucket-region")
    own = call.services.region
    found = [
        bucket
        for bucket in call.core.buckets.list_owned(call.store, account)
        if bucket.name > after
        and (not prefix or bucket.name.startswith(prefix))
        and (not region or region == (bucket.region or own))
    ]
    page = found[:limit]
    token = urlsafe_b64encode(page[-1].name.encode()).decode() if len(found) > limit else None
    owner = listing_xml.owner(account.account_id, {account.account_id: account.display_name})
    return Response(200, [*render.XML], listing_xml.buckets(page, owner, region=own, prefix=prefix, token=token))


def _token_name(token: str) -> str:
    try:
        return urlsafe_b64decode(token.encode("ascii")).decode()
    except ValueError:
        raise Rejected(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
            ArgumentValue=token,
        ) from None
