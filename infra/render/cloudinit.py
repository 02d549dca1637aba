"""The first minutes of a host of the cloud: who may log in, what must be there before Ansible comes. From the Plan
alone, since it is an input of the host: the same Plan gives the same bytes. Disks are not touched here."""

from __future__ import annotations

import posixpath
from typing import Final

from infra import naming
from infra.blueprint.plan import Plan, PlannedHost
from infra.render.template import render

MAX_BYTES: Final = 20 * 1024  # the cloud takes 32 KiB of base64, which is 24 KiB of text
PACKAGES: Final = ("chrony", "python3", "python3-venv", "unattended-upgrades", "xfsprogs")
TIME_SERVER: Final = "ntp.cloud.aliyuncs.com"  # answers inside the VPC


def cloud_init(plan: Plan, host: PlannedHost) -> str:
    """User data of a host that has a machine. Raises: ValueError when it has none, or when the text grows too long."""
    if host.machine is None:
        raise ValueError(f"host {host.name} is no machine of the cloud: it has no cloud-init")
    neighbours = [other for other in plan.hosts if other.store == host.store]
    text = base(
        plan,
        host,
        public_key=public_key(plan, host.region),
        packages=PACKAGES,
        neighbours=[(other.address, other.name) for other in neighbours],
        more="",
    )
    return bounded(text, host.name)


def base(
    plan: Plan,
    host: PlannedHost,
    *,
    public_key: str,
    packages: tuple[str, ...],
    neighbours: list[tuple[str, str]],
    more: str,
) -> str:
    """What every host of the cloud has; `more` goes to the end of `write_files` and on from there."""
    root = host.data_root or naming.DATA_ROOT
    return render(
        "cloud-init.yaml.j2",
        plan=plan,
        host=host,
        public_key=public_key,
        packages=packages,
        neighbours=neighbours,
        time_server=TIME_SERVER,
        admin=naming.ADMIN_USER,
        user=naming.SERVER_USER,
        root=root,
        folders=[posixpath.join(root, name) for name in (host.state_path, naming.SECRETS_FOLDER)],
        settings_folder=posixpath.dirname(naming.SETTINGS_FILE),
        more=more,
    )


def public_key(plan: Plan, region_name: str) -> str:
    """Of who may log in; "": nobody."""
    for region in plan.regions:
        if region.name == region_name and region.compute is not None:
            return region.compute.public_key
    return ""


def bounded(text: str, name: str) -> str:
    """Raises: ValueError."""
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"cloud-init of {name} has {size} bytes, more than {MAX_BYTES}: the cloud would cut it")
    return text
