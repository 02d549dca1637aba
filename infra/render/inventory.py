"""The Ansible inventory of an environment: who is there, in which groups, and what the roles need to know of each."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final

from infra import naming
from infra.blueprint.outputs import Outputs
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.template import render

KNOWN_AFTER_UP: Final = "<known after up>"
_NOTHING: Final = Outputs()


def inventory(plan: Plan, outputs: Mapping[str, Outputs]) -> str:
    """YAML. `outputs`: what is known of each region's stack, by the region's name; what only the cloud knows and is
    not there stands as `<known after up>`."""
    hosts, groups = _hosts(plan, outputs), _groups(plan)
    return render("inventory.yaml.j2", plan=plan, hosts=hosts, groups=groups, common=_common(plan))


def _common(plan: Plan) -> dict[str, Any]:
    """What is the same on every host."""
    return {
        "ansible_python_interpreter": "/usr/bin/python3",
        "kakera_blueprint": plan.blueprint,
        "kakera_environment": plan.environment,
        "kakera_program_root": naming.PROGRAM_ROOT,
        "kakera_settings_file": naming.SETTINGS_FILE,
        "kakera_unit": naming.UNIT,
        "kakera_user": naming.SERVER_USER,
    }


def _groups(plan: Plan) -> dict[str, list[str]]:
    """Group -> names of its hosts; none is empty."""
    groups: dict[str, list[str]] = {}
    for host in plan.hosts:
        names = ["gateways" if host.role == "gateway" else "storage", f"zone_{_word(host.zone)}"]
        names += ["onprem"] if host.machine is None else []
        names += [f"region_{_word(host.region)}"] if host.region else []
        for name in names:
            groups.setdefault(name, []).append(host.name)
    return dict(sorted(groups.items()))


def _word(name: str) -> str:
    """Letters, digits and underscores: all that Ansible takes in the name of a group."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _hosts(plan: Plan, outputs: Mapping[str, Outputs]) -> dict[str, dict[str, Any]]:
    return {host.name: _variables(plan, host, outputs.get(host.region, _NOTHING)) for host in plan.hosts}


def _variables(plan: Plan, host: PlannedHost, known: Outputs) -> dict[str, Any]:
    root = host.data_root or naming.DATA_ROOT
    found: dict[str, Any] = {
        "ansible_host": known.host_addresses.get(host.name, host.address),
        "ansible_user": naming.ADMIN_USER,
        "kakera_data_root": root,
        "kakera_drives": [_drive(host, root, number, known) for number in range(len(host.drives))],
        "kakera_files": f"hosts/{host.name}",  # beside this inventory: server.toml, units
        "kakera_health_port": host.health_port,
        "kakera_own_drives": host.own_drives,
        "kakera_port": host.port,
        "kakera_read_only": host.read_only,
        "kakera_region": host.region,
        "kakera_role": host.role,
        "kakera_secrets": sorted(
            posixpath.join(root, path)
            for path in (
                *(account.credentials_path for account in plan.accounts),
                *((naming.CERTIFICATE_FILE, naming.KEY_FILE) if host.tls else ()),
            )
        ),
        "kakera_state": posixpath.join(root, host.state_path),
        "kakera_store": host.store,
        "kakera_tls": host.tls,
        "kakera_workers": host.workers,
        "kakera_zone": host.zone,
    }
    if host.machine is not None:
        found["kakera_instance_id"] = known.host_ids.get(host.name, KNOWN_AFTER_UP)
    return dict(sorted(found.items()))


def _drive(host: PlannedHost, root: str, index: int, known: Outputs) -> dict[str, Any]:
    """`device`: by the disk's serial, which is its id in the cloud without `d-`; null: the operator says which, or, of
    an instance's own (`kakera_own_drives`), any of them that is blank takes the label, and is known by it from then on.
    """
    drive = host.drives[index]
    disk = known.disk_ids.get(drive.name)
    device = None
    if host.machine is not None and not host.own_drives:
        device = f"/dev/disk/by-id/virtio-{disk.removeprefix('d-')}" if disk else KNOWN_AFTER_UP
    return {
        "name": drive.name,
        "number": drive.number,
        "device": device,
        "label": naming.drive_label(drive.number),
        "path": posixpath.join(root, drive.path),
        "size_gib": drive.size_gib,
    }
