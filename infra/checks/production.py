"""Checks on what production must keep: backups, logs, buckets, encryption, and who it belongs to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.blueprint.cloud import PlannedBucket, PlannedRegion
from infra.blueprint.plan import Plan
from infra.checks.outcome import Finding, Where

BACKUP_DAYS: Final = 7  # what breaks at the beginning of a long weekend is seen when it is over
LOG_DAYS: Final = 365  # CIS 2.23; the Cybersecurity Law of China (article 21) asks for six months
OWNER: Final = "owner"


def backups_kept(plan: Plan) -> Iterator[Finding]:
    """In production, snapshots, replaced versions and the backups of the index are kept for a week or longer."""
    if plan.environment != "prod":
        return
    for region in plan.regions:
        for what, where, days in _backups(region):
            if days < BACKUP_DAYS:
                yield Finding(f"{what}: kept for {days} days", where, f"{where[-1]}: {BACKUP_DAYS} or more")


def _backups(region: PlannedRegion) -> Iterator[tuple[str, Where, int]]:
    if region.compute and region.compute.hosts and region.compute.snapshots:
        yield region.compute.snapshots.name, ("storage", "snapshot_days"), region.compute.snapshots.retention_days
    for bucket in region.buckets:
        for rule in bucket.lifecycle if bucket.purpose == "tier" else ():
            if rule.noncurrent_expire_days is not None:
                yield f"{bucket.name}, replaced versions", ("tier", "noncurrent_days"), rule.noncurrent_expire_days
    if region.database:
        yield f"{region.database.name}, backups", ("database", "backup_days"), region.database.backup_days


def logs_kept(plan: Plan) -> Iterator[Finding]:
    """In production every flow is logged, and every log is kept for a year or longer."""
    if plan.environment != "prod":
        return
    for region in plan.regions:
        if region.network.flow_log is None:
            yield Finding(f"{region.network.name}: no flow is logged", ("network", "flow_log"), "flow_log: true")
    kept = sorted({days for region in plan.regions for days in _logs(region)})
    if plan.joint and plan.joint.cdn and plan.joint.cdn.log:
        kept = sorted({*kept, plan.joint.cdn.log.retention_days})
    for days in kept:
        if days < LOG_DAYS:
            yield Finding(f"logs are kept for {days} days", ("network", "log_days"), f"log_days: {LOG_DAYS} or more")


def _logs(region: PlannedRegion) -> Iterator[int]:
    if region.network.flow_log:
        yield region.network.flow_log.log.retention_days
    if region.balancer and region.balancer.log:
        yield region.balancer.log.retention_days
    for bucket in region.buckets:
        if bucket.purpose == "logs":
            yield from (rule.expire_days for rule in bucket.lifecycle if rule.expire_days is not None)


def buckets_hardened(plan: Plan) -> Iterator[Finding]:
    """Every bucket keeps versions and is encrypted, its requests are logged, and in production three zones hold it."""
    for region in plan.regions:
        logs = {bucket.name for bucket in region.buckets if bucket.purpose == "logs"}
        for bucket in region.buckets:
            if not bucket.versioning:
                yield Finding(f"{bucket.name}: what is replaced is gone, without versions")
            if bucket.purpose != "logs" and bucket.log_target not in logs:
                yield Finding(f"{bucket.name}: nobody logs who reads it")
            yield from _redundant(plan, bucket)


def _redundant(plan: Plan, bucket: PlannedBucket) -> Iterator[Finding]:
    if plan.environment == "prod" and bucket.redundancy != "ZRS":
        text = f"{bucket.name}: {bucket.redundancy} lies in one zone, and is lost with it"
        yield Finding(text, ("tier", "redundancy"), "redundancy: ZRS, which is the default in production")


def database_encrypted(plan: Plan) -> Iterator[Finding]:
    """In production the disk of the index is encrypted, for which it needs a key that has an id."""
    for region in plan.regions:
        if plan.environment == "prod" and region.database and region.keys.mode == "service":
            yield Finding(
                f"{region.database.name}: with keys of the service its disk is not encrypted",
                ("keys", "mode"),
                "mode: default-cmk with the id of each region's key under `existing`, or instance (a purchase)",
            )


def edge_encrypted(plan: Plan) -> Iterator[Finding]:
    """In production the edge speaks TLS."""
    edge = plan.joint.cdn if plan.joint else None
    if plan.environment == "prod" and edge and edge.certificate is None:
        text = f"{edge.domain}: without a certificate the edge answers plain HTTP alone"
        yield Finding(text, ("cdn", "certificate"), "certificate: the id of one in Certificate Management Service")


def tags_complete(plan: Plan) -> Iterator[Finding]:
    """Every part carries the framework's tags, with the values of this Plan, and in production its owner."""
    own = {
        "kakera:blueprint": plan.blueprint,
        "kakera:environment": plan.environment,
        "kakera:name": plan.name,
    }
    for name, tags in _tagged(plan):
        wanted = {**own, "kakera:part": name}
        wrong = sorted(key for key, value in wanted.items() if tags.get(key) != value)
        if wrong:
            yield Finding(f"{name}: tags {', '.join(wrong)} are not this Plan's", ("tags",), "leave kakera: to it")
    if plan.environment == "prod" and plan.regions and not plan.regions[0].tags.get(OWNER, "").strip():
        hint = f"tags: {{{OWNER}: those who are called when it breaks}}"
        yield Finding(f"no tag {OWNER}: nobody is named whom an invoice or an alarm concerns", ("tags", OWNER), hint)


def _tagged(plan: Plan) -> Iterator[tuple[str, dict[str, str]]]:
    yield from ((region.name, region.tags) for region in plan.regions)
    if plan.joint:
        yield "global", plan.joint.tags
