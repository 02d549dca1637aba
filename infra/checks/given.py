"""What a stack's configuration must hold before the stack is built: the Plan's secrets. Pure."""

from __future__ import annotations

from collections.abc import Collection

from infra.blueprint.plan import Plan
from infra.checks.outcome import Finding


def missing_secrets(plan: Plan, stack: str, present: Collection[str], *, rehearsal: bool) -> tuple[Finding, ...]:
    """A finding, with the command that helps, for each secret that `stack` needs and `present` does not name."""
    command = f"kakera-infra init {plan.blueprint} --name {plan.name} --environment {plan.environment}"
    command += " --rehearsal" if rehearsal else ""
    return tuple(
        Finding(
            f"secret {secret.name!r} is missing: {secret.purpose}",
            hint=f"{command} generates what is missing and leaves the rest"
            if secret.generated
            else f"{command} --secret {secret.name}=FILE",
        )
        for secret in plan.secrets
        if stack in secret.stacks and secret.name not in present
    )
