"""The Pulumi program: one stack of one environment. A table of contents; the work is in `deploy` and `components`."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent
sys.path.insert(0, str(PROGRAM.parent))  # the engine runs the folder, not the package

from infra.deploy import judged, outputs, settings  # noqa: E402
from infra.deploy.account import account  # noqa: E402
from infra.deploy.joint import joint  # noqa: E402
from infra.deploy.region import region  # noqa: E402


def main() -> None:
    configured = settings.read(checkout=PROGRAM.parent)
    settings.refuse_wrong_mode(configured)
    settings.refuse_wrong_state(configured)
    plan = judged.checked_plan(configured)
    judged.tag_everything(plan, configured.part)
    judged.refuse_wrong_resources()
    judged.let_go()
    match configured.part:
        case "account":
            told = account(plan)
        case "global":
            told = joint(plan)
        case name:
            told = region(plan, name, configured)
    outputs.export(told, configured)


main()
