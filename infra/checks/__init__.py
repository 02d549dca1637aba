"""Named checks on a Plan: `run(plan, today=...)` gives PASS, FAIL or WAIVED for each."""

from infra.checks.outcome import Outcome, Verdict
from infra.checks.table import run

__all__ = ["Outcome", "Verdict", "run"]
