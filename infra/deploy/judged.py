"""The Plan that this stack is a part of, judged before any resource, and what every resource of it carries."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping

import pulumi

from infra import checks
from infra.blueprint.plan import Plan
from infra.blueprint.stack import RELEASED
from infra.checks.policies import Resource, refused
from infra.components import released, tags
from infra.cost import files
from infra.deploy.settings import Settings


def checked_plan(settings: Settings) -> Plan:
    """The Plan, every check passed or waived, and no secret of this stack missing.

    What is not known stops nothing, and is told as a warning. Raises: pulumi.RunError with all findings, before any
    resource.
    """
    try:
        text = settings.blueprint.read_text()
    except OSError as error:
        raise pulumi.RunError(f"kakera:blueprint {settings.blueprint} cannot be read: {error.strerror}") from error
    known = files.beside(settings.blueprint)
    review = checks.review(
        text,
        name=str(settings.blueprint),
        today=datetime.date.today(),
        informed={"cost-ceiling": checks.ceiling(known.book, known.usage)},
        beside=known.problems,
    )
    lines = [str(problem) for problem in review.problems]
    lines += _missing_secrets(review.plan, settings) if review.plan else []
    if lines or review.plan is None:
        raise pulumi.RunError("\n".join(["nothing is created while something is wrong:", *lines]))
    for outcome in review.outcomes:
        if outcome.verdict is checks.Verdict.UNKNOWN:
            pulumi.log.warn(f"{outcome.verdict} {outcome.check}: {outcome.detail}")
    return review.plan


def _missing_secrets(plan: Plan, settings: Settings) -> list[str]:
    part = plan.part(settings.part)
    stack = part.stack if part else ""
    found = checks.missing_secrets(plan, stack, settings.given, rehearsal=settings.mode == "rehearsal")
    return [f"{finding.text}\n  hint: {finding.hint}" for finding in found]


def tag_everything(plan: Plan, part: str) -> None:
    """P4: the Plan's tags on every resource that takes tags; a user's own never override them."""
    mandatory = mandatory_tags(plan, part)
    if mandatory:
        pulumi.runtime.register_resource_transform(tags.transform(mandatory))


def refuse_wrong_resources() -> None:
    """Every resource is judged as it is registered, whoever runs the program and whatever was added to it.

    The program stops at the first that a policy refuses: before that is asked for, and in a preview before anything is.
    What only the cloud knows is not judged here; `kakera-infra check` sees all resources together.
    """
    pulumi.runtime.register_resource_transform(refuse)


def refuse(args: pulumi.ResourceTransformArgs) -> None:
    """A transform that changes nothing. Raises: pulumi.RunError with all that is wrong with the resource."""
    found = list(refused(Resource(args.type_, args.name, args.props)))
    if found:
        raise pulumi.RunError("\n".join(["a policy refuses what the program asks for:", *found]))


def let_go() -> None:
    """What this one run is told to let go of loses its protection (`destroy --release`)."""
    names = frozenset(os.environ.get(RELEASED, "").split())
    if names:
        pulumi.runtime.register_resource_transform(released.transform(names))


def mandatory_tags(plan: Plan, part: str) -> Mapping[str, str]:
    if part == "global":
        return plan.joint.tags if plan.joint else {}
    planned = plan.part(part)
    return planned.tags if planned else {}
