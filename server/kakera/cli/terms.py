"""What the commands share: how settings are named and loaded, and how a command ends with a message."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kakera.config import Config, ConfigError, load

ConfigPath = Annotated[Path, typer.Option("--config", help="the rendered server.toml", envvar="KAKERA_CONFIG")]
CONFIG = Path("server.toml")
WRONG_CONFIG = 2


class Stop(Exception):
    """Ends a command with a message and an exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def load_config(path: Path) -> Config:
    """Raises: Stop with every problem of the file."""
    try:
        return load(path)
    except ConfigError as error:
        raise Stop(str(error), WRONG_CONFIG) from error
