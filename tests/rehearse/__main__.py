"""`make rehearse`: every blueprint, two at a time; one line each."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.rehearse.walk import ANSWERS, WalkError, whole


def main(names: list[str]) -> int:
    chosen = names or list(ANSWERS)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="kakera-rehearse-") as folder, ThreadPoolExecutor(2) as pool:
        started = time.monotonic()
        running = {name: pool.submit(whole, name, Path(folder) / name) for name in chosen}
        for name, walk in running.items():
            try:
                print(walk.result(), flush=True)
            except WalkError as error:
                failed += 1
                print(f"{name}: FAILED\n{error}", flush=True)
        print(f"{len(chosen) - failed} of {len(chosen)} blueprints rehearsed in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
