"""Alibaba Cloud's own rules (aliyun/infraguard) on every blueprint in production: `make infraguard RULES=CHECKOUT`.

The rules are read where they lie and never copied. Without a checkout nothing is judged, and that is said.
"""

from __future__ import annotations

import sys
from pathlib import Path

from infra.export import configuration
from infra.rehearsal.metadata import Metadata
from tests.provider import outsiders
from tests.provider.folded import folded
from tests.provider.outsiders import Finding, standing, useless
from tests.provider.test_blueprints import IN_THE_CLOUD, plan_of


def main(checkout: str) -> int:
    rules = Path(checkout) / "policies" / "aliyun"
    if not checkout or not rules.is_dir():
        print("infraguard: skipped, for RULES= names no checkout of aliyun/infraguard")
        return 0
    found: list[Finding] = []
    unread: frozenset[str] = frozenset()
    for path in IN_THE_CLOUD:
        files = configuration.configuration(plan_of(path.read_text(), {"protect": True}), Metadata.load())
        high, unreadable = outsiders.infraguard(folded(outsiders.resources(files)), rules)
        found, unread = [*found, *high], unread | unreadable
    waivers = outsiders.waived("infraguard")
    wrong = [f"not waived: {one.rule}: {one.resource}" for one in standing(found, waivers)]
    wrong += [f"waived for nothing: {rule}" for rule in useless(found, waivers)]
    wrong += [f"not readable, and not listed: {rule}" for rule in sorted(unread - outsiders.unreadable())]
    wrong += [f"listed as not readable, and read: {rule}" for rule in sorted(outsiders.unreadable() - unread)]
    print("\n".join(wrong) or f"infraguard: {len(set(found))} findings of high severity, each waived with its reason")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or [""]))
