"""What `destroy` removes, and what it leaves and how to have that back; letting go of one thing that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from infra.blueprint.plan import Plan
from infra.cli import show
from infra.cli.stop import BAD_INPUT, Stop
from infra.cost.estimate import Estimate, shown
from infra.engine.changes import ATTACHMENT, INSTANCE, own_drives, table
from infra.engine.changes import parts as parts_of_others
from infra.engine.stacks import Kept, Stack

UNKNOWN: Final = "UNKNOWN"
DISK: Final = "alicloud:ecs/ecsDisk:EcsDisk"
DATABASE: Final = "alicloud:rds/instance:Instance"
POLICY: Final = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
POLICY_OF_DISK: Final = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"
BACKUPS: Final = "alicloud:rds/backupPolicy:BackupPolicy"
# Arguments by which the cloud itself refuses to delete, and what they are when it does.
GUARDS: Final[Mapping[str, frozenset[object]]] = {
    "deletionProtection": frozenset({True, "true", "Enabled"}),
    "deletionProtectionEnabled": frozenset({True, "true"}),
    "deleteProtection": frozenset({"on"}),
    "groupDeletionProtection": frozenset({True, "true"}),
}


def everything(plan: Plan, stack: Stack, costs: Estimate | None = None) -> None:
    """All but what is protected and what that needs (P6), which is listed. `costs`: None where none can be estimated.

    Hosts whose drives outlive them are guarded by the cloud alone: that guard is lifted first. Of one that its drives
    are in it never is: where an edit took its protection away and left the machine, that is put back.
    """
    before = stack.kept()
    known = {host.name for host in plan.hosts}
    open_ = [found for found in before if found.type == INSTANCE and not found.protected and _guarded(found)]
    keep = [found.urn for found in open_ if own_drives(found.inputs)]
    guarded = {found.urn: found.name for found in open_ if found.name in known and found.urn not in keep}
    if guarded:
        with show.progress(f"destroy {stack.name.name}: lifting the cloud's protection of its hosts") as on_step:
            stack.let_go(guarded, on_step)
    show.reported(stack, lambda on_step: stack.destroy(on_step, keep=keep), "destroy")
    left(stack.name.name, stack.kept(), snapshots(before), costs)


def release(stacks: Sequence[Stack], name: str, confirm: str | None) -> None:
    """Lets go of one thing that is kept, with what is a part of it, and destroys it. Raises: Stop."""
    states = [(stack, stack.kept()) for stack in stacks]
    candidates = {found.name: (stack, state, found) for stack, state in states for found in holders(state)}
    if name not in candidates:
        raise Stop(f"--release {name}: nothing of that name is kept; kept are: {', '.join(candidates) or 'nothing'}")
    if confirm != name:
        raise Stop(f"--release {name} destroys it and what it holds for good: say its name twice, --confirm {name}")
    stack, state, found = candidates[name]
    going = (found, *parts(state, found))
    others = sorted(one.name for one in going if _another(one, found))
    if others:
        raise Stop(f"--release {name}: it is needed by {', '.join(others)}: release those first")
    _lift(stack, [one for one in going if _guarded(one)])
    urns = [one.urn for one in going]
    stack.free(urns)
    show.reported(stack, lambda on_step: stack.destroy(on_step, only=urns), "release")


def holders(state: Sequence[Kept]) -> tuple[Kept, ...]:
    """What `destroy` or `up` refuses to remove: the protected, and what holds data; of hosts those with drives, on them
    or in them. A part, such as a bucket's guard, goes with its whole alone."""
    with_drives = {found.inputs.get("instanceId") for found in state if found.type == ATTACHMENT}

    def holds(found: Kept) -> bool:
        empty = found.type == INSTANCE and found.id not in with_drives and not own_drives(found.inputs)
        return found.protected or (_holds(found) and not empty)

    return tuple(found for found in state if found.type not in parts_of_others() and holds(found))


def parts(state: Iterable[Kept], found: Kept) -> tuple[Kept, ...]:
    """What takes an argument from it, or from what does: it cannot be without it."""
    gone, left_over, before = {found.urn}, list(state), -1
    chosen: list[Kept] = []
    while len(gone) != before:
        before = len(gone)
        for one in left_over:
            if one.urn not in gone and gone & set(one.needs):
                gone.add(one.urn)
                chosen.append(one)
    return tuple(chosen)


def snapshots(state: Iterable[Kept]) -> Mapping[str, str]:
    """Id of a drive or database -> how its past is kept. How many there are the cloud knows, and it is not asked."""
    found = tuple(state)
    policies = {one.id: one for one in found if one.type == POLICY}
    told: dict[str, str] = {}
    for one in found:
        policy = policies.get(str(one.inputs.get("autoSnapshotPolicyId")))
        if one.type == POLICY_OF_DISK and policy is not None:
            days = _whole(policy.inputs.get("retentionDays"))
            told[str(one.inputs.get("diskId"))] = f"UNKNOWN many, of {policy.name}, each for {days} days"
        elif one.type == BACKUPS:
            days = _whole(one.inputs.get("backupRetentionPeriod"))
            told[str(one.inputs.get("instanceId"))] = f"backups go on, each for {days} days"
    return told


def monthly(found: Kept, costs: Estimate | None) -> str:
    """What it costs a month by the estimate; UNKNOWN where that does not know, never zero. Of a drive: its share, by
    size, of the disks of its host."""
    if found.type in parts_of_others():
        return "with its whole"
    if costs is None:
        return UNKNOWN
    if found.type == DISK:
        return _share(found, costs)
    lines = [line.month for line in costs.base if line.demand.resource == found.name]
    known = [month for month in lines if month is not None]
    return f"{shown(sum(known, Decimal(0)))} {costs.currency}" if known and len(known) == len(lines) else UNKNOWN


def _share(disk: Kept, costs: Estimate) -> str:
    size = disk.inputs.get("size")
    for line in costs.base:
        of_host = line.demand.item == "disk" and disk.name.rpartition("-")[0] == line.demand.resource
        if of_host and line.month is not None and line.quantity and isinstance(size, int | float):
            return f"{shown(line.month / line.quantity * Decimal(size))} {costs.currency}"
    return UNKNOWN


def left(stack: str, resources: Sequence[Kept], past: Mapping[str, str], costs: Estimate | None = None) -> None:
    """What stays, why, with which snapshots and at what cost."""
    if not resources:
        return
    show.line(stack, f"left: {len(resources)} (protected, or needed by what is)")
    rows = (
        ("protected" if found.protected else "needed", found.type, found.name, found.id, _past(found, past),
         monthly(found, costs))
        for found in resources
    )  # fmt: skip
    show.table(("why", "type", "name", "id", "snapshots", "a month"), rows)


def _past(found: Kept, past: Mapping[str, str]) -> str:
    if found.type in (DISK, DATABASE):
        return past.get(found.id, "UNKNOWN many, and no policy makes more")
    return "none: drives in a host have none" if found.type == INSTANCE and own_drives(found.inputs) else "-"


def _lift(stack: Stack, guarded: Sequence[Kept]) -> None:
    """The cloud's own protection, by an update. Raises: Stop when no program asks for them any more."""
    if not guarded:
        return
    urns = {one.urn: one.name for one in guarded}
    with show.progress(f"release: lifting the cloud's protection of {', '.join(urns.values())}") as on_step:
        seen = stack.preview(on_step)
        gone = sorted({step.name for step in seen.steps if step.urn in urns and step.op == "delete"})
        if gone:
            raise Stop(
                f"{', '.join(gone)}: the cloud protects it, and the blueprint asks for it no longer, so nothing can "
                "lift that: put it back into the blueprint, release it, and take it out then",
                BAD_INPUT,
            )
        stack.let_go(urns, on_step)


def _guarded(found: Kept) -> bool:
    return any(found.inputs.get(name) in values for name, values in GUARDS.items())


def _another(one: Kept, found: Kept) -> bool:
    """Whether it holds something of its own, and is no part of what is released."""
    return one is not found and (one.protected or _holds(one)) and not one.name.startswith(f"{found.name}-")


def _holds(found: Kept) -> bool:
    row = table().get(found.type)
    return row is not None and bool(row.holds) and found.type != ATTACHMENT


def _whole(value: object) -> str:
    """A number of a state, which keeps 14 as 14.0."""
    return str(int(value)) if isinstance(value, float) else str(value)
