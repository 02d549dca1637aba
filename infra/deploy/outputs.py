"""What a stack tells: name -> value."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.deploy.settings import Settings

Outputs = dict[str, Any]


def export(outputs: Outputs, settings: Settings) -> None:
    for name, value in sorted({**outputs, "mode": settings.mode}.items()):
        pulumi.export(name, value)
