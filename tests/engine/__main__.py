"""`python -m tests.engine`: the engine, built when it is missing. Without Go to build it the tests themselves tell."""

from __future__ import annotations

import sys

from tests.needs import in_ci, missing
from tools.engine import build


def main() -> int:
    if build.find() is None and missing(["go"]) and not in_ci():
        print("no engine, and no go to build it with: tests that need one are skipped")
        return 0
    print(build.ensure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
