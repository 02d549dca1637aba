"""One of the server's processes, in this process: `python -m kakera.cli.process committer|http|background --config
FILE`.

Only what the process needs is imported: each is measured in megabytes a host.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kakera.base import faults, limits
from kakera.base.kernel import set_limits
from kakera.cli import lean as lean  # first: see there
from kakera.cli.supervise import NAMES
from kakera.config import ConfigError, load
from kakera.observe import log

CONFIG_WRONG = 2  # exit code


def run(name: str, path: Path) -> int:
    """Run until told to stop. Returns the exit code."""
    try:
        config = load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return CONFIG_WRONG
    set_limits()
    os.nice(limits.NICENESS.get(name, 0))
    faults.from_environment()
    log.configure(config.log.level, name)
    from kakera import assemble

    runs = {"committer": assemble.run_committer, "http": assemble.run_http, "background": assemble.run_background}
    try:
        return runs[name](config)
    except ConfigError as error:  # of a file that the settings name
        print(error, file=sys.stderr)
        return CONFIG_WRONG


def main() -> None:
    parser = argparse.ArgumentParser(prog="kakera.cli.process")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    sys.argv[1:] = []  # Gunicorn's own command line is not ours
    sys.exit(run(arguments.name, arguments.config))


if __name__ == "__main__":
    main()
