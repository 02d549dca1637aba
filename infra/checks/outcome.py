"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from infra.blueprint.plan import Plan
from infra.blueprint.references import Finding, Where

__all__ = ["Check", "Finding", "Outcome", "Verdict", "Where"]

Check = Callable[[Plan], Iterator[Finding]]


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    WAIVED = "WAIVED"


@dataclass(frozen=True)
class Outcome:
    """One check's verdict; `detail` says what was found and, unless it passed, the remedy or the waiver's reason.

    `findings`: each with its place in the blueprint (`load.locate` finds line and column); empty when it passed.
    """

    check: str
    verdict: Verdict
    detail: str
    findings: tuple[Finding, ...] = ()

    @property
    def where(self) -> Where:
        """The place of the first finding; empty when there is none."""
        return self.findings[0].where if self.findings else ()
