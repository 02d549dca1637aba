"""The runner and the skips are tests' own ground: they must not be able to pass by doing nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import suites
from tests.needs import missing, require


def step(code: str, *, limit_s: int = 30) -> suites.Step:
    return suites.Step("probe", (sys.executable, "-c", code), limit_s=limit_s)


@pytest.mark.parametrize(("code", "passed", "failed"), [("", 1, 0), ("raise SystemExit(3)", 0, 1)])
def test_a_command_counts_by_its_exit_code(code: str, passed: int, failed: int) -> None:
    tally = suites.Tally()
    assert suites.run(step(code), tally) == (failed == 0)
    assert (tally.passed, tally.failed) == (passed, failed)


def test_a_hanging_step_is_killed_with_what_it_started(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    child = f"import time, pathlib; time.sleep(3); pathlib.Path({str(marker)!r}).touch()"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    started = time.monotonic()
    tally = suites.Tally()
    assert not suites.run(step(code, limit_s=1), tally)
    assert tally.failed == 1
    assert time.monotonic() - started < 30  # a bound against hanging, not a figure
    time.sleep(3)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("body", "tally"),
    [
        ("def test_a(): pass\ndef test_b(): assert 0", (1, 1, 0)),
        ("import pytest\n@pytest.mark.needs('no-such-program')\ndef test_a(): pass", (0, 0, 1)),
        ("raise RuntimeError", (0, 1, 0)),
        ("def helper(): pass", (0, 1, 0)),  # a suite that collects nothing has failed
    ],
)
def test_a_suite_counts_by_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, tally: tuple[int, int, int]
) -> None:
    folder = tmp_path / "tests" / "probe"
    folder.mkdir(parents=True)
    (folder / "test_probe.py").write_text(body)
    (folder.parent / "conftest.py").write_text("from tests.conftest import pytest_runtest_setup  # noqa\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs\n")
    monkeypatch.setattr(suites, "REPORTS", tmp_path)
    monkeypatch.setenv("CI", "")
    command = (*suites.PYTEST, "--rootdir", str(tmp_path), str(folder), "-c", str(tmp_path / "pytest.ini"))
    monkeypatch.setattr(suites, "folders_there", lambda step: [str(folder)])
    counted = suites.Tally()
    ok = suites.run(suites.Step("probe", command, ("probe",)), counted)
    assert (counted.passed, counted.failed, counted.skipped) == tally
    assert ok == (tally[1] == 0)


def test_a_folder_that_is_not_there_yet_is_passed_over() -> None:
    tally = suites.Tally()
    assert suites.run(suites.Step("probe", suites.PYTEST, ("no-such-folder",)), tally)
    assert tally == suites.Tally()


def test_an_unknown_name_is_refused() -> None:
    assert suites.main(["nonsense"]) == 2
    assert suites.main([]) == 2


def test_what_is_missing_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(["sh", "no-such-program", "no-other"]) == ["no-such-program", "no-other"]
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-program"):
        require("sh", "no-such-program")
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="needs no-such-program"):
        require("no-such-program")
    require("sh")


def test_ci_calls_make_test() -> None:
    script = suites.ROOT / ".ci" / "run"
    assert "make test" in script.read_text()
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
