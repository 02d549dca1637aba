"""Make .venv from the lock. Runs on a bare Python 3.11: standard library only, no project import.

Called by the Makefile when requirements.lock or pyproject.toml is newer than .venv/ready; a change of neither
content (a fresh clone, a touched file) costs milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
READY = VENV / "ready"
INPUTS = (ROOT / "requirements.lock", ROOT / "pyproject.toml")


def complaint() -> str | None:
    """What this interpreter lacks, with the remedy; None when it will do."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:3])
        return f"the lock is made for Python 3.11, this is {found}; name another: make up PYTHON=..."
    try:
        import ensurepip  # noqa: F401  (Debian ships it apart from python3)
    except ImportError:
        return "this Python has no ensurepip and cannot make an environment. On Debian: apt-get install python3.11-venv"
    return None


def fingerprint() -> str:
    """Names the content the environment was made from, by which Python, and where: a moved .venv is made again."""
    digest = hashlib.sha256()
    for path in INPUTS:
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {sys.version_info[:3]} {os.path.realpath(sys.executable)} {VENV}\n"


def run(*command: str) -> None:
    # Some minimal machines start root's commands with HOME unset; pip's cache then has no home either.
    environment = {"HOME": str(VENV), **os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def make() -> None:
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "--no-input", "install")
    print("kakera: making .venv (once; about a minute)", flush=True)
    python = VENV / "bin" / "python"
    same = python.exists() and os.path.realpath(python) == os.path.realpath(sys.executable)
    venv.create(VENV, with_pip=True, clear=not same, symlinks=True)  # another Python's would not even start
    run(*pip, "--require-hashes", "--requirement", "requirements.lock")
    # The build backend is in the lock too: nothing is fetched outside it.
    run(*pip, "--no-deps", "--no-build-isolation", "--editable", ".")
    # The framework runs from its checkout and is in no wheel, so its command is made here.
    command = VENV / "bin" / "kakera-infra"
    path = f'PYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}"'
    command.write_text(f'#!/bin/sh\n{path} exec "{python}" -m infra.cli "$@"\n')
    command.chmod(0o755)


def main() -> int:
    if problem := complaint():
        print(f"kakera: {problem}", file=sys.stderr)
        return 1
    want = fingerprint()
    if not READY.exists() or READY.read_text() != want:
        try:
            make()
        except subprocess.CalledProcessError as error:
            print(f"kakera: making .venv failed ({error}); run make again, or remove .venv first", file=sys.stderr)
            return 1
    READY.write_text(want)
    return 0


if __name__ == "__main__":
    sys.exit(main())
