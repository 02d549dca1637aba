"""The cloud part of a Plan: for each component a slice that names all it makes. Frozen; holds no secret.

A component (`infra/components`) reads its slice and nothing else. What only the cloud can say is a `FromOutput`: the
name of a stack output, which `infra/blueprint/outputs.py` lists with its producer.
"""

from __future__ import annotations

from typing import Literal

from infra.blueprint.model import Frozen

Purpose = Literal["hosts", "shared"]
Role = Literal["primary", "replica", "backup"]


class FromOutput(Frozen):
    """A value that is known after `up`: output `from_output` of the stack of region `region`, or of its own stack."""

    from_output: str
    region: str = ""
    key: str = ""  # which entry, of an output that is a mapping


Known = str | FromOutput


# --- network ---------------------------------------------------------------------------------------------------------
class PlannedSwitch(Frozen):
    """A vSwitch. In `hosts` the Plan gives addresses, in `shared` the cloud does (balancers, scaling, databases)."""

    name: str
    zone: str
    purpose: Purpose
    cidr: str


class PlannedNat(Frozen):
    """The way out for hosts without a public address."""

    name: str
    address_name: str
    bandwidth_mbps: int
    switch: str
    sources: tuple[str, ...]  # names of switches


class PlannedAclEntry(Frozen):
    name: str
    direction: Literal["ingress", "egress"]
    action: Literal["accept", "drop"]
    protocol: Literal["tcp", "udp", "icmp", "all"]
    ports: str  # "443/443"; "-1/-1" for all
    cidr: str
    description: str


class PlannedAcl(Frozen):
    name: str
    entries: tuple[PlannedAclEntry, ...]


class PlannedLogStore(Frozen):
    """A logstore of the region's one log project."""

    project: str
    store: str
    retention_days: int


class PlannedFlowLog(Frozen):
    name: str
    log: PlannedLogStore


class PlannedNetwork(Frozen):
    """A VPC of its own, or an adopted one (`existing`), in which only switches and what hangs on them are made."""

    name: str
    cidr: str
    existing: str | None = None
    route_table: str
    switches: tuple[PlannedSwitch, ...]
    nat: PlannedNat | None = None
    acl: PlannedAcl
    flow_log: PlannedFlowLog | None = None
    oss_endpoint: str | None = None  # name of the gateway endpoint: traffic to OSS stays inside


# --- security groups -------------------------------------------------------------------------------------------------
class PlannedRule(Frozen):
    """One described rule; the peer is a range or another group of the same Plan, never both."""

    name: str
    direction: Literal["ingress", "egress"]
    action: Literal["accept", "drop"]
    protocol: Literal["tcp", "udp", "icmp", "all"]
    ports: str
    cidr: str | None = None
    group: str | None = None
    priority: int = 1
    description: str


class PlannedSecurityGroup(Frozen):
    name: str
    purpose: Literal["storage", "gateway", "balancer", "database"]
    description: str
    rules: tuple[PlannedRule, ...]


# --- identity --------------------------------------------------------------------------------------------------------
class PlannedStatement(Frozen):
    effect: Literal["Allow", "Deny"] = "Allow"
    actions: tuple[str, ...]
    resources: tuple[Known, ...]


class PlannedRamPolicy(Frozen):
    name: str
    description: str
    statements: tuple[PlannedStatement, ...]


class PlannedRamRole(Frozen):
    name: str
    description: str
    service: str  # who may take it: ecs.aliyuncs.com
    policies: tuple[PlannedRamPolicy, ...]


# --- keys ------------------------------------------------------------------------------------------------------------
class PlannedKeys(Frozen):
    """`service`: the cloud's own keys; `default-cmk`: an adopted key, never destroyed; `instance`: a key of our own."""

    mode: Literal["service", "default-cmk", "instance"]
    name: str
    alias: str
    existing: str | None = None
    rotation_days: int = 365
    hsm: bool = False
    administrators: tuple[str, ...] = ()  # RAM principals that the key's policy names
    zones: tuple[str, ...] = ()  # of the instance
    switch: str | None = None
    disk_role: str = "AliyunECSDiskEncryptDefaultRole"


# --- buckets ---------------------------------------------------------------------------------------------------------
class PlannedLifecycle(Frozen):
    """Days since the last change; None: never."""

    name: str
    prefix: str = ""
    ia_days: int | None = None
    archive_days: int | None = None
    expire_days: int | None = None
    noncurrent_expire_days: int | None = None
    abort_multipart_days: int = 7


class PlannedBucket(Frozen):
    name: str
    purpose: Literal["tier", "artifacts", "logs", "state"]
    storage_class: Literal["Standard", "IA", "Archive"] = "Standard"
    redundancy: Literal["LRS", "ZRS"] = "ZRS"
    versioning: bool = True
    encryption: Literal["KMS", "AES256"] = "KMS"
    lifecycle: tuple[PlannedLifecycle, ...] = ()
    log_target: str | None = None  # a bucket of the same region
    log_prefix: str = ""
    protect: bool = True


class PlannedReplication(Frozen):
    """Objects of `source` are copied to `target`; made by the global stack."""

    name: str
    source: str
    source_region: str
    target: str
    target_region: str
    role: str
    history: bool = False


# --- compute ---------------------------------------------------------------------------------------------------------
class PlannedMachine(Frozen):
    """What a host of the cloud is made of; its drives stand in the host."""

    instance_type: str
    image: str
    switch: str
    security_group: str
    role: str
    system_disk_gib: int = 40
    disk_category: Literal["cloud_essd", "cloud_auto"] = "cloud_essd"
    performance_level: Literal["PL0", "PL1", "PL2", "PL3"] = "PL1"
    drives: Literal["cloud", "local"] = "cloud"  # disks that outlive the host, or devices in it that are lost with it


class PlannedSnapshots(Frozen):
    name: str
    time_points: tuple[int, ...]  # hours, UTC
    weekdays: tuple[int, ...]
    retention_days: int


class PlannedScaling(Frozen):
    """Hosts whose number varies: a group with a template, never hosts."""

    name: str
    min: int
    max: int
    machine: PlannedMachine
    switches: tuple[str, ...]
    hook: str
    drain_s: int
    bucket: str  # of artifacts
    wheel: str
    wheel_sha256: str
    settings_object: str  # made by the stack, before the group


class PlannedCompute(Frozen):
    deployment_set: str
    key_pair: str
    public_key: str
    snapshots: PlannedSnapshots | None = None  # None: no drive is a disk of the cloud, and no other has snapshots
    hosts: tuple[str, ...]  # of the Plan, sorted
    scaling: PlannedScaling | None = None


# --- balancer --------------------------------------------------------------------------------------------------------
class PlannedListener(Frozen):
    name: str
    port: int
    target_port: int
    health_port: int
    health_path: str


class PlannedBalancer(Frozen):
    """SLB is the word; `nlb` and `clb` pass bytes through and TLS ends at the hosts; `alb` ends TLS itself."""

    kind: Literal["nlb", "alb", "clb"]
    name: str
    public: bool
    switches: tuple[str, ...]
    security_group: str | None
    listener: PlannedListener
    targets: tuple[str, ...]  # hosts of the Plan
    certificate: str | None = None  # id of the certificate, for alb
    log: PlannedLogStore | None = None
    idle_timeout_s: int = 900


# --- interconnect ----------------------------------------------------------------------------------------------------
class PlannedTunnel(Frozen):
    role: Literal["master", "slave"]
    secret: str  # name of the pre-shared key
    inside_cidr: str
    inside_address: str


class PlannedVpn(Frozen):
    """Two tunnels from two zones to one machine room."""

    name: str
    bandwidth_mbps: int
    switches: tuple[str, str]
    customer_gateway: str
    customer_address: str
    local_cidrs: tuple[str, ...]
    remote_cidrs: tuple[str, ...]
    tunnels: tuple[PlannedTunnel, PlannedTunnel]


class PlannedAttachment(Frozen):
    region: str
    router: str
    attachment: str
    vpc: Known
    switches: tuple[tuple[str, Known], ...]  # zone, id of its switch
    cidr: str
    route_table: Known | None = None  # of the hosts; None: the VPC's own, which the router writes


class PlannedPeering(Frozen):
    name: str
    region: str
    peer_region: str
    bandwidth_mbps: int


class PlannedCen(Frozen):
    name: str
    attachments: tuple[PlannedAttachment, ...]
    peerings: tuple[PlannedPeering, ...]


# --- names and edge --------------------------------------------------------------------------------------------------
class PlannedRecord(Frozen):
    name: str
    record: str  # the part before the domain
    type: Literal["A", "CNAME"]
    value: Known
    ttl_s: int


class PlannedTrafficManager(Frozen):
    """It answers under its own name in the domain, to which the store's records point."""

    name: str
    pools: tuple[tuple[str, Known], ...]  # region, address; the first answers, the others when it is down
    port: int = 443  # that the probes ask
    serves: str = ""  # the name that clients use; "": the domain


class PlannedDns(Frozen):
    domain: str
    records: tuple[PlannedRecord, ...]
    traffic_manager: PlannedTrafficManager | None = None


class PlannedCacheRule(Frozen):
    name: str
    path: str
    ttl_s: int


class PlannedCdn(Frozen):
    domain: str
    origin: Known
    origin_type: Literal["domain", "ipaddr"] = "domain"
    origin_port: int
    scope: Literal["domestic", "overseas", "global"]
    cache: tuple[PlannedCacheRule, ...]
    certificate: str | None
    log: PlannedLogStore | None


# --- database --------------------------------------------------------------------------------------------------------
class PlannedDatabase(Frozen):
    """PostgreSQL for the index of a cluster; two zones, TLS."""

    name: str
    version: str
    instance_type: str
    storage_gib: int
    zones: tuple[str, str]
    switches: tuple[str, str]
    allowed_cidrs: tuple[str, ...]
    database: str
    account: str
    secret: str
    backup_days: int


# --- stacks ----------------------------------------------------------------------------------------------------------
class PlannedOssPath(Frozen):
    """How a machine room reaches the bucket of what is cold. The way back is the VPN's remote ranges.

    `private`: `routes` lead into the tunnels, and the room's own forwarder asks `resolvers` for `names`.
    `custom-domain`: over the Internet, as `domain` with `certificate`; the records that prove and lead lie in `zone`.
    """

    kind: Literal["private", "custom-domain"]
    name: str = ""
    bucket: str = ""
    endpoint: str
    routes: tuple[str, ...] = ()  # ranges the room sends through the VPN
    resolvers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    domain: str | None = None
    zone: str | None = None  # that Alibaba Cloud DNS serves
    ttl_s: int = 600
    certificate: str | None = None


class PlannedRegion(Frozen):
    """All of one region: one stack, which needs no other region to be alive."""

    name: str
    role: Role
    stack: str
    tags: dict[str, str]
    log_project: str
    network: PlannedNetwork
    security_groups: tuple[PlannedSecurityGroup, ...]
    identity: tuple[PlannedRamRole, ...]
    keys: PlannedKeys
    buckets: tuple[PlannedBucket, ...]
    compute: PlannedCompute | None = None
    balancer: PlannedBalancer | None = None
    vpn: PlannedVpn | None = None
    oss_path: PlannedOssPath | None = None
    database: PlannedDatabase | None = None
    outputs: tuple[str, ...]
    protect: bool = True


class PlannedGlobal(Frozen):
    """What joins regions; its provider speaks to `region`, which is not the one that is likely to be lost."""

    stack: str
    region: str
    tags: dict[str, str]
    cen: PlannedCen | None = None
    replications: tuple[PlannedReplication, ...] = ()
    dns: PlannedDns | None = None
    cdn: PlannedCdn | None = None
    log_project: str
    outputs: tuple[str, ...] = ()
