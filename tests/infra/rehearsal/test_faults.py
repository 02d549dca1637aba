"""What goes wrong on purpose, and how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.rehearsal.faults import FILE, Call, Fault, FaultKind, Faults, Weather

CALL = Call("create", "alicloud:vpc/switch:Switch", "a", "cn-hangzhou")


@pytest.mark.parametrize(
    ("fault", "fits"),
    [
        (Fault(FaultKind.QUOTA), True),
        (Fault(FaultKind.QUOTA, operation="create", type="Switch", name="a", region="cn-hangzhou"), True),
        (Fault(FaultKind.QUOTA, type="alicloud:vpc/switch:Switch"), True),
        (Fault(FaultKind.QUOTA, type="switch"), False),
        (Fault(FaultKind.QUOTA, operation="delete"), False),
        (Fault(FaultKind.QUOTA, name="b"), False),
        (Fault(FaultKind.QUOTA, region="cn-shanghai"), False),
        (Fault(FaultKind.QUOTA, count=0), False),
    ],
)
def test_matchers(fault: Fault, fits: bool) -> None:
    assert fault.fits(CALL) is fits


def test_a_fault_is_spent(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    assert faults.take(CALL) is None
    faults.add(Fault(FaultKind.LOST, count=2, name="a"))
    faults.add(Fault(FaultKind.QUOTA, region="elsewhere"))
    assert [taken and taken.kind for taken in (faults.take(CALL) for _ in range(3))] == ["lost", "lost", None]
    faults.add(Fault(FaultKind.TIMEOUT))  # what is spent makes room
    assert [fault.kind for fault in faults.weather().faults] == ["quota", "timeout"]


def test_each_fault_hits_as_often_as_it_says_whoever_asks(tmp_path: Path) -> None:
    Faults(tmp_path).add(Fault(FaultKind.QUOTA, count=7))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: Faults(tmp_path).take(CALL), range(40)))
    assert sum(fault is not None for fault in taken) == 7


def test_regions_off_and_on(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    faults.switch_off("a")
    faults.switch_off("b")
    faults.switch_on("a")
    faults.add(Fault(FaultKind.QUOTA))
    assert Faults(tmp_path).weather() == Weather(frozenset({"b"}), (Fault(FaultKind.QUOTA),))
    faults.clear()
    assert faults.weather() == Weather()


def test_a_file_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"faults": [{"kind": "throttled", "type": "Switch"}]}')
    assert Faults(tmp_path).take(CALL) == Fault(FaultKind.THROTTLED, type="Switch")
    (tmp_path / FILE).write_text('{"faults": [{"kind": "thunder"}]}')
    with pytest.raises(ValueError, match="thunder"):
        Faults(tmp_path).take(CALL)
