"""The Pulumi program: one stack of one environment. A table of contents; the work is in `deploy` and `components`."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent
sys.path.insert(0, str(PROGRAM.parent))  # the engine runs the folder, not the package

from infra import deploy  # noqa: E402


def main() -> None:
    settings = deploy.read_settings(checkout=PROGRAM.parent)
    deploy.refuse_wrong_mode(settings)
    deploy.refuse_wrong_state(settings)
    plan = deploy.checked_plan(settings)
    deploy.tag_everything(plan, settings.part)
    match settings.part:
        case "account":
            outputs = deploy.account(plan)
        case "global":
            outputs = deploy.joint(plan, settings)
        case region:
            outputs = deploy.region(plan, region, settings)
    deploy.export(outputs, settings)


main()
