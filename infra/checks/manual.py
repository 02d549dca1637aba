"""The manual of the checks: what each proves, what helps, whether it can be waived; written from the tables. Pure."""

from __future__ import annotations

from typing import Final

from infra.checks import waivers
from infra.checks.policies import POLICIES
from infra.checks.table import CHECKS

HEAD: Final = """\
# Checks

`kakera-infra check NAME` judges a blueprint or an environment by what its Plan says; no machine and no cloud is asked.
`preview` and `up` judge the same way first, and create nothing while a check fails.

| verdict | what it means |
|---|---|
| PASS | what the check proves holds |
| FAIL | it does not hold: each finding has file, line, column and remedy; exit code 2 |
| WAIVED | it does not hold, and somebody said why that is right, until a day |
| UNKNOWN | what is known is not enough to judge; shown, no failure, and never a PASS |

**Waivers** stand in the blueprint, each with the name of a check, a reason and a last day:

```yaml
waivers:
  - {check: writes-survive-zone, reason: the standby region takes writes meanwhile, until: 2027-06-30}
```

A waiver is refused, in its place and with the remedy, when its last day is over, when it has no reason, when it names
no check, one that passes without it, or one that cannot be waived.

**For machines**: `--format json` gives one object for each check (`format: 1`, described in `infra/checks/report.py`),
`--format sarif` SARIF 2.1.0, which hosts of code show beside the file; `--out FILE` writes it there. Both say what is
wrong with the text of the file too, both end with exit code 2 when something fails, and neither prints anything else.
In SARIF a FAIL is an `error`, an UNKNOWN a `warning`, what is waived a `note` with its reason as suppression.

**Resources**: when nothing else fails, the program is run with no cloud to ask, and each resource that it asks for is
judged by the policies of the table *Resources*, which nothing waives. Under a plain `pulumi` each resource is judged as
it is registered, whatever was added to the program. Of what only the cloud knows a policy says nothing. What they cover
of the CIS benchmark: [cis.md](cis.md).

Figures of quotas have their sources in `infra/catalogue/`. The tables below are written from `infra/checks/table.py`
and `infra/checks/policies/table.py`; after a change there:
`KAKERA_GOLDEN=write python -m pytest tests/infra/test_checks_manual.py`.
"""


def manual() -> str:
    """Markdown: the head, then a table for each topic, in the order of the tables of checks and policies."""
    topics: dict[str, list[str]] = {}
    for name, rule in CHECKS.items():
        topics.setdefault(rule.topic, []).append(_row(name, rule.proves, rule.remedy, "yes" if rule.waivable else "no"))
    for name, policy in POLICIES.items():
        topics.setdefault("resources", []).append(_row(name, policy.proves, policy.remedy, "no"))
    topics["waivers"] = [_row(waivers.NAME, waivers.PROVES, waivers.REMEDY, "no")]
    return "\n".join([HEAD, *(_section(topic, rows) for topic, rows in topics.items())])


def _section(topic: str, rows: list[str]) -> str:
    head = ["| check | what it proves | what helps | can be waived |", "|---|---|---|---|"]
    return "\n".join([f"## {topic[:1].upper()}{topic[1:]}", "", *head, *rows, ""])


def _row(name: str, proves: str, remedy: str, waivable: str) -> str:
    return f"| `{name}` | {_cell(proves)} | {_cell(remedy)} | {waivable} |"


def _cell(text: str) -> str:
    return text.replace("|", "/")
