"""All files of an environment, and where its clients find it."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any, Final

from infra import naming
from infra.blueprint import plan as plans
from infra.blueprint.cloud import Known, PlannedRegion
from infra.blueprint.outputs import Outputs
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.cloudinit import cloud_init
from infra.render.gateways import cloud_init_gateway, gateway_toml
from infra.render.inventory import KNOWN_AFTER_UP, inventory
from infra.render.onprem import onprem_files
from infra.render.server import HTTPS_PORT, server_toml
from infra.render.units import units

JOINT: Final = "global"


def everything(plan: Plan, outputs: Mapping[str, Outputs]) -> dict[str, str]:
    """Path below the environment's folder -> text, sorted. `outputs`: by region's name, and `global`; a stack that is
    not there is not up yet."""
    found = {
        "plan.json": plans.dump(plan),
        "inventory.yaml": inventory(plan, outputs),
        "endpoints.json": endpoints(plan, outputs),
        **onprem_files(plan, outputs),
    }
    for host in plan.hosts:
        found |= {f"hosts/{host.name}/{path}": text for path, text in host_files(plan, host).items()}
    for region in plan.regions:
        if region.compute is not None and region.compute.scaling is not None:
            folder = f"gateways/{region.compute.scaling.name}"
            found[f"{folder}/server.toml"] = gateway_toml(plan, region.name)
            found[f"{folder}/cloud-init.yaml"] = cloud_init_gateway(plan, region.name)
    return dict(sorted(found.items()))


def host_files(plan: Plan, host: PlannedHost) -> dict[str, str]:
    """What one host reads, by file name; units below `units/`."""
    found = {"server.toml": server_toml(plan, host_name=host.name, data_root=naming.DATA_ROOT)}
    if host.machine is not None:
        found["cloud-init.yaml"] = cloud_init(plan, host)
    for path, text in units(plan, host, data_root=naming.DATA_ROOT).items():
        found[f"units/{posixpath.basename(path)}"] = text
    return found


def endpoints(plan: Plan, outputs: Mapping[str, Outputs]) -> str:
    """JSON for people and tests: the names that clients use, and what stands behind them."""
    found: dict[str, Any] = {
        "blueprint": plan.blueprint,
        "environment": plan.environment,
        "region": plan.region,
        "active": plan.active,
        "names": _names(plan, outputs),
        "regions": {region.name: _region(plan, region, outputs) for region in plan.regions},
        "hosts": {host.name: _url(host) for host in plan.hosts},
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _names(plan: Plan, outputs: Mapping[str, Outputs]) -> dict[str, str]:
    """Public name -> what it leads to."""
    if plan.joint is None:
        return {}
    found = {}
    for record in plan.joint.dns.records if plan.joint.dns else ():
        name = f"{record.record}.{plan.joint.dns.domain}" if plan.joint.dns else record.record
        found[name] = _told(record.value, outputs)
    if plan.joint.cdn is not None:
        found[plan.joint.cdn.domain] = outputs.get(JOINT, Outputs()).cdn_cname or KNOWN_AFTER_UP
    return found


def _told(value: Known, outputs: Mapping[str, Outputs]) -> str:
    if isinstance(value, str):
        return value
    told = getattr(outputs.get(value.region or JOINT, Outputs()), value.from_output)
    return str((told.get(value.key) if value.key else told) or KNOWN_AFTER_UP)


def _region(plan: Plan, region: PlannedRegion, outputs: Mapping[str, Outputs]) -> dict[str, Any]:
    known = outputs.get(region.name, Outputs())
    found: dict[str, Any] = {"role": region.role, "writes": region.name == plan.active}
    if region.balancer is not None:
        address = known.balancer_address or KNOWN_AFTER_UP
        port = region.balancer.listener.port
        found["endpoint"] = f"https://{address}" if port == HTTPS_PORT else f"https://{address}:{port}"
    if region.buckets:
        found["buckets"] = {
            bucket.name: known.bucket_endpoints.get(bucket.name, KNOWN_AFTER_UP) for bucket in region.buckets
        }
    return found


def _url(host: PlannedHost) -> str:
    address = f"[{host.address}]" if ":" in host.address else host.address
    return f"{'https' if host.tls else 'http'}://{address}:{host.port}"
