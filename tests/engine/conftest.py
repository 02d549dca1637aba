"""The engine, built once a machine, and worlds to use it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.world import World
from tests.needs import require
from tools.engine import build


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Built when it is missing, which takes minutes; `python -m tests.suites` does it in a step of its own."""
    if build.find() is None:
        require("go")
    build.ensure()


@pytest.fixture
def world(tmp_path: Path, engine: None) -> Callable[[str], World]:
    """A fresh environment of a blueprint."""

    def make(blueprint: str) -> World:
        return World(tmp_path / "project", blueprint)

    return make
