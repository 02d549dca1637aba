"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from infra.blueprint.plan import Plan, PlannedWaiver
from infra.blueprint.references import Finding, Where

__all__ = ["Check", "Finding", "Outcome", "Verdict", "Where"]

Check = Callable[[Plan], Iterator[Finding]]


def words(check: Callable[..., object]) -> str:
    """What a check or a policy says when it passes: its docstring, on one line."""
    return " ".join((check.__doc__ or "").split())


class Verdict(StrEnum):
    """UNKNOWN: what is known is not enough to judge; it stops nothing, and is never shown as a pass."""

    PASS = "PASS"
    FAIL = "FAIL"
    WAIVED = "WAIVED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Outcome:
    """One check's verdict; `detail` says what was found and, unless it passed, the remedy or the waiver's reason.

    `findings`: each with its place in the blueprint (`load.locate` finds line and column); empty when it passed.
    `waiver`: the one that covers them, when WAIVED.
    """

    check: str
    verdict: Verdict
    detail: str
    findings: tuple[Finding, ...] = ()
    waiver: PlannedWaiver | None = None

    @property
    def where(self) -> Where:
        """The place of the first finding; empty when there is none."""
        return self.findings[0].where if self.findings else ()
