"""One request on its way through the dialect: who asks for what, and the few steps all operations share."""

from __future__ import annotations

from functools import lru_cache

from kakera.base import errors, limits
from kakera.core import authorize
from kakera.core.values import ANONYMOUS, Account, BucketInfo
from kakera.dialects.http import BodySource, Request
from kakera.dialects.s3.auth import Identity
from kakera.dialects.s3.body import VerifiedBody, plan_body, read_document
from kakera.dialects.s3.core_api import Core, Services, Store
from kakera.dialects.s3.errors import Rejected
from kakera.dialects.s3.refusals import BodyError


@lru_cache(maxsize=limits.PARSED_CREDENTIALS_CACHED)
def _account(account_id: str, display_name: str) -> Account:
    return Account(account_id, display_name)


class Call:
    """Built once per request; plain slots, since GET and PUT of small objects are the hot path. operation: its name in
    core.operations. bucket "" and key b"" where the request names none."""

    __slots__ = ("account", "bucket", "core", "identity", "key", "operation", "request", "services", "store")

    def __init__(
        self, request: Request, services: Services, identity: Identity, operation: str, *, bucket: str, key: bytes
    ) -> None:
        self.request = request
        self.services = services
        self.core: Core = services.core
        self.store: Store = services.store
        self.identity = identity
        holder = identity.account
        self.account = ANONYMOUS if holder is None else _account(holder.account_id, holder.display_name)
        self.operation = operation
        self.bucket = bucket
        self.key = key

    def open_bucket(self) -> BucketInfo:
        """The bucket the request names. Raises NoSuchBucket first, as S3 does, then Denied."""
        found = self.core.buckets.get(self.store, self.bucket)
        if not authorize.allowed(self.operation, self.account, found.owner):
            raise errors.Denied()
        wanted = self.request.headers.get("x-amz-expected-bucket-owner")
        if wanted is not None and wanted != found.owner:
            raise errors.Denied()
        return found

    def open_source(self, name: str) -> BucketInfo:
        """The bucket a copy reads from. Raises as `open_bucket`."""
        found = self.core.buckets.get(self.store, name)
        if not authorize.allowed("GetObject", self.account, found.owner):
            raise errors.Denied()
        wanted = self.request.headers.get("x-amz-source-expected-bucket-owner")
        if wanted is not None and wanted != found.owner:
            raise errors.Denied()
        return found

    def require_account(self) -> Account:
        """For what belongs to no bucket. Raises Denied for anonymous."""
        if not authorize.allowed(self.operation, self.account, None):
            raise errors.Denied()
        return self.account

    async def body(self, *, default_algorithm: str | None = None) -> VerifiedBody:
        """The request's body as the core reads it. Raises BodyError for what its head already shows to be wrong."""
        request = self.request
        if "content-length" not in request.headers and "x-amz-decoded-content-length" not in request.headers:
            request = await _measured(request)
        plan = plan_body(request, self.identity, max_bytes=limits.MAX_PUT_BYTES, default_algorithm=default_algorithm)
        return VerifiedBody(request.body, plan)

    async def document(self) -> bytes:
        """The XML in the body, verified; b"" when there is no body. Raises BodyError."""
        headers = self.request.headers
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return b""
        return await read_document(self.request, self.identity)

    async def document_about_object(self) -> bytes:
        """The XML of a request whose x-amz-checksum-* headers speak of the object and not of the document itself
        (CompleteMultipartUpload)."""
        request = self.request
        kept = {name: value for name, value in request.headers.items() if "checksum" not in name}
        return await read_document(_again(request, kept, request.body), self.identity)


class _Held:
    """A body that was read already, in the pieces it came in."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next(self._pieces, b"")


async def _measured(request: Request) -> Request:
    """A body in chunked transfer tells no length beforehand. S3 refuses it; small ones are read to find out, as its
    relatives do. Raises BodyError (MissingContentLength) beyond limits.MAX_UNDECLARED_BYTES or when there is no
    chunked transfer either."""
    if "chunked" not in request.headers.get("transfer-encoding", ""):
        raise BodyError("MissingContentLength")
    pieces = []
    size = 0
    while piece := await request.body.read():
        size += len(piece)
        if size > limits.MAX_UNDECLARED_BYTES:
            raise BodyError("MissingContentLength")
        pieces.append(piece)
    return _again(request, {**request.headers, "content-length": str(size)}, _Held(pieces))


def _again(request: Request, headers: dict[str, str], body: BodySource) -> Request:
    """The same request with other headers and another body."""
    return Request(
        request.method,
        request.raw_path,
        request.raw_query,
        headers,
        body,
        host=request.host,
        secure=request.secure,
        remote=request.remote,
        request_id=request.request_id,
    )


# --- headers that would change what a request means -------------------------------------------------------------------

# Carrying one of these out as if it were absent would be a lie to the client; none is built yet
# (docs/compat/s3-notes.md).
REFUSED_HEADERS = frozenset(
    (
        "x-amz-bucket-object-lock-enabled",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key-md5",
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
        "x-amz-object-lock-legal-hold",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-server-side-encryption-context",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-amz-website-redirect-location",
        "x-amz-write-offset-bytes",
    )
)
# header -> the values that mean what is done anyway
DEFAULTS_ONLY: dict[str, frozenset[str]] = {
    "x-amz-acl": frozenset(("", "private", "bucket-owner-full-control", "bucket-owner-read")),
    "x-amz-object-ownership": frozenset(("BucketOwnerEnforced",)),
    "x-amz-storage-class": frozenset(("", "STANDARD")),
}
_SUSPECT = REFUSED_HEADERS | DEFAULTS_ONLY.keys()
CANNED_ACLS = frozenset(
    (
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    )
)


def refuse_unbuilt_headers(request: Request) -> None:
    """Raises Rejected (NotImplemented) when a header asks for something this server would silently not do."""
    headers = request.headers
    if _SUSPECT.isdisjoint(headers):
        return
    for name in sorted(_SUSPECT & headers.keys()):
        value = headers[name]
        if name == "x-amz-bucket-object-lock-enabled" and value.lower() == "false":
            continue
        if name in DEFAULTS_ONLY:
            if value in DEFAULTS_ONLY[name]:
                continue
            if name == "x-amz-acl" and value not in CANNED_ACLS:
                raise Rejected("InvalidArgument", ArgumentName=name, ArgumentValue=value)
        raise Rejected(
            "NotImplemented", "A header you provided implies functionality that is not implemented", Header=name
        )
