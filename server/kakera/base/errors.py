"""Every refusal and failure the store knows, as facts without a vendor's word in them; each dialect maps class -> code,
status, message.

KakeraError
├── Refused             the request cannot be done as asked; nothing was changed
│   ├── NotFound        NoSuchBucket NoSuchKey NoSuchVersion NoSuchUpload
│   ├── Conflict        BucketExists BucketOwnedByYou BucketNotEmpty OperationAborted
│   ├── ConditionFailed NotModified PreconditionFailed
│   ├── Invalid         InvalidBucketName InvalidRange InvalidPart InvalidPartOrder PartTooSmall TooLarge
│   │                   InvalidArgument MetadataTooLarge TooManyBuckets InvalidState
│   ├── Denied          the principal may not do this
│   ├── Replica         this store is a copy of another, which takes the changes
│   ├── MethodNotAllowed  the resource exists but does not answer to this verb (a delete marker)
│   └── Stale           settings changed since the worker decided: decide again (never leaves the store)
└── Unavailable         not now; nothing is known to have been lost
    ├── ReadOnly        fewer than k+1 drives: reads go on, writes wait for a drive
    ├── NotReady        recovery is not done
    ├── Busy            a bound was reached; try again
    ├── OutOfSpace      only DELETE is taken until space is freed
    ├── Damaged         fewer than k good fragments of what was asked
    └── Unknown         the command may or may not have happened (resend limit passed, R16)
"""

from __future__ import annotations


class KakeraError(Exception):
    """Root of the tree. `detail` maps field names to values that a dialect may put into its error document."""

    def __init__(self, message: str = "", **detail: object) -> None:
        super().__init__(message or type(self).__name__)
        self.message = message
        self.detail = detail


class Refused(KakeraError):
    """The request cannot be done as asked; nothing was changed."""


class NotFound(Refused):
    """A named thing does not exist."""


class NoSuchBucket(NotFound):
    pass


class NoSuchKey(NotFound):
    """`detail`: key; delete_marker_version when the newest version is a delete marker."""


class NoSuchVersion(NotFound):
    pass


class NoSuchUpload(NotFound):
    pass


class Conflict(Refused):
    """The present state forbids it."""


class BucketExists(Conflict):
    """The name belongs to another account."""


class BucketOwnedByYou(Conflict):
    pass


class BucketNotEmpty(Conflict):
    pass


class OperationAborted(Conflict):
    """Another change of the same thing came between."""


class ConditionFailed(Refused):
    pass


class NotModified(ConditionFailed):
    """`detail`: etag, mtime_ms."""


class PreconditionFailed(ConditionFailed):
    """`detail`: condition (its neutral name: if_match, if_none_match, if_modified_since, if_unmodified_since)."""


class Invalid(Refused):
    pass


class InvalidBucketName(Invalid):
    pass


class InvalidRange(Invalid):
    """`detail`: size_bytes (of the object), requested."""


class InvalidPart(Invalid):
    pass


class InvalidPartOrder(Invalid):
    pass


class PartTooSmall(Invalid):
    """`detail`: part_number, size_bytes, minimum_bytes, etag."""


class TooLarge(Invalid):
    """`detail`: size_bytes, maximum_bytes."""


class InvalidArgument(Invalid):
    """`detail`: argument, value."""


class MetadataTooLarge(Invalid):
    pass


class TooManyBuckets(Invalid):
    """`detail`: maximum."""


class InvalidState(Invalid):
    """The object's or bucket's state does not allow the operation."""


class Denied(Refused):
    pass


class Replica(Refused):
    """`message` names the store that takes changes, where it is known."""


class MethodNotAllowed(Refused):
    """`detail`: delete_marker_version when the version asked for is a delete marker."""


class Stale(Refused):
    """The settings' generation the worker decided with has passed (R6). The worker decides again; a client never sees
    this.
    """


class Unavailable(KakeraError):
    """Not now. `message` is the reason, fit for an operator's eye."""


class ReadOnly(Unavailable):
    pass


class NotReady(Unavailable):
    pass


class Busy(Unavailable):
    pass


class OutOfSpace(Unavailable):
    pass


class Damaged(Unavailable):
    pass


class Unknown(Unavailable):
    pass
