"""A drive that is a folder of this machine. It is present while the folder holds the identity file it was opened with
(R8).

Files: kakera.json (identity), epoch, journal/<segment>, bulk/<segment>, tmp/ (installs under way). Layouts:
docs/spec/segments.md.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from kakera.base import clock, faults, kernel, limits
from kakera.base.buffers import unset
from kakera.base.ids import segment_epoch, segment_name
from kakera.segments.drive import BULK, JOURNAL, DriveAbsent, Identity, Space, Strand
from kakera.segments.files import (
    IDENTITY_FILE,
    decode_epoch,
    decode_identity,
    encode_epoch,
    replace_file,
    sync_file,
    sync_folder,
    write_all,
    write_sparse,
)
from kakera.segments.record import Buffer
from kakera.segments.reserve import FULL, Reserve, give_back_ahead, punch_hole, take_ahead

_KINDS = (JOURNAL, BULK)
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)


class _Handle:
    """An open strand.

    Closed when the last user lets go of it: a number is never closed (and given out anew) under a write.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        try:
            os.close(self.fd)
        except OSError:
            pass


class LocalDrive:
    """Implements `Drive`. Safe to use from many threads.

    Args:
        path: the drive's folder.
        identity: what its identity file said when it was accepted; another one there makes it absent.
    """

    def __init__(self, path: Path, identity: Identity, *, domain: str = "") -> None:
        self.path = path
        self._identity_path = str(path / IDENTITY_FILE)
        self.slot = identity.slot
        self.drive_id = identity.drive
        self.domain = domain or f"slot-{identity.slot}"
        self.expected = identity
        self._seen: tuple[int, int, int] | None = None  # device, inode, mtime of the identity file last read
        self._handles: OrderedDict[Strand, _Handle] = OrderedDict()
        self._lock = threading.Lock()
        self._swept_s = clock.monotonic_s()
        self._reserve = Reserve(path)

    # --- presence
    # ------------------------------------------------------------------------------------------------------------

    def identity(self) -> Identity:
        """Read afresh. Raises DriveAbsent: no folder, no file, a damaged file, another drive's file."""
        found = decode_identity(self._read_small(IDENTITY_FILE))
        if found is None:
            raise DriveAbsent(errno.ENODEV, "the identity file is damaged", str(self.path))
        if found != self.expected:
            raise DriveAbsent(errno.ENODEV, "another drive is in its place", str(self.path))
        return found

    def check(self) -> None:
        """Raise DriveAbsent unless this is still the drive that was opened. One stat while nothing changed."""
        try:
            now = os.stat(self._identity_path)
        except OSError as error:
            raise DriveAbsent(errno.ENODEV, "no identity file", str(self.path)) from error
        mark = (now.st_dev, now.st_ino, now.st_mtime_ns)
        if mark != self._seen:
            self.identity()
            self._seen = mark

    def _read_small(self, name: str) -> bytes:
        path = self.path / name
        faults.hit("drive.read", str(path))
        try:
            with open(path, "rb") as file:
                return file.read(limits.MAX_IDENTITY_BYTES)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DriveAbsent(errno.ENODEV, f"no {name}", str(self.path)) from error

    # --- strands: bytes
    # ------------------------------------------------------------------------------------------------------

    def create(self, strand: Strand, header: bytes) -> None:
        self.check()
        path = self._path(strand)
        path.parent.mkdir(exist_ok=True)
        faults.hit("drive.create", str(path))
        try:
            handle = _begin(path, header)
        except OSError as error:
            freed = self._make_room(strand, error)
            if not freed:
                raise
            handle = _begin(path, header)
            take_ahead(handle.fd, len(header), freed)  # at once, before somebody else fills it
        sync_file(handle.fd, str(path))
        sync_folder(path.parent)
        faults.hit("drive.create", str(path))
        self._remember(strand, handle)

    def write(self, strand: Strand, offset: int, buffers: Sequence[Buffer]) -> None:
        handle = self._open(strand)
        if faults.plan is not None:
            faults.hit("drive.write", str(self._path(strand)))
        try:
            written_bytes = write_all(handle.fd, buffers, offset)
        except OSError as error:
            # Nothing was synced and nothing is to be doubted (R2): the file system was full before it took a byte.
            freed = self._make_room(strand, error)
            if not freed:
                raise
            take_ahead(handle.fd, offset, freed)  # at once, before somebody else fills it
            written_bytes = write_all(handle.fd, buffers, offset)
        if written_bytes >= limits.EARLY_WRITE_BYTES:
            kernel.begin_writing_out(handle.fd, offset, written_bytes)
        if faults.plan is not None:
            faults.hit("drive.write", str(self._path(strand)))

    def sync(self, strand: Strand) -> None:
        handle = self._open(strand)
        if faults.plan is None:
            os.fdatasync(handle.fd)
        else:
            sync_file(handle.fd, str(self._path(strand)))
        # Bytes synced into a file that was removed, or on a drive that was swapped meanwhile, are not there after a
        # crash.
        if os.fstat(handle.fd).st_nlink == 0:
            self._forget(strand)
            raise DriveAbsent(errno.ENODEV, "the strand was removed while it was written", str(self._path(strand)))
        self.check()

    def read(self, strand: Strand, offset: int, length: int) -> bytes:
        if faults.plan is not None:
            faults.hit("drive.read", str(self._path(strand)))
        handle = self._open(strand) if offset else self._open_anew(strand)
        data = os.pread(handle.fd, length, offset)
        if len(data) < length and data:
            pieces = [data]
            have = len(data)
            while have < length and (piece := os.pread(handle.fd, length - have, offset + have)):
                pieces.append(piece)
                have += len(piece)
            data = b"".join(pieces)
        if faults.plan is not None:
            faults.hit("drive.read", str(self._path(strand)))
        return data

    def read_now(self, strand: Strand, offset: int, length: int) -> bytearray | None:
        handle = self._handles.get(strand)
        if handle is None or faults.plan is not None:
            return None  # opening may wait; a test's delay must not run on an event loop
        buffer = unset(length)
        try:
            got = os.preadv(handle.fd, (buffer,), offset, _NOWAIT)
        except OSError:
            return None  # EAGAIN: not in memory; anything else is for `read` to tell
        return buffer if got == length else None  # never one that was not filled

    # --- strands: files
    # ------------------------------------------------------------------------------------------------------

    def strands(self, kind: str) -> Iterator[tuple[int, int]]:
        self.check()
        try:
            entries = list(os.scandir(self.path / kind))
        except FileNotFoundError:
            return
        for entry in sorted(entries, key=lambda e: e.name):
            number = _segment_of(entry.name)
            if number is None:
                continue
            try:
                yield number, entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue  # dropped meanwhile

    def install(self, strand: Strand, source: Iterator[Buffer]) -> None:
        self.check()
        path = self._path(strand)
        aside = self.path / "tmp" / f"{strand.kind}-{path.name}"
        for folder in (path.parent, aside.parent):
            folder.mkdir(exist_ok=True)
        faults.hit("drive.create", str(aside))
        fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        handle = _Handle(fd)
        try:
            at = 0
            for piece in source:
                faults.hit("drive.write", str(aside))
                write_sparse(fd, piece, at)
                at += len(piece)
            os.ftruncate(fd, at)
            sync_file(fd, str(aside))
            self.check()
            faults.hit("drive.rename", str(path))
            os.rename(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        faults.hit("drive.rename", str(path))
        self._forget(strand)
        self._remember(strand, handle)

    def punch(self, strand: Strand, offset: int, length: int) -> None:
        handle = self._open(strand)
        path = str(self._path(strand))
        faults.hit("drive.punch", path)
        punch_hole(handle.fd, offset, length)
        faults.hit("drive.punch", path)

    def drop(self, strand: Strand) -> None:
        self.check()
        path = self._path(strand)
        faults.hit("drive.unlink", str(path))
        path.unlink(missing_ok=True)
        self._forget(strand)
        if path.parent.exists():
            sync_folder(path.parent)
        faults.hit("drive.unlink", str(path))

    # --- the drive as a whole
    # ------------------------------------------------------------------------------------------------

    def epoch(self, raise_to: int | None = None) -> int:
        """A damaged epoch file counts as the highest epoch of a journal strand here: ids carry their epoch (R15)."""
        self.check()
        try:
            found = decode_epoch(self._read_small("epoch"))
        except DriveAbsent:
            found = 0
        if found is None:
            found = max((segment_epoch(segment) for segment, _ in self.strands(JOURNAL)), default=0)
        if raise_to is not None and raise_to > found:
            try:
                replace_file(self.path / "epoch", encode_epoch(raise_to))
            except OSError as error:
                if error.errno not in FULL:
                    raise
                # A start on a full drive: what the committer before had given to its last strand is the reserve again.
                freed = self._give_back_ahead() or self._reserve.give(limits.RESERVE_PIECE_BYTES)
                if not freed:
                    raise
                replace_file(self.path / "epoch", encode_epoch(raise_to))
                self._reserve.take_back(freed)
            found = raise_to
        return found

    def space(self, keep_bytes: int = 0) -> Space:
        total, free = self._reserve.space()
        if keep_bytes and free > 2 * keep_bytes:
            self.check()
            self._reserve.keep(keep_bytes)
        return Space(total, free)

    def _make_room(self, strand: Strand, error: OSError) -> int:
        """For the journal on a full drive: what other strands hold behind their ends, and the reserve. Bytes won."""
        if strand.kind != JOURNAL or error.errno not in FULL:
            return 0
        return self._give_back_ahead(but=strand.segment) + self._reserve.give()

    def _give_back_ahead(self, *, but: int | None = None) -> int:
        """What the journal's strands hold behind their ends, all but the segment that is written (a drive's journal has
        one writer and one write at a time). Bytes won."""
        freed = 0
        for segment, _ in list(self.strands(JOURNAL)):
            if segment == but:
                continue
            try:
                handle = _Handle(os.open(self._path(Strand(JOURNAL, segment)), os.O_RDWR | os.O_CLOEXEC))
                freed += give_back_ahead(handle.fd)
            except OSError:
                continue  # removed meanwhile, or not to be written: it gives nothing
        return freed

    def sweep(self) -> None:
        """Let go of strands that another process dropped or healed: their space is not free while they are open. Looks
        once in OPEN_STRAND_CHECK_S."""
        if clock.monotonic_s() - self._swept_s <= limits.OPEN_STRAND_CHECK_S:
            return
        with self._lock:
            self._swept_s = clock.monotonic_s()
            gone = [strand for strand, handle in self._handles.items() if _is_gone(handle.fd)]
            for strand in gone:
                del self._handles[strand]

    def close(self) -> None:
        """Let go of every open strand."""
        with self._lock:
            self._handles.clear()

    # --- open strands
    # --------------------------------------------------------------------------------------------------------

    def _path(self, strand: Strand) -> Path:
        if strand.kind not in _KINDS:
            raise ValueError(f"no such kind of strand: {strand.kind}")
        return self.path / strand.kind / segment_name(strand.segment)

    def _open(self, strand: Strand) -> _Handle:
        self.sweep()
        handle = self._handles.get(strand)
        if handle is not None:
            return handle
        self.check()
        path = self._path(strand)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a drive gone read-only still serves
        handle = _Handle(fd)
        self._remember(strand, handle)
        return handle

    def _open_anew(self, strand: Strand) -> _Handle:
        """For a read of the header: of the file that has the name now. An open file that was removed or replaced reads
        as if all were well, and a census would believe it."""
        handle = self._handles.get(strand)
        if handle is not None:
            self.check()
            if os.fstat(handle.fd).st_nlink == 0:
                self._forget(strand)
        return self._open(strand)

    def _remember(self, strand: Strand, handle: _Handle) -> None:
        with self._lock:
            self._handles[strand] = handle
            while len(self._handles) > limits.OPEN_STRANDS_PER_DRIVE:
                self._handles.popitem(last=False)

    def _forget(self, strand: Strand) -> None:
        with self._lock:
            self._handles.pop(strand, None)


def _is_gone(fd: int) -> bool:
    """No name leads to it any more, or its file system was shut down and says nothing but EIO."""
    try:
        return os.fstat(fd).st_nlink == 0
    except OSError:
        return True


def _begin(path: Path, header: bytes) -> _Handle:
    """A new file with its first record, not synced. Nothing is left of it when that fails."""
    handle = _Handle(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        write_all(handle.fd, [header], 0)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return handle


def _segment_of(name: str) -> int | None:
    if len(name) != 16:
        return None
    try:
        number = int(name, 16)
    except ValueError:
        return None
    return number if segment_name(number) == name else None
