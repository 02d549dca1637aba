"""Which drives are ours (R8): formatting a new cluster, opening its drives, replacing one.

A drive is present when its folder holds a whole identity file with this cluster's id, this slot and the newest
generation known. Everything else is an absent drive with a reason: an empty folder, a damaged file, another cluster's
or slot's drive, a drive that was replaced. The marker in the state folder says that the cluster exists, so that wiped
drives are never formatted anew.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from kakera.base import clock, errors, kernel, limits
from kakera.config import Config, Profile
from kakera.segments.drive import BULK, JOURNAL, Drive, Identity
from kakera.segments.files import IDENTITY_FILE, decode_identity, encode_identity, replace_file, seal, unseal
from kakera.segments.local import LocalDrive

MARKER_FILE = "cluster.json"
_IGNORED = {"lost+found", "tmp"}  # what a file system or an interrupted start leaves in an empty folder


class Marker(NamedTuple):
    """The state folder's memory. formatted False: formatting was begun; it is finished with the same ids.

    drives: slot -> (drive id, generation)."""

    cluster: str
    formatted: bool
    drives: dict[int, tuple[str, int]]


def format_drives(config: Config) -> bool:
    """Make a new cluster when every drive folder is empty and the state folder knows of none (R8).

    Returns: True when this call formatted. False: there is a cluster already (its drives may be absent).
    Raises: NotReady when there is no cluster and a folder holds something else; OSError when a folder cannot be
    written.
    """
    if config.out_of_reach:
        raise errors.NotReady(config.out_of_reach)  # a store is formatted with all its drives or not at all
    marker = read_marker(config)
    if marker is not None and marker.formatted:
        return False
    paths = [Path(drive.path) for drive in config.drives]
    if marker is None:
        if any(_probe(path)[0] is not None for path in paths):
            return False  # the state folder was lost, the drives were not: open_drives finds the cluster
        for path in paths:
            _require_empty(path)
        ids = {slot: (uuid.uuid4().hex, 1) for slot in range(len(paths))}
        marker = Marker(uuid.uuid4().hex, formatted=False, drives=ids)
        write_marker(config, marker)
    for slot, path in enumerate(paths):
        drive, generation = marker.drives[slot]
        identity = Identity(marker.cluster, drive, slot, generation)
        found, _ = _probe(path)
        if found != identity:
            _require_empty(path)
            _write_identity(path, identity)
    write_marker(config, marker._replace(formatted=True))
    return True


def _require_empty(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    left = [name for name in os.listdir(path) if name not in _IGNORED and not name.endswith(".new")]
    # An interrupted formatting leaves folders without anything in them.
    left = [name for name in left if name not in (JOURNAL, BULK) or os.listdir(path / name)]
    if left:
        some = ", ".join(sorted(left)[:3])
        raise errors.NotReady(f"{path} is not empty ({some}): a new drive is an empty folder")


def _write_identity(path: Path, identity: Identity) -> None:
    kernel.private_folder(path)
    for name in (JOURNAL, BULK, "tmp"):
        kernel.private_folder(path / name)
    # Last, and it syncs the folder with it: a drive with an identity has its folders.
    replace_file(path / IDENTITY_FILE, encode_identity(identity))


def _probe(path: Path) -> tuple[Identity | None, str]:
    """(identity, "") or (None, reason). Never raises."""
    try:
        with open(path / IDENTITY_FILE, "rb") as file:
            data = file.read(limits.MAX_IDENTITY_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_dir():
            return None, "no such folder"
        return None, "the folder has no identity file: an emptied or new drive waits for replace-drive"
    except OSError as error:
        return None, f"the identity file cannot be read: {error.strerror}"
    found = decode_identity(data)
    return found, "" if found else "the identity file is damaged"


# --- the marker
# -------------------------------------------------------------------------------------------------------------


def _marker_path(config: Config) -> Path:
    return Path(config.server.state_dir) / MARKER_FILE


def read_marker(config: Config) -> Marker | None:
    """None when there is none. Raises NotReady when it is damaged: then nothing may be formatted."""
    path = _marker_path(config)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    fields = unseal(data)
    try:
        if fields is None:
            raise ValueError
        known: Any = fields["drives"]
        drives = {int(slot): (str(drive), int(generation)) for slot, (drive, generation) in known.items()}
        return Marker(str(fields["cluster"]), bool(fields["formatted"]), drives)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        remedy = "remove it when the drives are in place, it is made again from them"
        raise errors.NotReady(f"{path} is damaged: {remedy}") from error


def write_marker(config: Config, marker: Marker) -> None:
    path = _marker_path(config)
    kernel.private_folder(path.parent)
    drives = {str(slot): list(entry) for slot, entry in marker.drives.items()}
    replace_file(path, seal({"cluster": marker.cluster, "formatted": marker.formatted, "drives": drives}))


# --- opening
# ----------------------------------------------------------------------------------------------------------------


def judge(found: Identity | None, why: str, slot: int, marker: Marker) -> str:
    """Why the drive found at `slot` is not to be used; "" when it is. Pure."""
    if found is None:
        return why
    if found.cluster != marker.cluster:
        return f"belongs to another cluster ({found.cluster[:8]})"
    if found.slot != slot:
        return f"is the drive of slot {found.slot}"
    known, generation = marker.drives.get(slot, ("", 0))
    if found.generation < generation:
        return f"was replaced (generation {found.generation}, now {generation})"
    if found.generation == generation and found.drive != known:
        return "another drive was known here"
    return ""


class Drives:
    """The drives of this cluster: `present` by slot, `absent` by slot with the reason. `refresh` looks again."""

    def __init__(self, config: Config, marker: Marker) -> None:
        self._config = config
        self._marker = marker
        self.profile: Profile = config.profile
        self.present: dict[int, Drive] = {}
        self.absent: dict[int, str] = {}
        self.ids: dict[int, str] = {}  # slot -> drive id of the present drives
        self._refreshed_s = 0.0
        self.refresh()

    @property
    def cluster(self) -> str:
        return self._marker.cluster

    @property
    def slots(self) -> int:
        return len(self._config.drives)

    def refresh(self) -> bool:
        """Probe every folder.

        Drives that stayed keep their object. True when one came or went. Never raises for a bad drive.
        """
        self._learn_generations()
        present: dict[int, Drive] = {}
        absent: dict[int, str] = {}
        ids: dict[int, str] = {}
        for slot, entry in enumerate(self._config.drives):
            drive, why = self._open(slot, Path(entry.path), entry.domain)
            if drive is None:
                absent[slot] = why
            else:
                present[slot] = drive
                ids[slot] = drive.drive_id
        self._refreshed_s = clock.monotonic_s()
        self.absent = absent
        if present == self.present:
            return False
        # Replaced whole, and only when it changed: a layout learned from a table is good while that is the same object.
        self.ids, self.present = ids, present
        return True

    def refresh_if_old(self) -> bool:
        """`refresh`, but not more often than once in `limits.DRIVE_PROBE_S`."""
        if clock.monotonic_s() - self._refreshed_s < limits.DRIVE_PROBE_S:
            return False
        return self.refresh()

    def sweep(self) -> None:
        """Let go of strands that another process has dropped, in a process that nobody asks for anything either."""
        for drive in self.present.values():
            if isinstance(drive, LocalDrive):
                drive.sweep()

    def _learn_generations(self) -> None:
        """Another process may have replaced a drive:

        The marker is read again, and one that cannot be read changes nothing.
        """
        try:
            marker = read_marker(self._config)
        except (errors.NotReady, OSError):
            return
        if marker is not None and marker.cluster == self._marker.cluster:
            self._marker = marker

    def _open(self, slot: int, path: Path, domain: str) -> tuple[LocalDrive | None, str]:
        found, why = _probe(path)
        why = judge(found, why, slot, self._marker)
        if why or found is None:
            return None, why
        before = self.present.get(slot)
        try:
            if isinstance(before, LocalDrive) and before.expected == found:
                drive = before
            else:
                drive = LocalDrive(path, found, domain=domain)
            drive.identity()
            drive.sweep()
        except OSError as error:
            return None, error.strerror or str(error)
        return drive, ""


def open_drives(config: Config) -> Drives:
    """Probe the drives of the cluster the marker names; without a marker, of the cluster most identity files name.

    Raises: NotReady when neither says which cluster this is.
    """
    marker = read_marker(config)
    if marker is None or not marker.formatted:
        marker = _marker_from_drives(config)
        write_marker(config, marker)
    return Drives(config, marker)


def _marker_from_drives(config: Config) -> Marker:
    found = [_probe(Path(drive.path))[0] for drive in config.drives]
    clusters = Counter(identity.cluster for identity in found if identity is not None)
    if not clusters:
        raise errors.NotReady("no drive has an identity and the state folder knows of no cluster: nothing to open")
    cluster, votes = clusters.most_common(1)[0]
    if votes * 2 <= sum(clusters.values()):
        raise errors.NotReady(f"the drives belong to different clusters ({', '.join(sorted(c[:8] for c in clusters))})")
    drives = {
        slot: (identity.drive, identity.generation)
        for slot, identity in enumerate(found)
        if identity is not None and identity.cluster == cluster and identity.slot == slot
    }
    return Marker(cluster, formatted=True, drives=drives)


def replace_drive(config: Config, slot: int) -> Identity:
    """The operator says: what is in this slot's folder is a new, empty drive (`kakera repair replace-drive`, R8).

    The marker learns the new generation before the folder gets its identity: after a crash between the two the slot
    is absent, and the call is repeated. The drive replaced is absent for good when it comes back.
    Raises: NotReady when the slot's drive is present or its folder is not empty; OSError.
    """
    if not 0 <= slot < len(config.drives):
        raise errors.InvalidArgument(f"there is no slot {slot}", argument="slot", value=str(slot))
    drives = open_drives(config)
    if slot in drives.present:
        raise errors.NotReady(f"slot {slot} has its drive: nothing to replace")
    path = Path(config.drives[slot].path)
    _require_empty(path)
    marker = read_marker(config)
    if marker is None:
        raise errors.NotReady("the state folder lost its marker")
    generation = marker.drives.get(slot, ("", 0))[1] + 1
    identity = Identity(marker.cluster, uuid.uuid4().hex, slot, generation)
    write_marker(config, marker._replace(drives={**marker.drives, slot: (identity.drive, generation)}))
    _write_identity(path, identity)
    return identity
