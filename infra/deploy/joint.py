"""The stack `global`: what joins regions."""

from __future__ import annotations

import pulumi

from infra.blueprint.cloud import PlannedDns, PlannedGlobal
from infra.blueprint.plan import Plan
from infra.components import cdn, cen, dns, logs, replication
from infra.deploy import provider
from infra.deploy.outputs import Outputs
from infra.deploy.told import Told


def joint(plan: Plan) -> Outputs:
    """CEN, replication, CDN and DNS: from the regions' last outputs, so that a region that is down stops nothing."""
    planned = plan.joint
    if planned is None:
        raise pulumi.RunError("kakera:part is 'global', and the Plan has nothing that joins regions")
    told = Told(plan)
    providers = {region.name: provider.regional(region.name) for region in plan.regions}
    here = pulumi.ResourceOptions(providers=[providers[planned.region]])
    outputs: Outputs = {}
    if planned.cen is not None:
        net = cen.Cen("cen", cen.CenArgs(planned.cen, providers, told.known), here)
        outputs["cen_id"] = net.cen_id
    for copy in planned.replications:
        target = plan.part(copy.target_region)
        replication.Replication(
            copy.name,
            replication.ReplicationArgs(
                copy, told.output("key_id", target.name) if target and "key_id" in target.outputs else None
            ),
            pulumi.ResourceOptions(providers=[providers[copy.source_region]]),
        )
    if planned.cdn is not None:
        edge = cdn.Cdn("cdn", _cdn_args(planned, told, here), here)
        outputs["cdn_cname"] = edge.cname
        told.own["cdn_cname"] = edge.cname
    if planned.dns is not None:
        outputs["names"] = dns.Dns("dns", dns.DnsArgs(planned.dns, _dns_values(planned.dns, told)), here).names
    return outputs


def _cdn_args(planned: PlannedGlobal, told: Told, opts: pulumi.ResourceOptions) -> cdn.CdnArgs:
    assert planned.cdn is not None
    log = None
    if planned.cdn.log is not None:
        made = logs.Logs("logs", logs.LogsArgs(planned.log_project, (planned.cdn.log,)), opts)
        log = cdn.CdnLog(project=made.project, store=made.stores[planned.cdn.log.store], region=planned.region)
    origin = told.known(planned.cdn.origin)
    return cdn.CdnArgs(plan=planned.cdn, origin=origin, origin_type=planned.cdn.origin_type, log=log)


def _dns_values(planned: PlannedDns, told: Told) -> dict[str, pulumi.Input[str]]:
    values = {record.name: told.known(record.value) for record in planned.records}
    if planned.traffic_manager is not None:
        values |= {region: told.known(address) for region, address in planned.traffic_manager.pools}
    return values
