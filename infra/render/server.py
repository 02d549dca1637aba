"""server.toml of one host: the contract with the store (docs/adr/0001, 0009). Names the files that hold secrets."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from infra import naming
from infra.blueprint.cloud import PlannedDns
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.template import render

HTTPS_PORT = 443


class StoreDrive(NamedTuple):
    """A drive as every host of its store names it."""

    host: str
    path: str
    domain: str


def server_toml(plan: Plan, *, host_name: str, data_root: str | None = None) -> str:
    """The settings of host `host_name` with the Plan's paths below its data root; `data_root` is taken where the Plan
    leaves it open.

    Raises: KeyError (no such host), ValueError (no data root, or one that is relative).
    """
    return settings(plan, plan.host(host_name), data_root=data_root)


def settings(plan: Plan, host: PlannedHost, *, data_root: str | None = None) -> str:
    """Likewise for a host that need not be in the Plan by name: one of a group."""
    root = host.data_root or data_root
    if root is None or not posixpath.isabs(root):
        raise ValueError(f"data root {root!r} is not absolute")
    holders = [other for other in plan.hosts if other.store == host.store and other.drives]
    address = f"[{host.address}]" if ":" in host.address else host.address
    return render(
        "server.toml.j2",
        plan=plan,
        host=host,
        shared=[other.name for other in holders] != [host.name],
        listen=f"{address}:{host.port}",
        health_listen=f"{address}:{host.health_port}" if host.health_port is not None else "",
        primary=primary(plan) if host.read_only else "",
        certificate=naming.CERTIFICATE_FILE,
        key=naming.KEY_FILE,
        # The same drives in the same order on every host of a store: a drive's place in the list is its slot.
        drives=[
            StoreDrive(holder.name, posixpath.join(holder.data_root or root, drive.path), drive.domain)
            for holder in holders
            for drive in holder.drives
        ],
        below=lambda path: posixpath.join(root, path),
    )


def primary(plan: Plan) -> str:
    """URL of the store that takes writes, "" when it has no public name."""
    if plan.joint is None or plan.joint.dns is None:
        return ""
    dns = plan.joint.dns
    region = plan.part(plan.active)
    # Regions have names of their own beside it; the store's is the one that buckets hang below.
    name = next((name for name in _names(dns) if name in plan.base_domains), "")
    if not name or region is None or region.balancer is None:
        return ""
    port = region.balancer.listener.port
    return f"https://{name}" if port == HTTPS_PORT else f"https://{name}:{port}"


def _names(dns: PlannedDns) -> list[str]:
    return [f"{record.record}.{dns.domain}" for record in dns.records]
