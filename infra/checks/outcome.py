"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    WAIVED = "WAIVED"


@dataclass(frozen=True)
class Outcome:
    """One check's verdict; `detail` says what was found and, unless it passed, the remedy or the waiver's reason."""

    check: str
    verdict: Verdict
    detail: str
