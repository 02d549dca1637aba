"""Gateways whose number varies: each host of the group installs itself, and leaves in order.

What a host fetches from the private bucket of artifacts, with the RAM role it has:

1. the wheel, whose digest the Plan names;
2. the settings object: JSON, file name -> text. `gateway_settings` makes it: server.toml, and the secrets that
   whoever deploys hands in; optionally requirements.lock, with which every package is checked by its digest.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Final

from infra import naming
from infra.blueprint.cloud import PlannedRegion, PlannedScaling
from infra.blueprint.plan import Plan, PlannedHost, PlannedHttp
from infra.render.cloudinit import PACKAGES, base, bounded
from infra.render.credentials import secrets_of
from infra.render.server import settings
from infra.render.template import render, source
from infra.render.units import units

ANYWHERE: Final = "0.0.0.0"  # the cloud gives the address
NOTICE_S: Final = 15  # after it balancers have seen that the host drains: three looks, 5 s apart
STOP_RESERVE_S: Final = 25  # of drain_s, beyond the requests under way: the notice, and the end of the processes
SHORTEST_DRAIN_S: Final = 5
PROGRAM: Final = "/usr/local/lib/kakera/gateway.py"
SETTINGS: Final = "/etc/kakera/gateway.json"
LEAVE_UNIT: Final = "kakera-leave.service"
LOCK: Final = "requirements.lock"


def gateway_toml(plan: Plan, region: str) -> str:
    """server.toml of each host of the group of `region`. Raises: KeyError when it has no group."""
    return settings(plan, _host(plan, *_group(plan, region)), data_root=naming.DATA_ROOT)


def gateway_settings(plan: Plan, region: str, files: Mapping[str, str]) -> str:
    """The settings object: `files` are the secrets by their path below the data root (`secrets/main.json`), and
    `requirements.lock`. Holds secrets: to be kept as one.

    Raises: KeyError when the region has no group; ValueError naming what is missing, or does not belong.
    """
    host = _host(plan, *_group(plan, region))
    wanted = {account.credentials_path for account in plan.accounts}
    wanted |= {naming.CERTIFICATE_FILE, naming.KEY_FILE} if host.tls else set()
    if missing := sorted(wanted - files.keys()):
        raise ValueError(f"settings of {host.name}: {', '.join(missing)} missing")
    if strange := sorted(files.keys() - wanted - {LOCK}):
        raise ValueError(f"settings of {host.name}: {', '.join(strange)} does not belong there")
    return json.dumps({"server.toml": gateway_toml(plan, region), **files}, indent=1, sort_keys=True) + "\n"


def gateway_secrets(plan: Plan, region: str) -> tuple[str, ...]:
    """Names of the secrets whose files `gateway_settings` wants. Raises: KeyError when the region has no group."""
    return secrets_of(plan, tls=_host(plan, *_group(plan, region)).tls)


def cloud_init_gateway(plan: Plan, region: str) -> str:
    """User data of the group of `region`. Raises: KeyError when it has no group, ValueError when it grows too long."""
    found, scaling = _group(plan, region)
    host = _host(plan, found, scaling)
    assert found.compute is not None
    more = render(
        "gateway-files.yaml.j2",
        settings_path=SETTINGS,
        settings=json.dumps(_settings(scaling, found.name), indent=1, sort_keys=True),
        program_path=PROGRAM,
        program=source("gateway.py"),
        units=units(plan, host),
        leave_unit=LEAVE_UNIT,
        server_unit=naming.UNIT,
        stop_s=scaling.drain_s + STOP_RESERVE_S,
    )
    text = base(
        plan,
        host,
        public_key=found.compute.public_key,
        packages=tuple(name for name in PACKAGES if name != "xfsprogs"),
        neighbours=[],  # a gateway reaches the others by their addresses
        more=more,
    )
    return bounded(text, scaling.name)


def _group(plan: Plan, name: str) -> tuple[PlannedRegion, PlannedScaling]:
    for region in plan.regions:
        if region.name == name and region.compute is not None and region.compute.scaling is not None:
            return region, region.compute.scaling
    raise KeyError(name)


def _host(plan: Plan, region: PlannedRegion, scaling: PlannedScaling) -> PlannedHost:
    """What all of the group have in common, as a host: in all else they are as those that hold the store's drives."""
    holder = next(host for host in plan.hosts if host.region == region.name and host.machine is not None)
    return holder.model_copy(
        update={
            "name": scaling.name,
            "role": "gateway",
            "zone": "",
            "address": ANYWHERE,
            "drives": (),
            "machine": scaling.machine,
            "http": _http(holder.http, scaling),
        }
    )


def _http(http: PlannedHttp, scaling: PlannedScaling) -> PlannedHttp:
    """The drain of the group's hook, less what else it has to cover."""
    return http.model_copy(update={"graceful_timeout_s": max(SHORTEST_DRAIN_S, scaling.drain_s - STOP_RESERVE_S)})


def _settings(scaling: PlannedScaling, region: str) -> dict[str, str | int]:
    """What templates/gateway.py reads. Addresses are those inside the VPC."""
    return {
        "bucket": scaling.bucket,
        "drain_s": scaling.drain_s,
        "leave_unit": LEAVE_UNIT,
        "metadata": "http://100.100.100.200/latest",
        "notice_s": NOTICE_S,
        "objects": f"https://{{bucket}}.oss-{region}-internal.aliyuncs.com",
        "program": naming.PROGRAM_ROOT,
        "region": region,
        "role": scaling.machine.role,
        "root": naming.DATA_ROOT,
        "scaling": f"https://ess-vpc.{region}.aliyuncs.com",
        "settings_file": naming.SETTINGS_FILE,
        "settings_folder": posixpath.dirname(naming.SETTINGS_FILE),
        "settings_object": scaling.settings_object,
        "unit": naming.UNIT,
        "user": naming.SERVER_USER,
        "wheel": scaling.wheel,
        "wheel_sha256": scaling.wheel_sha256,
    }
