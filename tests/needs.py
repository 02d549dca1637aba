"""What a test cannot do without: skipped where it is missing, a failure where CI promised it.

Use the marker `@pytest.mark.needs("root", "strace")` on a test, a class or `pytestmark`; call `require("...")` inside a
fixture. A name is `root`, `loop`, or a program on PATH. Nothing else in tests/ may skip (tests/tidy).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable

import pytest

_SPECIAL: dict[str, Callable[[], bool]] = {
    "root": lambda: os.geteuid() == 0,
    "loop": lambda: os.path.exists("/dev/loop-control"),
}


def missing(names: Iterable[str]) -> list[str]:
    """The names that this machine lacks, in the order given."""
    return [name for name in names if not (_SPECIAL[name]() if name in _SPECIAL else shutil.which(name))]


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def require(*names: str) -> None:
    """Skip the running test, naming what is missing; fail it instead when CI=true."""
    lacking = missing(names)
    if not lacking:
        return
    reason = f"needs {', '.join(lacking)} (see .ci/run for the packages)"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
