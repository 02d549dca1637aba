"""How a command ends early."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
BAD_INPUT: Final = 2
NOT_RUNNING: Final = 3


class Stop(Exception):
    """Ends a command with a message and a non-zero exit code."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        self.code = code
        super().__init__(message)
