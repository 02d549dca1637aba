"""What goes wrong on purpose: faults and regions that are off, in `faults.json` of the rehearsal's folder.

    {"off": ["cn-hangzhou"],
     "faults": [{"kind": "quota", "count": 1, "operation": "create", "type": "alicloud:vpc/switch:Switch",
                 "name": "a-switch", "region": "cn-shanghai"}]}

A matcher that is left out fits everything; `type` may be its last word (`Switch`). A fault is spent after `count`
calls.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

FILE: Final = "faults.json"


class FaultKind(StrEnum):
    """What goes wrong."""

    QUOTA = "quota"  # refused, nothing happens
    THROTTLED = "throttled"  # refused, nothing happens
    TIMEOUT = "timeout"  # given up, nothing happens
    PARTIAL = "partial"  # done, but reported as failed with what there is: the engine records it
    LOST = "lost"  # done, and the answer never arrives: the engine knows nothing of it
    SLOW = "slow"  # done, after a wait in which the engine can be killed
    LATE = "late"  # done, and the answer waits: an engine that is killed knows nothing of it


@dataclass(frozen=True)
class Call:
    """One call that reaches a region's cloud."""

    operation: str
    type: str
    name: str
    region: str


@dataclass(frozen=True)
class Fault:
    """What goes wrong, where, and how many times. An empty matcher fits everything."""

    kind: FaultKind
    count: int = 1
    operation: str = ""
    type: str = ""
    name: str = ""
    region: str = ""

    def fits(self, call: Call) -> bool:
        return (
            self.count > 0
            and self.operation in ("", call.operation)
            and self.type in ("", call.type, call.type.rpartition(":")[2])
            and self.name in ("", call.name)
            and self.region in ("", call.region)
        )


@dataclass(frozen=True)
class Weather:
    """The whole file."""

    off: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = field(default=())


class Faults:
    """The file, shared by every process of a rehearsal."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = folder / f"{FILE}.lock"

    def weather(self) -> Weather:
        """What is set now. Raises: ValueError when the file is not of this form."""
        try:
            raw = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return Weather()
        faults = tuple(Fault(**{**entry, "kind": FaultKind(entry["kind"])}) for entry in raw.get("faults", ()))
        return Weather(frozenset(raw.get("off", ())), faults)

    def take(self, call: Call) -> Fault | None:
        """The first fault that fits, spent by one; None when all is well."""
        if not any(fault.fits(call) for fault in self.weather().faults):
            return None
        with self._locked():
            now = self.weather()
            for index, fault in enumerate(now.faults):
                if fault.fits(call):
                    spent = replace(fault, count=fault.count - 1)
                    self._write(replace(now, faults=(*now.faults[:index], spent, *now.faults[index + 1 :])))
                    return fault
        return None

    def add(self, fault: Fault) -> None:
        with self._locked():
            now = self.weather()
            self._write(replace(now, faults=(*(old for old in now.faults if old.count > 0), fault)))

    def switch_off(self, region: str) -> None:
        """Every call that would reach this region's cloud fails, until it is switched on."""
        with self._locked():
            now = self.weather()
            self._write(replace(now, off=now.off | {region}))

    def switch_on(self, region: str) -> None:
        with self._locked():
            now = self.weather()
            self._write(replace(now, off=now.off - {region}))

    def clear(self) -> None:
        with self._locked():
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, weather: Weather) -> None:
        fresh = self._path.with_suffix(".new")
        whole = {"off": sorted(weather.off), "faults": [asdict(fault) for fault in weather.faults]}
        fresh.write_text(json.dumps(whole, indent=1) + "\n")
        os.replace(fresh, self._path)  # a reader sees the old file or the new one
