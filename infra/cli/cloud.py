"""Commands that drive the engine: every stack of an environment, in order."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from infra import render as renders
from infra.blueprint.edit import edited
from infra.blueprint.load import BlueprintError
from infra.blueprint.outputs import Outputs
from infra.blueprint.plan import Plan
from infra.cli import changes, local, removal, show
from infra.cli.design import judged
from infra.cli.names import HERE, Environment, Folder, Found, Name, find, find_environment, plan_of
from infra.cli.stop import BAD_INPUT, Stop
from infra.cost import files
from infra.cost.estimate import Estimate, estimate
from infra.engine import session
from infra.engine.project import account, stacks
from infra.engine.stacks import Stack
from infra.local.report import Reporter
from infra.naming import GLOBAL

Port = Annotated[int | None, typer.Option(help="local only: instead of the blueprint's")]
Workers = Annotated[int | None, typer.Option(help="local only: HTTP workers, instead of the blueprint's")]
Part = Annotated[str | None, typer.Option(help="one part alone: a region's name, or global")]

Domain = Annotated[
    str | None, typer.Option(help="stop hosts of this failure domain alone: a zone, or a host where hosts may be lost")
]


def preview(name: Environment, part: Part = None, domain: Domain = None, project: Folder = HERE) -> None:
    """What `up` would do, and whether it would refuse; nothing is created."""
    found, plan = _environment(name, project)
    if local.is_local(plan):
        show.files(renders.everything(plan, {}))
        return
    changes.known_domain(plan, domain)
    changes.previewed(plan, _stacks(found, plan, part), domain=domain)
    show.files(renders.everything(plan, {}))


def up(
    name: Name,
    *,
    part: Part = None,
    domain: Domain = None,
    port: Port = None,
    workers: Workers = None,
    data: local.Data = None,
    project: Folder = HERE,
) -> None:
    """Make it so: the stacks of an environment, judged before anything is done, or a store on this machine."""
    found = find(name, project)
    plan = plan_of(found.path, port=port, workers=workers)
    if local.is_local(plan):
        local.run(plan, found.path.stem, folder=found.project.folder, data=data)
        return
    found, plan = _environment(name, project)
    changes.known_domain(plan, domain)
    changes.done(plan, _stacks(found, plan, part), domain=domain)


def refresh(name: Environment, part: Part = None, project: Folder = HERE) -> None:
    """Look for drift: what the cloud says against what the state says."""
    found, plan = _environment(name, project)
    for stack in _stacks(found, plan, part):
        show.reported(stack, stack.refresh, "refresh")


def render(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="the folder to write; build/NAME/rendered by default")] = None,
    project: Folder = HERE,
) -> None:
    """Write what the hosts read: inventory, settings, units, cloud-init."""
    found = find(name, project)
    plan = plan_of(found.path)
    target = out or found.project.folder / "build" / found.path.stem / "rendered"
    outputs = _outputs(found, plan) if found.environment and not local.is_local(plan) else {}
    files = renders.everything(plan, outputs)
    for path, text in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text)
    Reporter().say(f"{len(files)} files in {target}")


def failover(
    name: Environment,
    to: Annotated[str, typer.Option(help="the region that takes writes from now on")],
    project: Folder = HERE,
) -> None:
    """Let another region take writes; the lost one is not spoken to. One that failed is run again."""
    found, plan = _environment(name, project)
    takers = [region.name for region in plan.regions if region.role != "backup"]
    if to not in takers:
        raise Stop(f"--to {to}: the environment's regions that hold a store are {', '.join(takers) or 'none'}")
    told_already = to == plan.active
    if not told_already:
        _replace(found.path, edited(found.path.read_text(), {"active": to}))
    try:
        found, plan = _environment(name, project)
        opened = _session(found, plan)
        parts = [opened.stack(stack) for stack in stacks(plan) if stack.part in (to, GLOBAL)]
        changed = sum(summary.changed for summary in changes.done(plan, parts, verb="failover"))
    except BaseException:
        Reporter().warn(f"failover is not complete: run it again. {found.path} says active: {to}")
        raise
    render(name, None, project)
    if told_already and not changed:
        raise Stop(f"--to {to}: it takes writes already, and nothing was left to do")
    Reporter().say(f"{to} takes writes: bring its hosts to their new server.toml; the other region returns read-only")


def destroy(
    name: Environment,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    part: Part = None,
    release: Annotated[str | None, typer.Option(help="nothing but this: the name of something that is kept")] = None,
    confirm: Annotated[str | None, typer.Option(help="its name again")] = None,
    project: Folder = HERE,
) -> None:
    """Remove all but what is protected, and list what stays; or remove just one thing that is."""
    found, plan = _environment(name, project, check=False)
    if confirm is not None and release is None:
        raise Stop("--confirm goes with --release NAME")
    if release is not None and not local.is_local(plan):
        removal.release(_stacks(found, plan, part), release, confirm)
        return
    if not yes and not typer.confirm(f"Remove everything of {name} but what is protected?"):
        raise Stop("nothing was removed", BAD_INPUT)
    if local.is_local(plan):
        local.down(name, project)
        return
    costs = _costs(found, plan)
    for stack in reversed(_stacks(found, plan, part)):
        removal.everything(plan, stack, costs)


def bootstrap(name: Environment, project: Folder = HERE) -> None:
    """Once an account: the role that encrypts disks with a key of ours."""
    found, plan = _environment(name, project)
    opened = _session(found, plan)
    changes.done(plan, [opened.stack(account(opened.mode))], verb="bootstrap")


def shell(name: Environment, project: Folder = HERE) -> None:
    """Print the variables a plain `pulumi` needs: eval "$(kakera-infra shell NAME)"."""
    found = find_environment(name, project)
    for variable, value in sorted(_session(found, plan_of(found.path)).variables.items()):
        print(f"export {variable}={shlex.quote(value)}")


def _environment(name: str, folder: Path, *, check: bool = True) -> tuple[Found, Plan]:
    """The environment's Plan. Raises: Stop when it is none, or when a check fails."""
    found = find_environment(name, folder)
    return found, judged(found, quiet=True) if check else plan_of(found.path)


def _costs(found: Found, plan: Plan) -> Estimate | None:
    """None where a price file cannot be read: that stops no removal."""
    try:
        return estimate(plan, book=files.book(found.path))
    except BlueprintError as error:
        Reporter().warn(f"what is left has no price: {error}")
        return None


def _session(found: Found, plan: Plan) -> session.Session:
    return session.Session.open(found.project, plan, os.environ)


def _stacks(found: Found, plan: Plan, part: str | None) -> list[Stack]:
    opened = _session(found, plan)
    names = [name for name in stacks(plan) if part in (None, name.part)]
    if not names:
        raise Stop(f"--part {part}: one of {', '.join(name.part for name in stacks(plan))}")
    return [opened.stack(name) for name in names]


def _outputs(found: Found, plan: Plan) -> dict[str, Outputs]:
    """What is known of each part; nothing of a stack that was never up."""
    opened = _session(found, plan)
    return {name.part: Outputs.model_validate(opened.stack(name).outputs()) for name in stacks(plan)}


def _replace(path: Path, text: str) -> None:
    """All of the new text or all of the old one."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)
