"""The log of calls: one line of JSON each in `calls.jsonl` of the rehearsal's folder. Names and outcomes, no values."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = "calls.jsonl"


@dataclass(frozen=True)
class Logged:
    """One call and how it ended. `outcome`: `ok`, or the message of the refusal."""

    operation: str
    type: str = ""
    name: str = ""
    region: str = ""
    id: str = ""
    preview: bool = False
    outcome: str = "ok"


def append(folder: Path, call: Logged) -> None:
    """Whole lines, whoever else writes: one write to a file opened for appending."""
    line = json.dumps(vars(call)) + "\n"
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def read(folder: Path) -> tuple[Logged, ...]:
    """Every call so far, in the order of their ends."""
    try:
        lines = (folder / FILE).read_text().splitlines()
    except FileNotFoundError:
        return ()
    return tuple(Logged(**json.loads(line)) for line in lines)
