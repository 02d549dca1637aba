"""Pins: a segment in use is not dropped, in any process, and a dead process holds nothing (R7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kakera.segments.pins import Pins, Vanished

HOLDER = """
import sys, time
from kakera.segments.pins import Pins
pins = Pins(sys.argv[1])
held = pins.hold(7), pins.hold_writing(7)
print("held", flush=True)
time.sleep(60)
"""


def test_holding_and_letting_go(tmp_path: Path) -> None:
    pins, other = Pins(tmp_path), Pins(tmp_path)
    first, second = pins.hold(7), pins.hold(7)
    assert other.try_exclusive(7) is None
    first.release()
    first.release()  # more than once is harmless
    assert pins.try_exclusive(7) is None
    assert other.try_exclusive(7) is None
    second.release()
    assert pins.held() == {}
    exclusive = other.try_exclusive(7)
    assert exclusive is not None
    with exclusive:
        with pytest.raises(Vanished):
            pins.hold(7)
        pins.hold(8).release()
    assert not (tmp_path / "pins" / f"{7:016x}").exists()
    pins.hold(7).release()


def test_a_lock_on_a_removed_file_keeps_nobody_out(tmp_path: Path) -> None:
    """The file goes with the drop; whoever had opened it before must look again."""
    pins, other = Pins(tmp_path), Pins(tmp_path)
    real = os.open
    first = True

    def open_(path: object, flags: int, *rest: int) -> int:
        nonlocal first
        fd = real(path, flags, *rest)  # type: ignore[arg-type]
        if first:
            first = False
            exclusive = other.try_exclusive(7)
            assert exclusive is not None
            with exclusive:
                pass
        return fd

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", open_)
        pin = pins.hold(7)
    assert other.try_exclusive(7) is None
    pin.release()


def test_writing_is_apart_from_reading(tmp_path: Path) -> None:
    pins, other = Pins(tmp_path), Pins(tmp_path)
    reading = pins.hold(7)
    assert other.is_sealed(7)
    writing = pins.hold_writing(9)
    assert not other.is_sealed(9)
    assert not pins.is_sealed(9)
    writing.release()
    assert other.is_sealed(9)
    reading.release()


def test_the_kernel_releases_the_pins_of_the_dead(tmp_path: Path) -> None:
    pins = Pins(tmp_path)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert pins.try_exclusive(7) is None
        assert not pins.is_sealed(7)
        child.send_signal(signal.SIGKILL)
        child.wait()
    exclusive = pins.try_exclusive(7)
    assert exclusive is not None
    with exclusive:
        pass
    assert pins.is_sealed(7)
