"""What each step of the engine does to what runs and to what is held, and which of it `up` refuses (P3). Pure, but for
reading the table beside it (changes.yaml) once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from infra.blueprint import catalogue
from infra.blueprint.plan import Plan, PlannedHost, failure_domain
from infra.naming import DRIVES_TAG

TABLE: Final = Path(__file__).with_name("changes.yaml")
INSTANCE: Final = "alicloud:ecs/instance:Instance"
ATTACHMENT: Final = "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
CLOUD: Final = "alicloud:"  # every other type is the program's own and holds nothing
# The engine's words for a step. One replacement is told in several steps, and any of them says that it is one.
_REPLACING: Final = frozenset({
    "replace", "create-replacement", "delete-replaced", "discard-replaced", "import-replacement", "read-replacement",
    "remove-pending-replace",
})  # fmt: skip
_ENDING: Final = frozenset({"delete", "discard"})


class Harm(IntEnum):
    """The class of a change; a larger one hurts more."""

    NONE = 0  # nothing changes
    ONLINE = 1  # something comes, or changes while all goes on
    UNKNOWN = 2  # an update in place of which the table does not say what it does
    REBOOT = 3  # what runs on it stops, and comes back
    REPLACE = 4  # another one comes in its place
    DESTROY = 5

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Step:
    """One step of the engine. `inputs`: of what is there, None when it is new; `properties`: the arguments that
    differ, `replacing` those of them that replace."""

    op: str
    urn: str
    type: str
    id: str = ""
    properties: tuple[str, ...] = ()
    replacing: tuple[str, ...] = ()
    inputs: Mapping[str, Any] | None = None
    protected: bool = False

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Row:
    """What the table says of a type."""

    holds: str = ""
    source: str = ""
    reboot: Mapping[str, str] | None = None
    remade: Mapping[str, str] | None = None
    moves: Mapping[str, str] | None = None
    online: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """A resource that does not stay as it is. `holds`: what is lost with it; empty: nothing."""

    harm: Harm
    type: str
    name: str
    urn: str
    why: str
    holds: str = ""

    def __str__(self) -> str:
        return f"{self.harm}: {self.name} ({self.type.rpartition(':')[2]}): {self.why}"


@cache
def table() -> Mapping[str, Row]:
    """Type token -> row. Raises: ValueError for a type that is both listed as harmless and described."""
    read = YAML(typ="safe").load(TABLE.read_text())
    rows = {
        name: Row(
            row.get("holds", ""),
            row["source"],
            row.get("reboot", {}),
            row.get("remade", {}),
            row.get("moves", {}),
            frozenset(row.get("online", ())),
        )
        for name, row in read["types"].items()
    }
    both = rows.keys() & set(read["harmless"])
    if both:
        raise ValueError(f"{TABLE.name}: both described and harmless: {', '.join(sorted(both))}")
    return rows | dict.fromkeys(read["harmless"], _HARMLESS)


@cache
def parts() -> frozenset[str]:
    """Types of what is a part of something else."""
    return frozenset(YAML(typ="safe").load(TABLE.read_text())["parts"])


def whole(name: str) -> str:
    """What a part of this name is a part of."""
    return name.rpartition("-")[0]


_HARMLESS: Final = Row(source="harmless")


def classify(step: Step, rows: Mapping[str, Row] | None = None) -> Change:
    """One step alone. `holds` is that of the type; whether a host has drives, `classified` knows. What the program
    protects holds something, whatever the table says.

    `rows`: the table; None: `table()`.
    """
    row = (table() if rows is None else rows).get(step.type)
    harm, why = _harm(step, row)
    holds = row.holds if row else ""
    return Change(harm, step.type, step.name, step.urn, why, holds or ("what is protected" if step.protected else ""))


def classified(steps: Sequence[Step]) -> tuple[Change, ...]:
    """What changes, one entry for a resource whatever the number of its steps, worst first. Components are left out."""
    with_drives = {(step.inputs or {}).get("instanceId") for step in steps if step.type == ATTACHMENT}
    found: dict[str, Change] = {}
    for step in steps:
        if not step.type.startswith(CLOUD):
            continue
        change = _of_host(step, step.id in with_drives) if step.type == INSTANCE else classify(step)
        if change.harm > Harm.NONE and (step.urn not in found or _tells_more(change, found[step.urn])):
            found[step.urn] = change
    return tuple(sorted(found.values(), key=lambda change: (-change.harm, change.name)))


def _of_host(step: Step, attached: bool) -> Change:
    """A host without drives holds nothing; one with drives may have to be made again where another is only stopped."""
    change, own = classify(step), own_drives(step.inputs or {})
    if not (attached or own or step.protected):
        return replace(change, holds="")
    row = table()[step.type]
    again = dict(row.remade or {}) | dict((own and row.moves) or {})
    because = [f"{name}: {again[name]}" for name in step.properties if name in again]
    if step.op != "update" or not because:
        return change
    return replace(change, harm=Harm.REPLACE, why="; ".join(because))


def own_drives(inputs: Mapping[str, Any]) -> bool:
    """Whether a host with these arguments has its drives in it."""
    return catalogue.shipped().drives(str(inputs.get("instanceType", ""))) == "local"


def _tells_more(new: Change, old: Change) -> bool:
    return (new.harm, len(new.why)) > (old.harm, len(old.why))


def _harm(step: Step, row: Row | None) -> tuple[Harm, str]:
    if step.op in _ENDING:
        return Harm.DESTROY, "nothing asks for it any more"
    if step.op in _REPLACING:
        because = ", ".join(step.replacing)
        return Harm.REPLACE, f"a new one in its place, because of {because}" if because else "a new one in its place"
    if step.op == "create":
        return Harm.ONLINE, "it comes"
    if step.op != "update":
        return Harm.NONE, "it stays"
    return _update(step, row)


def _update(step: Step, row: Row | None) -> tuple[Harm, str]:
    changed = ", ".join(step.properties) or "an argument"
    if row is _HARMLESS:
        return Harm.ONLINE, changed
    if row is None:
        return Harm.UNKNOWN, f"{changed}: what an update of this type does is not in {TABLE.name}"
    stops = [f"{name}: {row.reboot[name]}" for name in step.properties if row.reboot and name in row.reboot]
    if stops:
        return Harm.REBOOT, "; ".join(stops)
    open_ = [name for name in step.properties if name not in row.online]
    if open_ or not step.properties:
        return Harm.UNKNOWN, f"{', '.join(open_) or changed}: what its update does is not in {TABLE.name}"
    return Harm.ONLINE, changed


# --- what is refused -------------------------------------------------------------------------------------------------
def domains(plan: Plan, changes: Iterable[Change]) -> Mapping[str, tuple[Change, ...]]:
    """Failure domain -> its hosts that stop: rebooted, replaced, or updated in a way that nobody knows. By the domain's
    place in the Plan; a host that is new stops nothing."""
    stopping = {change.name: change for change in changes if change.type == INSTANCE and _stops(change)}
    found: dict[str, list[Change]] = {}
    for host in plan.hosts:
        if host.name in stopping:
            found.setdefault(failure_domain(plan.survive, host), []).append(stopping[host.name])
    return {domain: tuple(hosts) for domain, hosts in found.items()}


def _stops(change: Change) -> bool:
    return Harm.UNKNOWN <= change.harm <= Harm.REPLACE


def refusals(plan: Plan, changes: Sequence[Change]) -> tuple[str, ...]:
    """Every reason not to begin, each with its remedy; empty: none. A part of what is lost is not told beside it."""
    environment = f"{plan.name}-{plan.environment}"
    found = [_lost(environment, whole, change) for whole, change in _lost_wholes(changes).items()]
    stopping = domains(plan, changes)
    if len(stopping) > 1:
        hosts = "; ".join(f"{domain}: {', '.join(host.name for host in many)}" for domain, many in stopping.items())
        found.append(
            f"hosts of {len(stopping)} failure domains would stop at once ({hosts})\n"
            f"  remedy: one domain at a time, healthy before the next: "
            f"kakera-infra up {environment} --domain {next(iter(stopping))}"
        )
    return tuple(found)


def stranded(plan: Plan, steps: Iterable[Step]) -> tuple[str, ...]:
    """Why not to begin where a host stays and the drives in it do not all stay with the store, or are not there: the
    engine sees nothing of that, and every host would lose them, or miss them, at once."""
    planned = {host.name: host for host in plan.hosts if host.machine is not None}
    found: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        if step.type == INSTANCE and step.op in ("same", "update") and step.name in planned:
            for reason in _stranded(planned[step.name], step.inputs or {}):
                found.setdefault(reason, []).append(step.name)
    environment = f"{plan.name}-{plan.environment}"
    return tuple(
        f"{', '.join(sorted(names))}: {what}\n  remedy: undo the edit; {remedy.format(environment=environment)}"
        for (what, remedy), names in sorted(found.items())
    )


# One host that differs from the rest is given up; of all of them no more than a failure domain may be gone at once.
_GIVE_UP: Final = (
    "or give the host up, no further one before `kakera doctor` shows no exposure: "
    "kakera-infra destroy {environment} --release HOST --confirm HOST (docs/operate/destroy.md)"
)


def _stranded(host: PlannedHost, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong, and its remedy beside undoing the edit, of a host that is there with these arguments."""
    if not own_drives(inputs):
        return
    if not host.own_drives:
        yield (
            "drives are in the host, and the Plan has disks of the cloud in their place",
            "a store on other drives is another environment, to which the data is moved",
        )
        return
    planned, used, there = len(host.drives), drives_used(inputs), _drives_there(inputs)
    if used is not None and used > planned:
        yield f"the store has {used} drives in the host, and the Plan has {planned}: the rest would be lost", _GIVE_UP
    elif there is not None and there < planned:
        kind = inputs.get("instanceType")
        yield f"the Plan has {planned} drives in the host, and a {kind} has {there}: the rest are nowhere", _GIVE_UP


def drives_used(inputs: Mapping[str, Any]) -> int | None:
    """How many of the drives in a host the store has, by the host's tag; without one all that its type has. None: not
    known."""
    told = str((inputs.get("tags") or {}).get(DRIVES_TAG, ""))
    return int(told) if told.isdecimal() else _drives_there(inputs)


def _drives_there(inputs: Mapping[str, Any]) -> int | None:
    found = catalogue.shipped().type(str(inputs.get("instanceType", "")))
    return found.local_drives if found else None


def _lost_wholes(changes: Iterable[Change]) -> Mapping[str, Change]:
    """Name of what is lost -> its change, or that of a part of it: the engine stops at the parts of what is protected,
    and has no word of the whole then."""
    lost = [change for change in changes if change.holds and change.harm >= Harm.REPLACE]
    wholes = {change.name: change for change in lost if change.type not in parts()}
    found = dict(wholes)
    for change in lost:
        if change.type in parts() and not any(change.name.startswith(f"{name}-") for name in wholes):
            found.setdefault(whole(change.name), change)
    return found


def _lost(environment: str, name: str, change: Change) -> str:
    verb = "replaced" if change.harm is Harm.REPLACE else "destroyed"
    about = "" if name == change.name else f"{change.name}: "
    return (
        f"{name} would be {verb} ({about}{change.why}), and with it {change.holds}\n"
        f"  remedy: undo the edit, or give it up first: "
        f"kakera-infra destroy {environment} --release {name} --confirm {name}"
    )


# --- what is not done ------------------------------------------------------------------------------------------------
def postponed(plan: Plan, steps: Iterable[Step]) -> tuple[str, ...]:
    """What the Plan wants of hosts that are there and the program leaves as it is; one line for each difference."""
    hosts = {host.name: host for host in plan.hosts if host.machine is not None}
    found: dict[tuple[str, str, str], list[str]] = {}
    for step in steps:
        host = hosts.get(step.name) if step.type == INSTANCE and step.op in ("same", "update") else None
        if host is None or host.machine is None or step.inputs is None:
            continue
        wanted = {"imageId": host.machine.image, "privateIp": host.address}
        if host.drives:
            wanted["instanceType"] = host.machine.instance_type
        for argument, value in wanted.items():
            there = step.inputs.get(argument)
            if there is not None and there != value:
                found.setdefault((argument, value, str(there)), []).append(step.name)
    return tuple(
        f"{argument}: the Plan wants {value}, and {there} is there ({', '.join(names)}): up leaves it; it is changed "
        "host by host, see docs/operate/changes.md"
        for (argument, value, there), names in sorted(found.items())
    )
