"""What the machine room has to do, so that its hosts reach the bucket of what is cold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from infra.blueprint.cloud import PlannedRegion
from infra.blueprint.outputs import Outputs
from infra.blueprint.plan import Plan
from infra.render.inventory import KNOWN_AFTER_UP
from infra.render.template import render

_NOTHING: Final = Outputs()


def onprem_files(plan: Plan, outputs: Mapping[str, Outputs]) -> dict[str, str]:
    """`onprem/path.md`, for an environment with a machine room; `outputs` as in `inventory`."""
    # The room hangs on one region.
    joined = next((region for region in plan.regions if region.oss_path is not None), None)
    return {"onprem/path.md": _path(plan, joined, outputs.get(joined.name, _NOTHING))} if joined else {}


def _path(plan: Plan, region: PlannedRegion, known: Outputs) -> str:
    path, vpn = region.oss_path, region.vpn
    assert path is not None
    addresses = (known.vpn_address or KNOWN_AFTER_UP, known.vpn_standby_address or KNOWN_AFTER_UP)
    return render(
        f"path-{path.kind}.md.j2",
        plan=plan,
        region=region.name,
        stack=region.stack,
        path=path,
        vpn=vpn,
        hosts=[host for host in plan.hosts if host.machine is None],
        addresses=dict(zip(("master", "slave"), addresses, strict=True)),
    )
