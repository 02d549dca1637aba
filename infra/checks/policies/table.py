"""The table of policies, and resources judged by it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from infra.checks.outcome import Finding, Outcome, Verdict
from infra.checks.policies import holders, identity, network
from infra.checks.policies.resource import Policy, Resource, known

POLICIES: Final[dict[str, Policy]] = {
    "in-a-vpc": Policy(
        network.in_a_vpc,
        (*network.IN_A_VPC, network.TEMPLATE, network.CLASSIC_BALANCER),
        "a switch of the VPC",
        ("3.1",),
    ),
    "hosts-private": Policy(
        network.hosts_private,
        (*network.HOSTS, network.ADDRESS, network.FORWARD),
        "the balancer as entrance, and the NAT gateway as way out",
        ("3.1",),
    ),
    "ssh-closed": Policy(
        network.ssh_closed, (network.RULE,), "network.admin_cidrs: the ranges of your own", ("3.2", "4.3")
    ),
    "rdp-closed": Policy(network.rdp_closed, (network.RULE,), "no such rule: no host has a desktop", ("4.4",)),
    "rules-narrow": Policy(network.rules_narrow, (network.RULE,), "a protocol, one port and a peer", ("3.5",)),
    "routes-narrow": Policy(
        network.routes_narrow, tuple(network.DESTINATIONS), "the peer's range as destination", ("3.4",)
    ),
    "disks-encrypted": Policy(
        holders.disks_encrypted,
        (holders.DISK, *network.HOSTS),
        "encrypted: true on the disk",
        ("4.1", "4.2"),
    ),
    "agent-installed": Policy(
        holders.agent_installed,
        network.HOSTS,
        "security_enhancement_strategy: Active",
        ("4.6", "8.2"),
    ),
    "buckets-private": Policy(
        holders.buckets_private,
        (holders.BUCKET, holders.ACL, holders.PUBLIC_ACCESS, holders.ACCOUNT_ACCESS, holders.BUCKET_POLICY),
        "acl private, block_public_access true, and no statement that allows everybody, each beside the bucket",
        ("5.1",),
        owed=(holders.ACL, holders.PUBLIC_ACCESS),
    ),
    "objects-private": Policy(holders.objects_private, (holders.OBJECT,), "no acl of its own", ("5.2",)),
    "buckets-over-tls": Policy(
        holders.buckets_over_tls,
        (holders.BUCKET_POLICY,),
        "a statement that denies oss:* where acs:SecureTransport is false",
        ("5.4", "5.6"),
        owed=(holders.BUCKET_POLICY,),
    ),
    "buckets-encrypted": Policy(
        holders.buckets_encrypted,
        (holders.ENCRYPTION,),
        "sse_algorithm: KMS, or AES256",
        ("5.8",),
        owed=(holders.ENCRYPTION,),
    ),
    "database-over-tls": Policy(
        holders.database_over_tls, (holders.DATABASE, holders.REPLICA), "ssl_action: Open", ("6.1",)
    ),
    "database-closed": Policy(
        holders.database_closed,
        (holders.DATABASE, holders.REPLICA, holders.CONNECTION),
        "the ranges of hosts in security_ips",
        ("6.2",),
    ),
    "database-audited": Policy(
        holders.database_audited,
        (holders.DATABASE,),
        f"sql_collector_status: Enabled, for {holders.AUDIT_DAYS} days or longer",
        ("6.3", "6.4"),
    ),
    "database-logs": Policy(
        holders.database_logs, (holders.DATABASE,), f"{', '.join(holders.LOGGED)}: on", ("6.7", "6.8", "6.9")
    ),
    "policies-least": Policy(
        identity.policies_least,
        (identity.POLICY, identity.TO_A_ROLE, identity.TO_A_GROUP),
        "the actions and the resources that it is for",
        ("1.15",),
    ),
    "policies-on-roles": Policy(
        identity.policies_on_roles, (identity.TO_A_USER,), "a role, or a group of users", ("1.16",)
    ),
    "no-standing-keys": Policy(
        identity.no_standing_keys, (identity.USER, identity.KEY), "a role that the host takes", ("1.6",)
    ),
}


def judged(resources: Iterable[Resource]) -> tuple[Outcome, ...]:
    """Every policy's verdict on a whole graph, in the table's order, with what is owed and not there."""
    given = [Resource(found.type, found.name, known(found.properties)) for found in resources]
    return tuple(_outcome(name, policy, given) for name, policy in POLICIES.items())


def _outcome(name: str, policy: Policy, given: list[Resource]) -> Outcome:
    found = tuple(Finding(text, (), policy.remedy) for text in (*_wrong(policy, given), *_missing(policy, given)))
    if not found:
        return Outcome(name, Verdict.PASS, policy.proves)
    return Outcome(name, Verdict.FAIL, "; ".join(finding.text for finding in found), found)


def refused(resource: Resource) -> Iterator[str]:
    """What every policy says of one resource alone, each with the policy's name and its remedy."""
    given = Resource(resource.type, resource.name, known(resource.properties))
    for name, policy in POLICIES.items():
        yield from (f"{name}: {text} (remedy: {policy.remedy})" for text in _wrong(policy, [given]))


def _wrong(policy: Policy, given: Iterable[Resource]) -> Iterator[str]:
    for found in given:
        if found.type in policy.types:
            yield from (f"{found.name} {text}" for text in policy.check(found.type, found.properties))


def _missing(policy: Policy, given: list[Resource]) -> Iterator[str]:
    there = [(found.type, found.properties.get("bucket")) for found in given]
    for found in given:
        for kind in policy.owed if found.type == holders.BUCKET else ():
            if (kind, found.properties.get("bucket")) not in there:
                yield f"{found.name} has no {kind.rpartition(':')[2]}"
