"""XFS of their own, on loop devices, under a server's folders: to be filled, and to lose their power."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
from pathlib import Path

from tests.fault.live import Live

IMAGE_BYTES = 384 << 20  # sparse; XFS wants 300 MB
XFS_IOC_GOINGDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # XFS_FSOP_GOING_FLAGS_NOLOGFLUSH: what is neither on the device nor in its log is gone


class Mains:
    """Loop-mounted XFS under a server's folders, and the switch."""

    def __init__(self, live: Live, *, image_bytes: int = IMAGE_BYTES) -> None:
        self.mounts = [*(live.drive(slot) for slot in range(6)), live.folder / "state"]
        for mount in self.mounts:
            mount.mkdir(exist_ok=True)
            with open(self._image(mount), "wb") as image:
                image.truncate(image_bytes)
            subprocess.run(("mkfs.xfs", "-q", "-f", self._image(mount)), check=True)
            self._mount(mount)

    @staticmethod
    def _image(mount: Path) -> Path:
        return mount.with_name(mount.name + ".img")

    def _mount(self, mount: Path) -> None:
        subprocess.run(("mount", "-o", "loop", self._image(mount), mount), check=True)

    def cut(self) -> None:
        folders = [os.open(mount, os.O_RDONLY) for mount in self.mounts]
        random.shuffle(folders)
        for folder in folders:
            fcntl.ioctl(folder, XFS_IOC_GOINGDOWN, struct.pack("I", NO_LOG_FLUSH))
        for folder in folders:
            os.close(folder)

    def restore(self) -> None:
        for mount in self.mounts:
            subprocess.run(("umount", mount), check=True)
            self._mount(mount)

    def remove(self) -> None:
        for mount in self.mounts:
            subprocess.run(("umount", "-l", mount), check=False)
            self._image(mount).unlink(missing_ok=True)
