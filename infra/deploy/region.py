"""The stack of a region: each component is given its slice, and the outputs of those before it. No file is written."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra import render
from infra.blueprint.cloud import PlannedLogStore, PlannedRegion, PlannedScaling
from infra.blueprint.plan import Plan
from infra.components import (
    artifacts,
    balancer,
    buckets,
    compute,
    custom_domain,
    database,
    identity,
    interconnect,
    keys,
    logs,
    network,
    scaling,
    security,
)
from infra.deploy import provider
from infra.deploy.outputs import Outputs
from infra.deploy.settings import Settings


def region(plan: Plan, name: str, settings: Settings) -> Outputs:
    """Everything of one region. Raises: pulumi.RunError when the Plan has no such region."""
    found = plan.part(name)
    if found is None:
        known = ", ".join(candidate.name for candidate in plan.regions) or "none"
        raise pulumi.RunError(f"kakera:part is {name!r}, and the Plan has no such region: {known}")
    return _Region(plan, found, settings).build()


class _Region:
    """The components of a region in the order they need each other; each step adds to the outputs."""

    def __init__(self, plan: Plan, planned: PlannedRegion, settings: Settings) -> None:
        self._plan = plan
        self._planned = planned
        self._settings = settings
        self._opts = pulumi.ResourceOptions(providers=[provider.regional(planned.name)])
        self._outputs: Outputs = {}

    def build(self) -> Outputs:
        self._ground()
        self._holders()
        self._hosts()
        self._entrances()
        return {name: self._outputs[name] for name in self._planned.outputs if name != "mode"}

    def _ground(self) -> None:
        planned = self._planned
        made = logs.Logs("logs", logs.LogsArgs(planned.log_project, _log_stores(planned)), self._opts)
        self._logs = made
        self._network = network.Network(
            "network", network.NetworkArgs(planned.network, planned.name, made.project, made.stores), self._opts
        )
        self._switch_ids = self._network.switch_ids
        self._outputs |= {
            "vpc_id": self._network.vpc_id,
            "switch_ids": self._switch_ids,
            "route_table_id": self._network.route_table_id,
            "nat_address": self._network.nat_address,
        }
        groups = security.Security(
            "security", security.SecurityArgs(planned.security_groups, self._network.vpc_id), self._opts
        )
        self._group_ids = groups.group_ids
        self._outputs["security_group_ids"] = self._group_ids

    def _holders(self) -> None:
        """Keys, buckets and the database: what holds data, or opens it."""
        planned, vpc_id = self._planned, self._network.vpc_id
        held = keys.Keys(
            "keys", keys.KeysArgs(planned.keys, vpc_id, self._switch_ids, protect=planned.protect), self._opts
        )
        self._key_id = held.key_id
        self._outputs |= {"key_id": held.key_id, "key_arn": held.key_arn}
        stored = buckets.Buckets("buckets", buckets.BucketsArgs(planned.buckets, held.key_id), self._opts)
        self._bucket_names = stored.names
        self._outputs["bucket_endpoints"] = stored.endpoints
        if planned.database is not None:
            base = database.Database(
                "database",
                database.DatabaseArgs(
                    plan=planned.database,
                    vpc_id=vpc_id,
                    switch_ids=self._switch_ids,
                    password=self._settings.secret(planned.database.secret),
                    key_id=held.key_id,
                    protect=planned.protect,
                ),
                self._opts,
            )
            self._outputs["database_address"] = base.address

    def _hosts(self) -> None:
        planned = self._planned
        known = {name: value for name, value in self._outputs.items() if isinstance(value, pulumi.Output)}
        roles = identity.Identity("identity", identity.IdentityArgs(planned.identity, known), self._opts)
        self._role_names = roles.role_names
        if planned.compute is None:
            self._host_ids: Mapping[str, pulumi.Output[str]] = {}
            return
        hosts = tuple(self._plan.host(name) for name in planned.compute.hosts)
        made = compute.Compute(
            "compute",
            compute.ComputeArgs(
                plan=planned.compute,
                hosts=hosts,
                user_data={host.name: render.cloud_init(self._plan, host) for host in hosts},
                switch_ids=self._switch_ids,
                group_ids=self._group_ids,
                role_names=self._role_names,
                key_id=self._key_id,
                protect=planned.protect,
                survive=self._plan.survive,
            ),
            self._opts,
        )
        self._compute = made
        self._host_ids = made.host_ids
        self._outputs |= {
            "host_ids": made.host_ids,
            "host_addresses": made.host_addresses,
            "disk_ids": made.disk_ids,
        }

    def _entrances(self) -> None:
        planned, vpc_id = self._planned, self._network.vpc_id
        entrance = None
        if planned.balancer is not None:
            log, group = planned.balancer.log, planned.balancer.security_group
            made = balancer.Balancer(
                "balancer",
                balancer.BalancerArgs(
                    plan=planned.balancer,
                    vpc_id=vpc_id,
                    switches={
                        switch.name: (switch.zone, self._switch_ids[switch.name])
                        for switch in planned.network.switches
                    },
                    security_group_id=self._group_ids[group] if group else None,
                    targets={name: self._host_ids[name] for name in planned.balancer.targets},
                    protect=planned.protect,
                    log_project=self._logs.project if log else None,
                    log_store=self._logs.stores[log.store] if log else None,
                ),
                self._opts,
            )
            port = planned.balancer.listener.target_port
            entrance = scaling.Entrance(planned.balancer.kind, made.balancer_id, made.server_group_id, port)
            self._outputs |= {"balancer_id": made.balancer_id, "balancer_address": made.address}
        if planned.compute is not None and planned.compute.scaling is not None:
            self._gateways(planned.compute.scaling, entrance)
        self._room()

    def _gateways(self, planned: PlannedScaling, entrance: scaling.Entrance | None) -> None:
        gateways = scaling.Scaling(
            "scaling",
            scaling.ScalingArgs(
                plan=planned,
                user_data=render.cloud_init_gateway(self._plan, self._planned.name),
                switch_ids=self._switch_ids,
                group_ids=self._group_ids,
                key_id=self._key_id,
                key_pair=self._compute.key_pair,
                entrance=entrance,
                protect=self._planned.protect,
                role_names=self._role_names,
                made=self._artifacts(planned).made,
            ),
            self._opts,
        )
        self._outputs["scaling_group_id"] = gateways.scaling_group_id

    def _artifacts(self, planned: PlannedScaling) -> artifacts.Artifacts:
        """The settings that a gateway fetches: with secrets in it, and so a secret as a whole."""
        plan, name = self._plan, self._planned.name

        def text(values: Mapping[str, str]) -> str:
            return render.gateway_settings(plan, name, render.secret_files(plan, values))

        secrets = {secret: self._settings.secret(secret) for secret in render.gateway_secrets(plan, name)}
        bucket = next(found for found in self._planned.buckets if found.name == planned.bucket)
        return artifacts.Artifacts(
            "artifacts",
            artifacts.ArtifactsArgs(
                name=f"{planned.name}-settings",
                bucket=self._bucket_names[planned.bucket],
                key=planned.settings_object,
                settings=pulumi.Output.all(**secrets).apply(text),
                encryption=bucket.encryption,
                key_id=self._key_id,
            ),
            self._opts,
        )

    def _room(self) -> None:
        """What leads to the machine room, and from there to the bucket."""
        planned = self._planned
        if planned.vpn is not None:
            secrets = {tunnel.secret: self._settings.secret(tunnel.secret) for tunnel in planned.vpn.tunnels}
            joined = interconnect.Vpn(
                "vpn",
                interconnect.VpnArgs(
                    planned.vpn,
                    self._network.vpc_id,
                    self._switch_ids,
                    secrets,
                    route_table_id=self._network.route_table_id,
                ),
                self._opts,
            )
            self._outputs |= {"vpn_address": joined.address, "vpn_standby_address": joined.standby_address}
        path = planned.oss_path
        if path is not None and path.kind == "custom-domain":
            custom_domain.CustomDomain(
                "path",
                custom_domain.CustomDomainArgs(path, self._bucket_names[path.bucket], planned.name),
                self._opts,
            )


def _log_stores(planned: PlannedRegion) -> tuple[PlannedLogStore, ...]:
    """Every logstore that a slice of the region writes to, once."""
    wanted = [planned.network.flow_log.log if planned.network.flow_log else None]
    wanted += [planned.balancer.log if planned.balancer else None]
    return tuple(sorted({store for store in wanted if store is not None}, key=lambda store: store.store))
