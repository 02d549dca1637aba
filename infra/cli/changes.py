"""What `up` would do, judged before anything is done (P3), and then done as it was judged."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.blueprint.plan import Plan, failure_domain
from infra.cli import show
from infra.cli.stop import BAD_INPUT, Stop
from infra.engine.changes import Change, Harm, classified, domains, postponed, refusals, stranded
from infra.engine.stacks import Preview, Stack, Summary
from infra.naming import GLOBAL


@dataclass(frozen=True)
class Judged:
    """A stack, what was seen of it, and how `up` is held to that: the engine's plan, and what is left as it is."""

    stack: Stack
    preview: Preview
    changes: tuple[Change, ...]
    plan: Path
    exclude: tuple[str, ...]

    def up(self, verb: str) -> Summary:
        return show.reported(
            self.stack, lambda on_step: self.stack.up(on_step, plan=self.plan, exclude=self.exclude), verb
        )


def previewed(plan: Plan, stacks: Sequence[Stack], *, domain: str | None = None) -> None:
    """Shows what `up` would do, stack by stack. Raises: Stop with every reason for which `up` would refuse."""
    with tempfile.TemporaryDirectory(prefix="kakera-") as folder:
        found = [_judge(plan, stack, Path(folder), domain=domain) for stack in stacks]
        for judged in found:
            show.line(judged.stack.name.name, str(judged.preview.summary))
        _tell(plan, found)


def done(plan: Plan, stacks: Sequence[Stack], *, verb: str = "up", domain: str | None = None) -> tuple[Summary, ...]:
    """Makes it so: each stack as it was judged, and only when none is refused.

    What joins regions depends on what they told last: it is judged again when one of them changed. Raises: Stop.
    """
    summaries: list[Summary] = []
    # What a preview promised is a file that may hold secrets, encrypted as in the state; the folder is ours alone.
    with tempfile.TemporaryDirectory(prefix="kakera-") as folder:
        found = [_judge(plan, stack, Path(folder), domain=domain) for stack in stacks]
        _tell(plan, found)
        for judged in found:
            if judged.stack.name.part == GLOBAL and any(summary.changed for summary in summaries):
                judged = _judge(plan, judged.stack, Path(folder), domain=domain)
                _tell(plan, [judged])
            summaries.append(judged.up(verb))
    return tuple(summaries)


def known_domain(plan: Plan, domain: str | None) -> None:
    """Raises: Stop for a failure domain that the Plan does not have."""
    known = tuple(dict.fromkeys(failure_domain(plan.survive, host) for host in plan.hosts if host.machine is not None))
    if domain is not None and domain not in known:
        raise Stop(f"--domain {domain}: the environment's failure domains are {', '.join(known) or 'none'}")


def _judge(plan: Plan, stack: Stack, folder: Path, *, domain: str | None) -> Judged:
    """With a `domain`, hosts of the others that would stop stay as they are."""
    file = folder / f"{stack.name.name}.json"
    with show.progress(f"preview {stack.name.name}") as on_step:
        seen = stack.preview(on_step, plan=file)
        changes = classified(seen.steps)
        others = domains(plan, changes) if domain is not None else {}
        exclude = tuple(change.urn for other, many in others.items() if other != domain for change in many)
        if exclude:
            seen = stack.preview(on_step, plan=file, exclude=exclude)
            changes = classified(seen.steps)
    return Judged(stack, seen, changes, file, exclude)


def _tell(plan: Plan, found: Sequence[Judged]) -> None:
    """Every change that is more than online, what is left undone, and, as the end, why nothing is done."""
    for judged in found:
        for change in judged.changes:
            if change.harm > Harm.ONLINE:
                show.line(judged.stack.name.name, str(change))
        for line in postponed(plan, judged.preview.steps):
            show.line(judged.stack.name.name, f"not done: {line}")
    reasons = list(refusals(plan, [change for judged in found for change in judged.changes]))
    reasons += stranded(plan, [step for judged in found for step in judged.preview.steps])
    # The engine has the last word: what it refuses and the judgement above did not foresee.
    reasons += [judged.preview.blocked for judged in found if judged.preview.blocked and not reasons]
    if reasons:
        raise Stop("\n".join(["nothing is done, for these changes hurt:", *reasons]), BAD_INPUT)
