"""Run a client program as its user would, with nothing of this machine's settings and no second chances."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

LIMIT_S = 240.0  # against hanging; a full run moves 100 MB on a busy machine


@dataclass(frozen=True)
class Program:
    """A command with what all its calls have in common."""

    command: tuple[str, ...]
    home: Path
    environment: dict[str, str] = field(default_factory=dict, repr=False)  # it holds the secret

    def __call__(self, *words: str | Path, stdin: bytes | None = None) -> bytes:
        """Its standard output. Raises: AssertionError with all it said when it fails."""
        done = self.attempt(*words, stdin=stdin)
        assert done.returncode == 0, f"{self.command[0]} {' '.join(map(str, words))}: {done.returncode}\n{said(done)}"
        return done.stdout

    def text(self, *words: str | Path) -> str:
        return self(*words).decode()

    def attempt(self, *words: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """The finished call, whatever its end."""
        return subprocess.run(
            (*self.command, *map(str, words)),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self._all(),
            cwd=self.home,
            timeout=LIMIT_S,
            check=False,
        )

    def _all(self) -> dict[str, str]:
        beside = str(Path(sys.executable).parent)  # awscli is installed there
        path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
        return {"PATH": path, "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "UTC", **self.environment}


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout[-2000:] + b"\n" + done.stderr[-4000:]).decode(errors="replace")
