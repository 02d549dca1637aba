"""Identifiers. A name is not an identity (R13): buckets, versions, uploads, bodies and commands carry ids of their own.

id16        16 random bytes: command, version, upload, body. Shown as 32 hex digits.
segment id  epoch << 32 | number; given out by the committer alone, never again (R7, R15).
"""

from __future__ import annotations

import os

NULL_VERSION = b""  # the version of an object written while versioning was off or suspended


def new_id() -> bytes:
    """16 random bytes from the kernel."""
    return os.urandom(16)


def segment_id(epoch: int, number: int) -> int:
    return epoch << 32 | number


def segment_epoch(segment: int) -> int:
    return segment >> 32


def segment_name(segment: int) -> str:
    """The strand's file name: 16 hex digits, so that names sort as ids do."""
    return f"{segment:016x}"
