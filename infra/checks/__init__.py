"""Named checks on a Plan: `run(plan, today=...)` judges it; `review(text, ...)` finds all that is wrong in a file."""

from infra.checks.cost import ceiling
from infra.checks.given import missing_secrets
from infra.checks.outcome import Finding, Outcome, Verdict
from infra.checks.report import as_json, as_sarif
from infra.checks.review import Review, review
from infra.checks.table import run

__all__ = [
    "Finding",
    "Outcome",
    "Review",
    "Verdict",
    "as_json",
    "as_sarif",
    "ceiling",
    "missing_secrets",
    "review",
    "run",
]
