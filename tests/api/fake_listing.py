"""Listings of the store in memory: slow and plain, every page walks all keys."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any

from kakera.core.values import Listed, ListPage


def grouped(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix a key falls under."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


class FakeListing:
    """rows: a FakeStore."""

    def list_objects(
        self, rows: Any, bucket_id: int, *, prefix: bytes, delimiter: bytes, after: bytes, limit: int
    ) -> ListPage:
        held = rows.by_id(bucket_id).keys
        lines = [listed(held[key][0]) for key in sorted(held) if not held[key][0].marker]
        return self._page(lines, prefix, delimiter, follows=lambda line: line.key > after, after=after, limit=limit)

    def list_versions(
        self, rows: Any, bucket_id: int, *, prefix: bytes, delimiter: bytes, key_marker: bytes,
        version_marker: bytes | None, limit: int,
    ) -> ListPage:  # fmt: skip
        held = rows.by_id(bucket_id).keys
        lines: list[Listed] = []
        for key in sorted(held):
            lines += [listed(version, latest=at == 0) for at, version in enumerate(held[key])]
        if version_marker is not None:
            at = bisect.bisect_left([line.key for line in lines], key_marker)
            gone = at
            while at < len(lines) and lines[at].key == key_marker and lines[at].version != version_marker:
                at += 1
            if at == len(lines) or lines[at].key != key_marker:
                at = gone - 1  # the marker is no longer there: everything from its key on
            return self._page(
                lines[at + 1 :], prefix, delimiter, follows=lambda line: True, after=b"", limit=limit, versions=True
            )
        return self._page(
            lines,
            prefix,
            delimiter,
            follows=lambda line: line.key > key_marker,
            after=key_marker,
            limit=limit,
            versions=True,
        )

    def _page(
        self, lines: list[Listed], prefix: bytes, delimiter: bytes, *, follows: Callable[[Listed], bool], after: bytes,
        limit: int, versions: bool = False,
    ) -> ListPage:  # fmt: skip
        entries: list[Listed] = []
        prefixes: list[bytes] = []
        for line in lines:
            if not line.key.startswith(prefix) or not follows(line):
                continue
            group = grouped(line.key, prefix, delimiter)
            if group is not None and (group in prefixes or group <= after):
                continue
            if len(entries) + len(prefixes) == limit:
                last = entries[-1] if entries else None
                if last is None or (prefixes and prefixes[-1] > last.key):
                    return ListPage(entries, prefixes, True, prefixes[-1], None)
                return ListPage(entries, prefixes, True, last.key, last.version if versions else None)
            if group is not None:
                prefixes.append(group)
            else:
                entries.append(line)
        return ListPage(entries, prefixes, False)


def listed(version: Any, *, latest: bool = True) -> Listed:
    info = version.info
    checksum = info.checksum.algorithm if info.checksum else ""
    return Listed(
        info.key, info.version, info.mtime_ms, info.size, info.etag, info.owner, checksum, latest, version.marker
    )
