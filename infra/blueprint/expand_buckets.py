"""The OSS buckets of a region: what is cold, what hosts install, what was logged. Pure."""

from __future__ import annotations

from infra.blueprint.cloud import PlannedBucket, PlannedLifecycle, PlannedOssPath
from infra.blueprint.scope import RESOLVERS, Scope


def buckets(scope: Scope) -> tuple[PlannedBucket, ...]:
    found = []
    if scope.blueprint.tier.enabled:
        found.append(_tier(scope))
    if scope.holds_store and scope.blueprint.gateways.scaling:
        found.append(_plain(scope, "artifacts", _lifecycle(scope, "artifacts", noncurrent=90)))
    if found:
        found.append(_plain(scope, "logs", _lifecycle(scope, "logs", expire=scope.blueprint.network.log_days)))
    return tuple(sorted(found, key=lambda bucket: bucket.name))


def oss_path(scope: Scope) -> PlannedOssPath | None:
    """How the machine room reaches the bucket of this region."""
    room = scope.blueprint.onprem
    if room is None or not scope.blueprint.tier.enabled or scope.region is not scope.blueprint.regions[0]:
        return None
    name, bucket = scope.thing("path"), scope.bucket("tier")
    if room.path == "custom-domain":
        dns = scope.blueprint.dns
        return PlannedOssPath(
            kind="custom-domain",
            name=name,
            bucket=bucket,
            endpoint=room.domain or "",
            names=(room.domain,) if room.domain else (),
            domain=room.domain,
            zone=dns.domain if dns else None,
            ttl_s=dns.ttl_s if dns else 600,
            certificate=room.certificate,
        )
    internal = f"oss-{scope.region.name}-internal.aliyuncs.com"
    return PlannedOssPath(
        kind="private",
        name=name,
        bucket=bucket,
        endpoint=internal,
        routes=scope.oss_routes(),
        resolvers=RESOLVERS,
        names=(internal, f"{bucket}.{internal}"),
    )


def _tier(scope: Scope) -> PlannedBucket:
    knobs = scope.blueprint.tier
    rule = PlannedLifecycle(
        name=scope.thing("tier", "rule"),
        ia_days=knobs.ia_days,
        archive_days=knobs.archive_days,
        noncurrent_expire_days=knobs.noncurrent_days,
    )
    return PlannedBucket(
        name=scope.bucket("tier"),
        purpose="tier",
        redundancy=knobs.redundancy,
        # OSS copies what KMS encrypted only with a key of the target's region that is named; the cloud's own has no id.
        # Said of every bucket that may be copied one day: what was written before stays as it was encrypted.
        encryption="AES256" if knobs.replicate and not scope.own_key else "KMS",
        lifecycle=(rule,),
        log_target=scope.bucket("logs"),
        log_prefix="tier/",
        protect=scope.blueprint.protect,
    )


def _lifecycle(
    scope: Scope, purpose: str, *, expire: int | None = None, noncurrent: int | None = None
) -> PlannedLifecycle:
    return PlannedLifecycle(
        name=scope.thing(purpose, "rule"), expire_days=expire, noncurrent_expire_days=noncurrent or expire
    )


def _plain(scope: Scope, purpose: str, rule: PlannedLifecycle) -> PlannedBucket:
    logs = purpose == "logs"
    return PlannedBucket(
        name=scope.bucket(purpose),
        purpose="logs" if logs else "artifacts",
        redundancy=scope.blueprint.tier.redundancy,
        encryption="AES256" if logs else "KMS",  # logs are delivered by the cloud, which has no use of a key of ours
        lifecycle=(rule,),
        log_target=None if logs else scope.bucket("logs"),
        log_prefix="" if logs else f"{purpose}/",
        protect=scope.blueprint.protect,
    )
