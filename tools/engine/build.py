"""Build the Pulumi engine and its Python language host where there is none: `python tools/engine/build.py`.

Prints the folder to put first on PATH; everything else goes to stderr. Built once a machine, from the Go modules that
`cli/go.mod` and `python-host/go.mod` pin by hash, into `$KAKERA_CACHE` or `~/.cache/kakera`; about five minutes on two
cores. Standard library alone: this runs before there is an environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CLI_PACKAGE: Final = "github.com/pulumi/pulumi/pkg/v3"
SDK_PACKAGE: Final = "github.com/pulumi/pulumi/sdk/v3"
PROGRAMS: Final = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")


class EngineError(Exception):
    """The engine cannot be had; the message says what to do."""


def cache() -> Path:
    """Where what is built is kept: outside the tree, shared by every clone."""
    return Path(os.environ.get("KAKERA_CACHE") or Path.home() / ".cache" / "kakera")


def folder() -> Path:
    """The `bin` of the engine of exactly these modules."""
    digest = hashlib.sha256()
    for module in ("cli", "python-host"):
        for name in ("go.mod", "go.sum"):
            digest.update((HERE / module / name).read_bytes())
    return cache() / "engine" / digest.hexdigest()[:16] / "bin"


def find() -> Path | None:
    """The folder of an engine that is there: built before, or a whole installation on PATH."""
    built = folder()
    if all((built / program).exists() for program in PROGRAMS):
        return built
    on_path = shutil.which("pulumi")
    if on_path is None:
        return None
    beside = Path(on_path).resolve().parent
    return beside if all((beside / program).exists() for program in PROGRAMS) else None


def ensure() -> Path:
    """The folder of the engine, built if need be. Raises: EngineError."""
    if found := find():
        return found
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent.parent / "lock").open("w") as lock:  # two tests at once build it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found := find():
            return found
        return _build(target)


def _build(target: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise EngineError("neither `pulumi` nor `go` is on PATH: install Pulumi, or Go 1.25 or newer to build it")
    _say("building the Pulumi engine (once a machine; about five minutes on two cores)")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder_name:
        made = Path(folder_name)
        version = _version(go, "cli", CLI_PACKAGE)
        stamp = f"-s -w -X {SDK_PACKAGE}/go/common/version.Version={version}"
        _go(go, "cli", "build", "-trimpath", "-ldflags", stamp, "-o", str(made / "pulumi"), f"{CLI_PACKAGE}/cmd/pulumi")
        host = f"{SDK_PACKAGE}/python/cmd/pulumi-language-python"
        output = str(made / "pulumi-language-python")
        _go(go, "python-host", "build", "-trimpath", "-ldflags", "-s -w", "-o", output, host)
        # The script that starts a program belongs to the engine's SDK, not to the older host.
        sdk = Path(json.loads(_go(go, "cli", "mod", "download", "-json", SDK_PACKAGE))["Dir"])
        shutil.copy(sdk / "python" / "cmd" / "pulumi-language-python-exec", made)
        for program in PROGRAMS:
            (made / program).chmod(0o755)
        made.chmod(0o755)
        made.rename(target)
        made.mkdir()  # what the context manager removes
    _say(f"built {target}")
    return target


def _version(go: str, module: str, package: str) -> str:
    return _go(go, module, "list", "-m", "-f", "{{.Version}}", package).strip()


def _go(go: str, module: str, *arguments: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        (go, *arguments), cwd=HERE / module, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"go {arguments[0]} failed in {module}:\n{done.stderr[-2000:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"kakera: {text}", file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(ensure())
    except EngineError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
