"""systemd units of a host: the server, and a mount for each drive. The supervisor of `kakera serve` keeps its three
processes; systemd keeps the supervisor."""

from __future__ import annotations

import posixpath
from typing import Final

from infra import naming
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.template import render

UNIT_FOLDER: Final = "/etc/systemd/system"
STOP_MARGIN_S: Final = 35  # beyond the drain: the supervisor gives each of its three children 8 s, and ends in 24
LOWEST_FREE_PORT: Final = 1024
OPEN_FILES: Final = 65_536  # what the server asks for itself: connections and strands
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.")


def units(plan: Plan, host: PlannedHost, *, data_root: str | None = None) -> dict[str, str]:
    """Absolute path -> text. Raises: ValueError when no data root is known."""
    root = host.data_root or data_root
    if root is None or not posixpath.isabs(root):
        raise ValueError(f"data root {root!r} is not absolute")
    mounts = {mount_unit(posixpath.join(root, drive.path)): drive for drive in host.drives}
    found = {
        f"{UNIT_FOLDER}/{name}": render(
            "drive.mount.j2",
            plan=plan,
            host=host,
            drive=drive,
            where=posixpath.join(root, drive.path),
            label=naming.drive_label(drive.number),
        )
        for name, drive in mounts.items()
    }
    found[f"{UNIT_FOLDER}/{naming.UNIT}"] = render(
        "kakera.service.j2",
        plan=plan,
        host=host,
        root=root,
        mounts=sorted(mounts),
        user=naming.SERVER_USER,
        program=f"{naming.PROGRAM_ROOT}/bin/kakera",
        settings=naming.SETTINGS_FILE,
        stop_s=host.http.graceful_timeout_s + STOP_MARGIN_S,
        open_files=OPEN_FILES,
        low_port=min(host.port, host.health_port or host.port) < LOWEST_FREE_PORT,
    )
    return dict(sorted(found.items()))


def mount_unit(path: str) -> str:
    """The name systemd gives to the mount of an absolute path (systemd.unit, "String escaping")."""
    words = [word for word in path.split("/") if word]
    return "-".join(_escaped(word, first=not number) for number, word in enumerate(words)) + ".mount"


def _escaped(word: str, *, first: bool) -> str:
    def one(position: int, byte: int) -> str:
        plain = chr(byte) in _PLAIN and not (first and position == 0 and byte == ord("."))
        return chr(byte) if plain else f"\\x{byte:02x}"

    return "".join(one(position, byte) for position, byte in enumerate(word.encode()))
