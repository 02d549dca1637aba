"""Figures with a unit, as people write them, turned into the whole number that a field takes. Pure."""

from __future__ import annotations

import re
from typing import Final

_FIGURE: Final = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$")
# Disks are sold in TB and counted in GiB: here both words mean the binary unit, as they do in the cloud's console.
_GIB: Final = {"m": 1 / 1024, "mb": 1 / 1024, "mib": 1 / 1024, "g": 1.0, "gb": 1.0, "gib": 1.0, "t": 1024.0}
_GIB_MORE: Final = {"tb": 1024.0, "tib": 1024.0}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_DAYS: Final = {"d": 1.0, "day": 1.0, "days": 1.0, "w": 7.0, "week": 7.0, "weeks": 7.0, "month": 30.0, "months": 30.0}
_DAYS_MORE: Final = {"y": 365.0, "year": 365.0, "years": 365.0}
_MBPS: Final = {"kbps": 0.001, "m": 1.0, "mbps": 1.0, "mbit": 1.0, "g": 1000.0, "gbps": 1000.0, "gbit": 1000.0}
_BYTES: Final = {"b": 1.0, "k": 1024.0, "kb": 1024.0, "kib": 1024.0, "m": 2.0**20, "mb": 2.0**20, "mib": 2.0**20}
# ending of a field's name -> its unit in words, and what of others makes one of it
UNITS: Final = {
    "gib": ("GiB", {**_GIB, **_GIB_MORE}),
    "s": ("seconds", _SECONDS),
    "days": ("days", {**_DAYS, **_DAYS_MORE}),
    "mbps": ("Mbit/s", _MBPS),
    "bytes": ("bytes", _BYTES),
}


def unit(field: str) -> str | None:
    """`GiB` for `drive_gib`; None for a field that counts things."""
    found = UNITS.get(field.rpartition("_")[2]) if "_" in field else None
    return found[0] if found else None


def whole(field: str, text: object) -> int | None:
    """2048 for `drive_gib` and `2TB`; None when that is no whole number of the field's unit, or no figure at all."""
    found = UNITS.get(field.rpartition("_")[2]) if "_" in field else None
    match = _FIGURE.match(text) if isinstance(text, str) else None
    if found is None or match is None or match[2].lower() not in found[1]:
        return None
    value = float(match[1]) * found[1][match[2].lower()]
    return round(value) if value >= 1 and abs(value - round(value)) < 1e-9 else None
