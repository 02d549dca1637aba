"""What the cloud would answer for a new resource: what was asked for, its defaults, and plausible outputs. Pure.

Outputs follow from the region, the type, the id and the inputs alone, so that a rehearsal repeated says the same.
Addresses come from the ranges kept for documentation, names from the cloud's own patterns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from infra import naming
from infra.rehearsal.metadata import Kind, Property, Resource
from infra.rehearsal.wire import UNKNOWN, Value, Values, plain

PREFIX: Final = naming.REHEARSAL
ACCOUNT: Final = "1000000000000000"
_PAID_AS_USED: Final = ("PostPaid", "PayAsYouGo")  # unless it says so, nothing is bought for a time
CREATED: Final = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Subject:
    """Whose outputs are made. `id` is empty at preview, when nobody knows it."""

    region: str
    token: str
    id: str
    inputs: Mapping[str, Value]

    @property
    def service(self) -> str:
        """`vpc` of `alicloud:vpc/network:Network`."""
        return self.token.split(":")[1].split("/")[0]

    @property
    def kind(self) -> str:
        """`network` of `alicloud:vpc/network:Network`."""
        return self.token.rpartition(":")[2].lower()

    def given(self, *names: str) -> str:
        """The first of these arguments that is a known text, or an empty one."""
        found = (plain(self.inputs.get(name)) for name in names)
        return next((value for value in found if isinstance(value, str) and value), "")

    def digest(self, salt: str) -> bytes:
        return hashlib.sha256(f"{self.region}\n{self.token}\n{self.id}\n{salt}".encode()).digest()


def identity(region: str, token: str, urn: str, generation: int) -> str:
    """The id of the `generation`-th resource of a region that bore this URN, counted from 1."""
    kind = token.rpartition(":")[2].lower()
    digest = hashlib.sha256(f"{region}\n{token}\n{urn}\n{generation}".encode()).hexdigest()
    return f"{PREFIX}{kind}-{digest[:12]}"


def created(resource: Resource, subject: Subject) -> Values:
    """The state of a new resource; at preview (no id), unknown where only the cloud can tell."""
    return _nested("", resource.properties, subject.inputs, subject)


def updated(resource: Resource, subject: Subject, state: Mapping[str, Value]) -> Values:
    """The state after an update: what was computed stays, what is no longer asked for goes, or back to its default."""
    kept = {
        name: value
        for name, value in state.items()
        if name in resource.properties
        if name in subject.inputs or resource.properties[name].computed
    }
    merged = {**kept, **subject.inputs}
    return _nested("", resource.properties, merged, subject)


def _nested(path: str, known: Mapping[str, Property], given: Mapping[str, Value], subject: Subject) -> Values:
    found: Values = {}
    for name, inner in known.items():
        value = given.get(name)
        if value is not None:
            found[name] = _filled(f"{path}{name}", inner, value, subject)
        elif inner.default is not None:
            found[name] = inner.default
        elif inner.computed:
            found[name] = _invent(path, name, inner, subject) if subject.id else UNKNOWN
    return found


def _filled(path: str, known: Property, value: Value, subject: Subject) -> Value:
    if isinstance(value, dict) and known.kind is Kind.OBJECT:
        return _nested(f"{path}.", known.fields, value, subject)
    if isinstance(value, list) and known.element is not None:
        return [_filled(f"{path}[{index}]", known.element, element, subject) for index, element in enumerate(value)]
    return value


def _invent(path: str, name: str, known: Property, subject: Subject) -> Value:
    """A value for an output. `path` ends with a dot, or is empty for the resource's own."""
    match known.kind:
        case Kind.STRING:
            return _text(path, name, known, subject)
        case Kind.BOOL:
            return False
        case Kind.INT | Kind.FLOAT:
            return 0
        case Kind.LIST | Kind.SET:
            return []
        case Kind.MAP:
            return {}
        case Kind.OBJECT:
            return _nested(f"{path}{name}.", known.fields, {}, subject)


def _text(path: str, name: str, known: Property, subject: Subject) -> str:
    for ending, make in _TEXTS:
        if name.lower().endswith(ending.lower()):
            return make(subject, f"{path}{name}")
    if known.values:
        return next((value for value in _PAID_AS_USED if value in known.values), str(known.values[0]))
    return _own_id(subject, f"{path}{name}") if name.lower().endswith("id") else f"{PREFIX}{name}"


def _own_id(subject: Subject, path: str) -> str:
    """An id that is the resource's own when it is called so (`vpcId` of a VPC), else one of its own making."""
    return f"{PREFIX}{path.rpartition('.')[2].lower()}-{subject.digest(path).hex()[:12]}"


def _arn(subject: Subject, path: str) -> str:
    resource = subject.given("name", "roleName", "policyName", "keyPairName") or subject.id
    if subject.service == "ram":
        return f"acs:ram::{ACCOUNT}:{subject.kind}/{resource}"
    return f"acs:{subject.service}:{subject.region}:{ACCOUNT}:{subject.kind}/{subject.id}"


def _public_address(subject: Subject, path: str) -> str:
    digest = subject.digest(path)
    return f"198.51.{100 if digest[0] % 2 else 101}.{1 + digest[1] % 254}"


def _private_address(subject: Subject, path: str) -> str:
    digest = subject.digest(path)
    return f"192.0.2.{1 + digest[0] % 254}"


def _host_name(subject: Subject, path: str) -> str:
    return f"{subject.id}.{subject.region}.{subject.service}.rehearsal.example"


def _bucket_endpoint(suffix: str) -> Callable[[Subject, str], str]:
    def make(subject: Subject, path: str) -> str:
        if subject.service == "oss":
            return f"oss-{subject.region}{suffix}.aliyuncs.com"
        return f"{subject.id}{suffix}.{subject.region}.{subject.service}.rehearsal.example"

    return make


def _status(subject: Subject, path: str) -> str:
    return STATUS.get(subject.token, "Available")


def _zone(subject: Subject, path: str) -> str:
    return f"{subject.region}-a"


STATUS: Final[Mapping[str, str]] = {
    "alicloud:ecs/instance:Instance": "Running",
    "alicloud:ecs/ecsDisk:EcsDisk": "Available",
    "alicloud:kms/key:Key": "Enabled",
    "alicloud:nlb/loadBalancer:LoadBalancer": "Active",
    "alicloud:alb/loadBalancer:LoadBalancer": "Active",
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": "active",
    "alicloud:cdn/domainNew:DomainNew": "online",
    "alicloud:rds/instance:Instance": "Running",
}
# By how an output's name ends, the first that fits. What is not here is made from its name.
_TEXTS: Final[tuple[tuple[str, Callable[[Subject, str], str]], ...]] = (
    ("arn", _arn),
    ("intranetEndpoint", _bucket_endpoint("-internal")),
    ("extranetEndpoint", _bucket_endpoint("")),
    ("status", _status),
    ("intranetIp", _private_address),
    ("privateIp", _private_address),
    ("privateIpAddress", _private_address),
    ("privateIpv4Address", _private_address),
    ("ipAddress", _public_address),
    ("publicIp", _public_address),
    ("internetIp", _public_address),
    ("ip", _public_address),
    ("dnsName", _host_name),
    ("connectionString", _host_name),
    ("cname", lambda subject, path: f"{subject.given('domainName') or subject.id}.w.rehearsal.example"),
    ("endpoint", _host_name),
    ("location", lambda subject, path: f"oss-{subject.region}"),
    ("regionId", lambda subject, path: subject.region),
    ("region", lambda subject, path: subject.region),
    ("zoneId", _zone),
    ("availabilityZone", _zone),
    ("owner", lambda subject, path: ACCOUNT),
    ("accountId", lambda subject, path: ACCOUNT),
    ("createTime", lambda subject, path: CREATED),
    ("creationTime", lambda subject, path: CREATED),
    ("creationDate", lambda subject, path: CREATED),
    ("time", lambda subject, path: CREATED),
    ("port", lambda subject, path: "0"),
)
