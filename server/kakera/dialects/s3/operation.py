"""Which operation a request asks for. The common ones are told by method alone; the rest by the table in core.operations."""

from __future__ import annotations

from kakera.dialects.http import Request
from kakera.dialects.s3.errors import Rejected

_SUB = {
    ("GET", "bucket"): [("location", "GetBucketLocation"), ("versioning", "GetBucketVersioning"), ("versions", "ListObjectVersions"), ("uploads", "ListMultipartUploads")],
    ("PUT", "bucket"): [("versioning", "PutBucketVersioning")],
    ("POST", "bucket"): [("delete", "DeleteObjects")],
    ("GET", "object"): [("attributes", "GetObjectAttributes"), ("tagging", "GetObjectTagging"), ("uploadId", "ListParts")],
    ("PUT", "object"): [("tagging", "PutObjectTagging"), ("uploadId", "UploadPart")],
    ("POST", "object"): [("uploads", "CreateMultipartUpload"), ("uploadId", "CompleteMultipartUpload")],
    ("DELETE", "object"): [("tagging", "DeleteObjectTagging"), ("uploadId", "AbortMultipartUpload")],
}
_UNBUILT = "acl cors policy lifecycle encryption tagging website logging notification replication object-lock retention legal-hold torrent restore select publicAccessBlock policyStatus ownershipControls requestPayment accelerate analytics inventory metrics intelligent-tiering renameObject".split()
_PLAIN = {
    ("GET", "service"): "ListBuckets", ("GET", "bucket"): "ListObjects", ("HEAD", "bucket"): "HeadBucket", ("PUT", "bucket"): "CreateBucket", ("DELETE", "bucket"): "DeleteBucket",
    ("GET", "object"): "GetObject", ("HEAD", "object"): "HeadObject", ("PUT", "object"): "PutObject", ("DELETE", "object"): "DeleteObject", ("POST", "bucket"): "PostObject",
}


def name_of(request: Request, bucket: str, key: bytes) -> str:
    method = request.method
    scope = "object" if key else "bucket" if bucket else "service"
    if request.raw_query:
        query = request.query
        for sub, name in _SUB.get((method, scope), []):
            if sub in query:
                if name == "UploadPart" and "x-amz-copy-source" in request.headers:
                    return "UploadPartCopy"
                return name
        for sub in _UNBUILT:
            if sub in query:
                return f"{method} {sub}"
        if scope == "bucket" and method == "GET" and query.get("list-type") == "2":
            return "ListObjectsV2"
    if method == "PUT" and scope == "object" and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    if method == "OPTIONS":
        raise Rejected("AccessForbidden") if "origin" in request.headers else Rejected("BadRequest")
    name = _PLAIN.get((method, scope))
    if name is None:
        raise Rejected("MethodNotAllowed", Method=method, ResourceType=scope.upper())
    return name


def not_built(name: str) -> Rejected:
    return Rejected("NotImplemented", "A header or query you provided implies functionality that is not implemented", Operation=name)
