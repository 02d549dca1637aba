"""Where the engine's programs are: on PATH, or built once by `tools/engine`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
PLUGIN_FOLDER: Final = CHECKOUT / "infra" / "rehearsal" / "plugin"
BUILD: Final = CHECKOUT / "tools" / "engine" / "build.py"


class EngineError(Exception):
    """The engine cannot be had, or refused; the message says what to do."""


def engine_bin() -> Path:
    """The folder of `pulumi` and its Python host; the first call on a machine may build them for minutes.

    Raises: EngineError.
    """
    done = subprocess.run((sys.executable, str(BUILD)), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise EngineError("the Pulumi engine cannot be had; its reason is above")
    return Path(done.stdout.strip())
