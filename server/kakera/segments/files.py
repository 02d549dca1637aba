"""Small files and durable steps on a local file system: identity, epoch, marker; write, sync, rename.

A small file is one line of JSON with a crc32c of its other fields (sorted, no spaces): a flipped bit is noticed,
never believed (R8).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kakera.base import faults, limits
from kakera.segments.drive import Identity
from kakera.segments.record import Buffer, as_bytes, crc32c

IDENTITY_FILE = "kakera.json"
FORMAT = 1


def write_all(fd: int, buffers: Sequence[Buffer], offset: int) -> int:
    """Write every buffer, one after the other, going on after short writes. Returns the bytes. Raises OSError."""
    wanted = sum(map(len, buffers))
    if len(buffers) > limits.MAX_WRITE_BUFFERS:
        buffers = [b"".join(buffers)]
    done = os.pwritev(fd, buffers, offset)
    if done == wanted:
        return wanted
    rest = memoryview(b"".join(buffers))
    while done < wanted:
        step = os.pwrite(fd, rest[done:], offset + done)
        if step == 0:
            raise OSError(5, "the drive takes no bytes")
        done += step
    return wanted


def write_sparse(fd: int, piece: Buffer, offset: int) -> None:
    """Write what is not zero: a strand made again must not fill the holes of the one before. The caller sets the
    length in the end. Raises OSError."""
    data = as_bytes(piece)
    for at in range(0, len(data), limits.CRC_BLOCK_BYTES):
        block = data[at : at + limits.CRC_BLOCK_BYTES]
        if block.count(0) < len(block):
            write_all(fd, [block], offset + at)


def sync_file(fd: int, subject: str) -> None:
    """fdatasync between two fault points; left out by the saboteur that tests the power-cut tests."""
    if faults.plan is None:
        os.fdatasync(fd)
        return
    faults.hit("drive.sync", subject)
    if not faults.skipped("fdatasync"):
        os.fdatasync(fd)
    faults.hit("drive.sync", subject)


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable."""
    if faults.plan is not None:
        faults.hit("drive.sync", str(path))
        if faults.skipped("fdatasync"):
            return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, content: bytes) -> None:
    """Old or new content after any crash, never a mixture: written aside, synced, renamed, folder synced."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.new")
    faults.hit("drive.create", str(path))
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, [content], 0)
        sync_file(fd, str(path))
        faults.hit("drive.rename", str(path))
        os.rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    sync_folder(path.parent)
    faults.hit("drive.rename", str(path))


def seal(fields: Mapping[str, object]) -> bytes:
    """The fields as one line of JSON, with their crc."""
    return (json.dumps({**fields, "crc": _crc(fields)}, sort_keys=True) + "\n").encode()


def unseal(data: bytes) -> dict[str, object] | None:
    """The fields, None when anything is wrong with them."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.pop("crc", None) != _crc(fields) or seal(fields) != data:
        return None
    return fields


def _crc(fields: Mapping[str, object]) -> str:
    return f"{crc32c(json.dumps(fields, sort_keys=True, separators=(',', ':')).encode()):08x}"


def encode_identity(identity: Identity) -> bytes:
    return seal({"format": FORMAT, **identity._asdict()})


def decode_identity(data: bytes) -> Identity | None:
    """None when the file is damaged or of a format this version does not know."""
    fields = unseal(data)
    if fields is None or fields.pop("format", None) != FORMAT:
        return None
    try:
        found = Identity(**fields)  # type: ignore[arg-type]
    except TypeError:
        return None
    texts = isinstance(found.cluster, str) and isinstance(found.drive, str)
    return found if texts and isinstance(found.slot, int) and isinstance(found.generation, int) else None


def encode_epoch(epoch: int) -> bytes:
    return seal({"epoch": epoch})


def decode_epoch(data: bytes) -> int | None:
    fields = unseal(data)
    epoch = fields.get("epoch") if fields else None
    return epoch if isinstance(epoch, int) else None
