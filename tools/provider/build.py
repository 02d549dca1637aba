"""Build Alibaba Cloud's own Terraform provider, and the program that asks it: `python tools/provider/build.py`.

Prints the folder they are in; everything else goes to stderr. Built once a machine, from the Go modules `go.mod` pins
by hash, into `$KAKERA_CACHE` or `~/.cache/kakera`. The provider is one Go package of 765,000 lines: its compiler takes
7 GB of memory and ten minutes of one core. Standard library alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
PACKAGE: Final = "github.com/aliyun/terraform-provider-alicloud"
BINARY: Final = "terraform-provider-alicloud"  # the name Terraform looks for


class BuildError(Exception):
    """The provider cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Built:
    """`bin` holds the provider, as Terraform starts it; `facts` is the program that asks it, linked with it."""

    bin: Path
    facts: Path


def version() -> str:
    """Of the provider, without the `v`, as `go.mod` pins it."""
    found = re.search(rf"^\s*(?:require )?{re.escape(PACKAGE)} v(\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"go.mod does not require {PACKAGE}")
    return found[1]


def places() -> Built:
    """Where what these very sources make is kept: outside the tree, shared by every clone."""
    root = Path(os.environ.get("KAKERA_CACHE") or Path.home() / ".cache" / "kakera") / "provider"
    modules = _digest(HERE / "go.mod", HERE / "go.sum")
    return Built(root / modules, root / modules / f"facts-{_digest(*sorted((HERE / 'facts').glob('*.go')))}")


def ensure() -> Built:
    """Both programs, built if need be. Raises: BuildError."""
    wanted = places()
    wanted.bin.mkdir(parents=True, exist_ok=True)
    with (wanted.bin / "lock").open("w") as lock:  # two runs at once build it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(wanted.bin / BINARY, PACKAGE)
        _build(wanted.facts, "./facts")
        for other in wanted.bin.glob("facts-*"):  # 300 MB each, and a minute to link again
            if other != wanted.facts:
                other.unlink()
    return wanted


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build(target: Path, package: str) -> None:
    if target.exists():
        return
    go = shutil.which("go")
    if go is None:
        raise BuildError("`go` is not on PATH: install Go 1.25 or newer")
    say(f"building {package} (ten minutes of a core and 7 GB of memory, where Go has not compiled the provider before)")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = (go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(made), package)
        done = subprocess.run(command, cwd=HERE, env=environment, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise BuildError(f"go build {package} failed:\n{done.stderr[-2000:]}")
        made.rename(target)


def say(text: str) -> None:
    print(f"kakera: {text}", file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(ensure().bin)
    except BuildError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
