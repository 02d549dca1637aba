"""What a Plan costs: `estimate(plan, usage, book=...)` a month, `difference(old, new)` two of them in money."""

from infra.cost.demand import Demand, demands
from infra.cost.difference import Changed, Difference, difference
from infra.cost.estimate import Choice, Comparison, Estimate, Line, Total, estimate, shown
from infra.cost.usage import DEFAULT, Usage

__all__ = [
    "DEFAULT",
    "Changed",
    "Choice",
    "Comparison",
    "Demand",
    "Difference",
    "Estimate",
    "Line",
    "Total",
    "Usage",
    "demands",
    "difference",
    "estimate",
    "shown",
]
