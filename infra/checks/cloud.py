"""Checks on what the cloud is asked for: names, types, outputs, purchases, secrets. Pure."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from infra import naming
from infra.blueprint import catalogue
from infra.blueprint.cloud import FromOutput, PlannedRegion
from infra.blueprint.outputs import PRODUCERS
from infra.blueprint.plan import Plan
from infra.blueprint.values import Frozen
from infra.checks.outcome import Finding, Where

DISK_ROLE: Final = "AliyunECSDiskEncryptDefaultRole"
_BUCKET: Final = re.compile(r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
_LABEL: Final = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
MAX_ROLE: Final = 64
NO_DIGEST: Final = "0" * 64


def instance_types_known(plan: Plan) -> Iterator[Finding]:
    """Every instance type is in the catalogue."""
    known = [found.type for found in catalogue.shipped().types]
    asked: dict[str, Where] = {}
    for host in plan.hosts:
        if host.machine:
            section = "storage" if host.role == "storage" else "gateways"
            asked[host.machine.instance_type] = (section, "instance_type")
    for region in plan.regions:
        if region.compute and region.compute.scaling:
            asked[region.compute.scaling.machine.instance_type] = ("gateways", "instance_type")
        if region.database:
            asked[region.database.instance_type] = ("database", "instance_type")
    for name, where in asked.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            yield Finding(f"instance type {name!r} is not in the catalogue", where, hint)


def disks_attachable(plan: Plan) -> Iterator[Finding]:
    """No host has more disks than its instance type takes, where a source says how many."""
    limits = {found.type: found.max_disks for found in catalogue.shipped().types}
    asked = {
        (host.machine.instance_type, len(host.drives))
        for host in plan.hosts
        if host.machine and host.machine.drives == "cloud" and host.role == "storage"
    }
    for name, drives in sorted(asked):
        limit = limits.get(name)
        if limit is not None and drives > limit:
            yield Finding(
                f"{name} takes {limit} data disks, and {drives} are asked for",
                ("storage", "drives_per_host"),
                "fewer and larger disks, more hosts, or a larger type",
            )


def outputs_produced(plan: Plan) -> Iterator[Finding]:
    """What only the cloud knows has a producer, in the stack that is to give it."""
    stacks: dict[str, tuple[str, ...]] = {region.name: region.outputs for region in plan.regions}
    for name, outputs in (*stacks.items(), (naming.GLOBAL, plan.joint.outputs if plan.joint else ())):
        for output in outputs:
            if output not in PRODUCERS:
                yield Finding(f"{name}: nothing produces output {output!r}")
    parts = {**{region.name: region for region in plan.regions}, naming.GLOBAL: plan.joint}
    for name, part in parts.items():
        for wanted in _wanted(part):
            source = wanted.region or name
            given = plan.joint.outputs if source == naming.GLOBAL and plan.joint else stacks.get(source, ())
            if wanted.from_output not in given:
                yield Finding(f"{name}: needs output {wanted.from_output!r} of {source}, which does not produce it")


def _wanted(node: object) -> Iterator[FromOutput]:
    """Every value of a slice that is an output of some stack."""
    if isinstance(node, FromOutput):
        yield node
    elif isinstance(node, Frozen):
        for field in type(node).model_fields:
            yield from _wanted(getattr(node, field))
    elif isinstance(node, (tuple, list)):
        for item in node:
            yield from _wanted(item)


def purchases_allowed(plan: Plan) -> Iterator[Finding]:
    """Nothing is bought that cannot be given back, unless `allow_purchase` says so."""
    if plan.allow_purchase:
        return
    bought: dict[str, Where] = {}
    for region in plan.regions:
        if region.keys.mode == "instance":
            bought[f"a KMS instance ({'hardware' if region.keys.hsm else 'software'})"] = ("keys", "mode")
    if plan.joint and plan.joint.dns and plan.joint.dns.traffic_manager:
        bought["a Global Traffic Manager instance"] = ("dns", "traffic_manager")
    for what, where in bought.items():
        yield Finding(f"buys {what}", where, "set allow_purchase: true, or choose without it")


def names_legal(plan: Plan) -> Iterator[Finding]:
    """Every name is one the cloud takes: buckets to 63 characters, host names one label, roles to 64."""
    for region in plan.regions:
        for bucket in region.buckets:
            if not _BUCKET.match(bucket.name):
                yield Finding(
                    f"bucket {bucket.name!r}: 3 to {naming.MAX_BUCKET} small letters, digits and inner hyphens",
                    ("bucket_prefix",),
                    "a shorter bucket_prefix",
                )
        for role in region.identity:
            if len(role.name) > MAX_ROLE:
                yield Finding(f"role {role.name!r} is longer than {MAX_ROLE}", ("name",), "a shorter name")
    for host in plan.hosts:
        if len(host.name) > naming.MAX_HOST or not _LABEL.match(host.name):
            place: Where = ("name",) if host.machine else ("hosts", host.name, "name")
            yield Finding(f"host {host.name!r} is no host name", place, "short, and ending in a letter or digit")


def names_distinct(plan: Plan) -> Iterator[Finding]:
    """No two hosts share a name, and no two buckets: whoever is asked for by name is one."""
    hosts = Counter(host.name for host in plan.hosts)
    for name in sorted(name for name, count in hosts.items() if count > 1):
        yield Finding(f"{hosts[name]} hosts are called {name!r}", ("hosts", name, "name"), "a name of its own")
    buckets = Counter(bucket.name for region in plan.regions for bucket in region.buckets)
    for name in sorted(name for name, count in buckets.items() if count > 1):
        yield Finding(f"{buckets[name]} buckets are called {name!r}", ("bucket_prefix",), "another bucket_prefix")


def records_distinct(plan: Plan) -> Iterator[Finding]:
    """No name of the domain leads to two places: the store's, each region's, the edge's, the cold bucket's."""
    if plan.joint is None or plan.joint.dns is None:
        return
    zone = plan.joint.dns.domain
    edge = plan.joint.cdn.domain if plan.joint.cdn else ""
    labels = Counter(record.record for record in plan.joint.dns.records)
    for label in sorted(label for label, count in labels.items() if count > 1):
        place: Where = ("cdn", "domain") if f"{label}.{zone}" == edge else ("dns", "record")
        yield Finding(f"{label}.{zone} would lead to {labels[label]} places", place, "a name of its own for each")
    for region in plan.regions:
        path = region.oss_path
        if path and path.domain and path.zone == zone and path.domain.removesuffix(f".{zone}") in labels:
            text = f"{path.domain} leads to the store, and to the bucket of what is cold"
            yield Finding(text, ("onprem", "domain"), "a name of its own for each")


def image_known(plan: Plan) -> Iterator[Finding]:
    """The system image is in the catalogue."""
    known = {image.id for image in catalogue.shipped().images}
    asked = {host.machine.image for host in plan.hosts if host.machine}
    groups = (region.compute.scaling for region in plan.regions if region.compute)
    asked |= {group.machine.image for group in groups if group}
    for image in sorted(asked - known):
        text = f"image {image!r} is not in the catalogue: whether hosts boot from it is not known"
        hint = "try it on one host of the cloud, and waive this check with what was seen"
        yield Finding(text, ("image",), hint, unknown=True)


def secrets_referenced(plan: Plan) -> Iterator[Finding]:
    """Every secret that a stack needs is one that its configuration is to hold."""
    made = {(secret.name, stack) for secret in plan.secrets for stack in secret.stacks}
    for region in plan.regions:
        for name in _secrets(region):
            if (name, region.stack) not in made:
                yield Finding(f"{region.stack}: secret {name!r} is for no stack of that name")


def _secrets(region: PlannedRegion) -> Iterator[str]:
    if region.database:
        yield region.database.secret
    if region.vpn:
        yield from (tunnel.secret for tunnel in region.vpn.tunnels)
    if region.compute and region.compute.scaling:
        yield from (naming.TLS_CERTIFICATE_SECRET, naming.TLS_KEY_SECRET)


def wheel_digest_given(plan: Plan) -> Iterator[Finding]:
    """Gateways that install themselves are told the digest of what they install."""
    for region in plan.regions:
        scaling = region.compute.scaling if region.compute else None
        if scaling and scaling.wheel_sha256 == NO_DIGEST:
            yield Finding(
                f"{scaling.name}: no digest of {scaling.wheel}", ("gateways",), "wheel_sha256: what sha256sum prints"
            )
