"""Where a blueprint run on this machine keeps its things.

`build` can be made again and may be deleted; `data` is what the user owns: drives, credentials, state.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Both folders absolute."""

    build: Path
    data: Path

    @property
    def plan(self) -> Path:
        return self.build / "plan.json"

    @property
    def server_toml(self) -> Path:
        return self.build / "server.toml"

    @property
    def pid(self) -> Path:
        return self.build / "kakera.pid"

    @property
    def process(self) -> Path:
        return self.build / "process.json"

    @property
    def log(self) -> Path:
        return self.build / "server.log"

    @property
    def lock(self) -> Path:
        return self.build / "lock"

    @property
    def credentials_env(self) -> Path:
        return self.build / "credentials.env"


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file by a synced, complete one; it never has a wider mode than asked for, and is never half there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
