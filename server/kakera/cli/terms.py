"""What the commands share: how settings are named and loaded, and how a command ends with a message."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kakera.config import Config, ConfigError, load
from kakera.observe import log

ConfigPath = Annotated[Path, typer.Option("--config", help="the rendered server.toml", envvar="KAKERA_CONFIG")]
Limit = Annotated[
    float, typer.Option("--limit-s", min=0.0, help="give up after so many seconds; exit code 1 when work is left")
]
CONFIG = Path("server.toml")
WRONG_CONFIG = 2


class Stop(Exception):
    """Ends a command with a message and an exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def load_store(path: Path) -> Config:
    """`load_config` for commands that work on the drives. Raises: Stop, also when some of them belong to others."""
    config = load_config(path)
    if config.out_of_reach:
        raise Stop(config.out_of_reach)
    return config


def load_config(path: Path) -> Config:
    """Also quiets this command's log to errors. Raises: Stop with every problem of the file."""
    log.configure("error", "cli")
    try:
        return load(path)
    except ConfigError as error:
        raise Stop(str(error), WRONG_CONFIG) from error
