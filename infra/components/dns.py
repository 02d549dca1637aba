"""Names of the store: records short enough that `failover` takes effect, or a traffic manager (a purchase)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import Known, PlannedDns, PlannedTrafficManager
from infra.components.ordering import after

TRAFFIC_TTL_S: Final = 60  # the shortest that the traffic manager gives
PROBE_TIMEOUT_MS: Final = 5_000
PROBE_FAILURES_PERCENT: Final = 50  # of the probes that fail before an address is down
# The smallest package that is sold; messages are for the project's own alarms, not for it.
HEALTH_TASKS: Final = 100
MESSAGES: Final = 0
# One probe of the cloud's own, as its documentation names it; more are an operator's choice.
PROBE_CITY, PROBE_NETWORK = "503", "465"
SOURCES: Final = json.dumps({"lineCodeRectifyType": "AUTO", "lineCodes": ["default"]})  # whoever asks
KINDS: Final = {"A": "IPV4", "CNAME": "DOMAIN"}


@dataclass(frozen=True)
class DnsArgs:
    """`values`: what the Plan does not know, by the record's name; of a pool, by its region."""

    plan: PlannedDns
    values: Mapping[str, pulumi.Input[str]]


class Dns(pulumi.ComponentResource):
    """`names` by the record's name: the full name. The traffic manager's answers are under its own name in the domain,
    and a record that points there waits for it.

    Raises: ValueError when a value is missing, or there is no pool.
    """

    names: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: DnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Dns", name, None, opts)
        self._args = args
        self.names = {}
        if args.plan.traffic_manager is not None:
            self._traffic(args.plan.traffic_manager)
        for planned in args.plan.records:
            record = alicloud.dns.AlidnsRecord(
                planned.name,
                domain_name=args.plan.domain,
                rr=planned.record,
                type=planned.type,
                value=self._value(planned.name, planned.value),
                ttl=planned.ttl_s,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.names[planned.name] = _made(record, full_name(planned.record, args.plan.domain))
        self.register_outputs({"names": self.names})

    def _value(self, name: str, planned: Known) -> pulumi.Input[str]:
        if isinstance(planned, str):
            traffic = self._args.plan.traffic_manager
            ours = traffic is not None and planned == full_name(traffic.name, self._args.plan.domain)
            return self.names[traffic.name] if traffic is not None and ours else planned
        if name not in self._args.values:
            raise ValueError(f"{name}: its value is output {planned.from_output!r}, which was not given")
        return self._args.values[name]

    def _traffic(self, planned: PlannedTrafficManager) -> None:
        if not planned.pools:
            raise ValueError(f"{planned.name}: a traffic manager without a pool has nothing to answer with")
        # GTM 2.0: of 3.0 the provider can make addresses, pools and the instance, but not join them.
        gtm = alicloud.dns.GtmInstance(
            planned.name,
            instance_name=planned.name,
            payment_type="Subscription",
            package_edition="standard",
            period=1,
            renewal_status="ManualRenewal",
            health_check_task_count=HEALTH_TASKS,
            sms_notification_count=MESSAGES,
            cname_type="PUBLIC",
            public_cname_mode="CUSTOM",
            public_rr=planned.name,
            public_zone_name=self._args.plan.domain,
            public_user_domain_name=planned.serves or self._args.plan.domain,
            ttl=TRAFFIC_TTL_S,
            opts=pulumi.ResourceOptions(parent=self),
        )
        pools = [self._pool(planned, gtm, region, address) for region, address in planned.pools]
        kind = _kind(self._args.plan, planned.pools[0][1])
        strategy = alicloud.dns.AccessStrategy(
            f"{planned.name}-strategy", strategy_args(planned, gtm.id, kind, pools), pulumi.ResourceOptions(parent=self)
        )
        self.names[planned.name] = _made(strategy, full_name(planned.name, self._args.plan.domain))

    def _pool(
        self, planned: PlannedTrafficManager, gtm: alicloud.dns.GtmInstance, region: str, address: Known
    ) -> pulumi.Output[str]:
        pool = alicloud.dns.AddressPool(
            f"{planned.name}-{region}",
            address_pool_name=f"{planned.name}-{region}",
            instance_id=gtm.id,
            type=_kind(self._args.plan, address),
            lba_strategy="ALL_RR",
            addresses=[
                alicloud.dns.AddressPoolAddressArgs(
                    address=self._value(region, address),
                    attribute_info=SOURCES,
                    mode="SMART",
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        alicloud.dns.MonitorConfig(
            f"{planned.name}-{region}-probe",
            addr_pool_id=pool.id,
            protocol_type="TCP",
            interval=60,
            evaluation_count=2,
            timeout=PROBE_TIMEOUT_MS,
            monitor_extend_info=json.dumps(
                {"failureRate": PROBE_FAILURES_PERCENT, "port": planned.port}, sort_keys=True
            ),
            isp_city_nodes=[
                alicloud.dns.MonitorConfigIspCityNodeArgs(city_code=PROBE_CITY, isp_code=PROBE_NETWORK),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pool.id


def strategy_args(
    planned: PlannedTrafficManager, instance: pulumi.Input[str], kind: str, pools: list[pulumi.Output[str]]
) -> alicloud.dns.AccessStrategyArgs:
    """The first pool answers, the others when it is down."""
    made = alicloud.dns.AccessStrategyArgs(
        strategy_name=planned.name,
        strategy_mode="GEO",
        access_mode="AUTO",
        instance_id=instance,
        lines=[alicloud.dns.AccessStrategyLineArgs(line_code="default")],
        default_addr_pool_type=kind,
        default_lba_strategy="ALL_RR",
        default_min_available_addr_num=1,
        default_addr_pools=[alicloud.dns.AccessStrategyDefaultAddrPoolArgs(addr_pool_id=pools[0], lba_weight=1)],
    )
    if len(pools) > 1:
        made.failover_addr_pool_type = kind
        made.failover_lba_strategy = "ALL_RR"
        made.failover_min_available_addr_num = 1
        made.failover_addr_pools = [
            alicloud.dns.AccessStrategyFailoverAddrPoolArgs(addr_pool_id=pool, lba_weight=1) for pool in pools[1:]
        ]
    return made


def full_name(record: str, domain: str) -> str:
    return domain if record == "@" else f"{record}.{domain}"


def _made(resource: pulumi.CustomResource, name: str) -> pulumi.Output[str]:
    """The name; who uses it waits until there is something under it."""
    return after(pulumi.Output.from_input(name), [resource])


def _kind(plan: PlannedDns, address: Known) -> str:
    """A pool holds what the record of the same value holds; alone, it holds a name."""
    return next((KINDS[record.type] for record in plan.records if record.value == address), KINDS["CNAME"])
