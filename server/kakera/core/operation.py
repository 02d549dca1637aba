"""One operation of a vendor's API: a row of the tables in `operations_s3` and `operations_oss`."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Vendor = Literal["s3", "oss"]
Level = Literal["service", "bucket", "object"]
Kind = Literal["read", "write", "admin"]
SERVICE: Final[Level] = "service"
BUCKET: Final[Level] = "bucket"
OBJECT: Final[Level] = "object"
READ: Final[Kind] = "read"
WRITE: Final[Kind] = "write"
ADMIN: Final[Kind] = "admin"


class Operation(NamedTuple):
    """One row.

    Attributes:
        method: HTTP method.
        selectors: query parameters that must be there, the sub-resource first: "acl", or with a value or one of
            several: "list-type=2", "comp=add|delete".
        action: what a policy has to allow; "" when nothing is asked (preflight).
        kind: read or write of objects and of what a bucket holds; admin: a bucket's or the account's settings.
        headers: lower-case names that must be there.
        version_action: the action when a version is named.
        also: former or other names of the same request.
        note: one line for the compatibility table.
    """

    name: str
    vendor: Vendor
    method: str
    level: Level
    selectors: tuple[str, ...]
    action: str
    kind: Kind
    headers: tuple[str, ...] = ()
    built: bool = False
    version_action: str = ""
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def changes(self) -> bool:
        """It may change something: a write, or settings by another method than GET and HEAD."""
        return self.kind == WRITE or (self.kind == ADMIN and self.method not in ("GET", "HEAD", "OPTIONS"))


def operation(
    name: str,
    method: str,
    level: Level,
    query: str,
    kind: Kind,
    *,
    vendor: Vendor,
    action: str | None = None,
    headers: tuple[str, ...] = (),
    built: bool = False,
    version_action: str = "",
    also: tuple[str, ...] = (),
    note: str = "",
) -> Operation:
    """A row as the tables write it. query: the selectors as in a URL, "replication&comp=add"; action: by default the
    name."""
    selectors = tuple(query.split("&")) if query else ()
    action = f"{vendor}:{name}" if action is None else action
    return Operation(name, vendor, method, level, selectors, action, kind, headers, built, version_action, also, note)
