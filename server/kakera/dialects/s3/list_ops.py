"""What a bucket holds: ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from kakera.base import limits
from kakera.core.values import ListPage
from kakera.dialects.http import Response
from kakera.dialects.s3 import listing_xml, parse, render
from kakera.dialects.s3.call import Call
from kakera.dialects.s3.errors import Rejected, wire_version

_NOTHING = ListPage([], [], truncated=False)


def asked_of(call: Call, limit_name: str = "max-keys") -> listing_xml.Asked:
    """The parameters all listings share. Raises Rejected."""
    query = call.request.query
    encoding = query.get("encoding-type")
    if encoding not in (None, "", "url"):
        raise Rejected(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=encoding,
        )
    limit = parse.whole_number(query.get(limit_name), limit_name, default=limits.MAX_LIST_KEYS)
    return listing_xml.Asked(
        call.bucket,
        query.get("prefix", "").encode(),
        query.get("delimiter", "").encode(),
        min(limit, limits.MAX_LIST_KEYS),
        url=encoding == "url",
    )


def _page(call: Call, asked: listing_xml.Asked, after: bytes) -> ListPage:
    bucket = call.open_bucket()
    call.core.check_readable(call.store, bucket.bucket_id, None)
    if asked.limit == 0:
        return _NOTHING
    return call.core.listing.list_objects(
        call.store.index,
        bucket.bucket_id,
        prefix=asked.prefix,
        delimiter=asked.delimiter,
        after=after,
        limit=asked.limit,
    )


async def list_objects(call: Call) -> Response:
    asked = asked_of(call)
    marker = call.request.query.get("marker", "").encode()
    page = _page(call, asked, marker)
    return Response(200, [*render.XML], listing_xml.objects_v1(page, asked, marker, call.services.names))


async def list_objects_v2(call: Call) -> Response:
    asked = asked_of(call)
    query = call.request.query
    token, start_after = query.get("continuation-token"), query.get("start-after")
    after = token_key(token) if token else (start_after or "").encode()
    page = _page(call, asked, after)
    next_token = key_token(page.next_key) if page.truncated and page.next_key is not None else None
    echoed = listing_xml.V2(
        token,
        None if start_after is None else start_after.encode(),
        next_token,
        owners=query.get("fetch-owner", "").lower() == "true",
    )
    return Response(200, [*render.XML], listing_xml.objects_v2(page, asked, echoed, call.services.names))


async def list_object_versions(call: Call) -> Response:
    asked = asked_of(call)
    query = call.request.query
    key_marker = query.get("key-marker", "").encode()
    version_text = query.get("version-id-marker", "")
    if version_text and not key_marker:
        raise Rejected(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version_text,
        )
    marker = parse.version_id(version_text, "version-id-marker") if version_text else None
    bucket = call.open_bucket()
    call.core.check_readable(call.store, bucket.bucket_id, None)
    page = _NOTHING
    if asked.limit:
        page = call.core.listing.list_versions(
            call.store.index,
            bucket.bucket_id,
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            key_marker=key_marker,
            version_marker=marker,
            limit=asked.limit,
        )
    shown = "" if marker is None else wire_version(marker)
    return Response(200, [*render.XML], listing_xml.versions(page, asked, key_marker, shown, call.services.names))


# --- continuation tokens ----------------------------------------------------------------------------------------------

_TOKEN_FORM = b"1"  # the first byte tells which form a token has, should it ever change


def key_token(key: bytes) -> str:
    """The page after `key`, as clients carry it: opaque to them, no state with us."""
    return urlsafe_b64encode(_TOKEN_FORM + key).decode()


def token_key(token: str) -> bytes:
    """Raises Rejected (InvalidArgument) for what `key_token` never made."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        raw = b""
    if raw[:1] != _TOKEN_FORM or len(raw) > limits.MAX_KEY_BYTES + 1 or urlsafe_b64encode(raw) != token.encode():
        raise Rejected(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
            ArgumentValue=token,
        )
    return raw[1:]
