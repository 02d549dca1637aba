"""Every operation either vendor documents, and which one a request asks for. Pure.

The rows are in `operations_s3` and `operations_oss`; docs/compat is generated from them (tests/tidy/compat.py).

A request names a *sub-resource* by a query parameter (`?acl`), or none. What is not built is still known by name, so
that it is answered with the vendor's NotImplemented and never mistaken for a plain PUT or GET. The rules of `match`:

O1  A sub-resource that no row of this method and level has, or two that no row has together, match nothing.
O2  A parameter that nobody documents and that has no value looks like a sub-resource of tomorrow: it matches nothing.
    One with a value is ignored, as the vendors do (`?x-id=GetObject`, signatures, a cache buster).
O3  Of the rows whose selectors and headers are all there the one with the most of them is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kakera.core import operations_oss, operations_s3
from kakera.core.operation import ADMIN, BUCKET, OBJECT, READ, SERVICE, WRITE, Kind, Level, Operation, Vendor

__all__ = [
    "ADMIN", "ALL", "BUCKET", "OBJECT", "READ", "SERVICE", "WRITE", "Catalogue", "Kind", "Level", "Operation", "Vendor",
    "match", "named", "subresources",
]  # fmt: skip

# Documented parameters that are no sub-resource and may be empty.
_S3_PLAIN = """
allow-unordered annotation-prefix annotationName bucket-region continuation-token delimiter encoding-type fetch-owner id
key-marker list-type marker max-annotation-results max-buckets max-directory-buckets max-keys max-parts max-uploads
part-number-marker partNumber prefix select-type start-after upload-id-marker version-id-marker versionId x-id
"""
_OSS_PLAIN = """
action comp continuation-token delimiter encoding-type endTime expires fetch-owner id-marker inventoryId key-marker
list-type marker max-keys max-parts max-uploads part-number-marker partNumber playlistName position prefix rule-id
security-token sequential start-after startTime status styleName tag-key tag-value upload-id-marker version-id-marker
versionId
"""
PLAIN: Mapping[str, frozenset[str]] = {"s3": frozenset(_S3_PLAIN.split()), "oss": frozenset(_OSS_PLAIN.split())}
_PLAIN_PREFIXES = {"s3": ("response-", "x-amz-"), "oss": ("response-", "x-oss-", "x-amz-")}
# Plain with most requests, but not here: the PUT of a part that lost its upload is not the PUT of an object.
_NEVER_PLAIN = {("s3", "PUT", "object"): frozenset({"partNumber"}), ("oss", "PUT", "object"): frozenset({"partNumber"})}


class _Row(NamedTuple):
    """A row, ready to be compared."""

    operation: Operation
    names: frozenset[str]
    values: tuple[tuple[str, frozenset[str]], ...]  # parameter, values of which it must have one


class _Choice(NamedTuple):
    """The rows of one vendor, method and level, the most particular first."""

    bare: Sequence[Operation]  # no selectors at all
    plain: Sequence[_Row]  # no sub-resource
    by_subresource: Mapping[str, Sequence[_Row]]
    never_plain: frozenset[str]


class Catalogue:
    """Rows, and how to find one. Raises ValueError when two rows cannot be told apart."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._by_name: dict[tuple[str, str], Operation] = {}
        self._subresources: dict[str, set[str]] = {vendor: set() for vendor in PLAIN}
        places: dict[tuple[str, str, str], list[_Row]] = {}
        for operation in self.operations:
            for name in (operation.name, *operation.also):
                if self._by_name.setdefault((operation.vendor, name), operation) is not operation:
                    raise ValueError(f"{operation.vendor} {name}: named twice")
            row = _row(operation)
            places.setdefault((operation.vendor, operation.method, operation.level), []).append(row)
            first = {selector.partition("=")[0] for selector in operation.selectors[:1]}
            self._subresources[operation.vendor] |= first - PLAIN[operation.vendor]
        self._choices = {place: _choice(rows, _NEVER_PLAIN.get(place, frozenset())) for place, rows in places.items()}

    def named(self, vendor: Vendor, name: str) -> Operation:
        """By its present or a former name. Raises KeyError."""
        return self._by_name[vendor, name]

    def match(
        self, vendor: Vendor, method: str, level: Level, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Operation | None:
        """The operation asked for, built or not. None: there is no such operation (O1, O2).

        Args:
            query: parameters and their first values, decoded.
            headers: by lower-case name.
        """
        choice = self._choices.get((vendor, method, level))
        if choice is None:
            return None
        if not query:
            return next((row for row in choice.bare if not row.headers or headers.keys() >= set(row.headers)), None)
        present = self.subresources(vendor, query)
        if present:
            wanted = frozenset(present)
            rows = [row for row in choice.by_subresource.get(present[0], ()) if wanted <= row.names]
        elif choice.never_plain.isdisjoint(query):
            rows = list(choice.plain)
        else:
            return None
        return next((row.operation for row in rows if _fits(row, query, headers)), None)

    def subresources(self, vendor: Vendor, query: Mapping[str, str]) -> list[str]:
        """The sub-resources named: known ones and what looks like one (O2).

        With some, a request that matches nothing asks for what is not implemented; with none, it is a method that the
        place does not answer to.
        """
        known = self._subresources[vendor]
        return [name for name, value in query.items() if name in known or (not value and not _is_plain(vendor, name))]


def _row(operation: Operation) -> _Row:
    split = [selector.partition("=") for selector in operation.selectors]
    values = tuple((name, frozenset(value.split("|"))) for name, equals, value in split if equals)
    return _Row(operation, frozenset(name for name, _, _ in split), values)


def _choice(rows: Sequence[_Row], never_plain: frozenset[str]) -> _Choice:
    ordered = sorted(rows, key=lambda row: -len(row.names) - len(row.values) - len(row.operation.headers))
    seen: dict[object, Operation] = {}
    for row in ordered:
        told_by = (row.names, frozenset(row.values), row.operation.headers)
        other = seen.setdefault(told_by, row.operation)
        if other is not row.operation:
            raise ValueError(f"{other.vendor} {other.name} and {row.operation.name}: the same request")
    names = {name for row in rows for name in row.names}
    return _Choice(
        bare=[row.operation for row in ordered if not row.names],
        plain=[row for row in ordered if row.names <= PLAIN[row.operation.vendor]],
        by_subresource={name: [row for row in ordered if name in row.names] for name in names},
        never_plain=never_plain,
    )


def _fits(row: _Row, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    return (
        query.keys() >= row.names
        and all(query[name] in values for name, values in row.values)
        and all(name in headers for name in row.operation.headers)
    )


def _is_plain(vendor: Vendor, name: str) -> bool:
    return name in PLAIN[vendor] or name.lower().startswith(_PLAIN_PREFIXES[vendor])


ALL = Catalogue(operations_s3.OPERATIONS + operations_oss.OPERATIONS)
match = ALL.match
named = ALL.named
subresources = ALL.subresources
