"""Imported first by the server's processes: keeps out what is only for people at a terminal.

structlog imports rich for its coloured development output whenever it is installed: a third of a process's start, and
6 MB. A committer must be back within a second.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
