"""The one list of what `make check`, `make test` and the full runs do, and the small runner behind them.

    python -m tests.suites test|check|fault|clients|engine|knobs|provider|model|NAME

Every step has a bound: one that hangs is killed with all it started and counts as failed. A suite whose folder is not
there yet is named and passed over. The last line printed is `tests: N passed, N failed, N skipped`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tests"
PYTEST_NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Step:
    """A command; `folders` (under tests/) makes it a pytest run over those that exist."""

    name: str
    command: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    limit_s: int = 300
    environment: dict[str, str] = field(default_factory=dict)


PYTEST = (sys.executable, "-m", "pytest", "-q", "--durations=5", "--durations-min=5")
SLICE = (*PYTEST, "-m", "not slow")
PARALLEL = (*SLICE, "-n", str(min(os.cpu_count() or 1, 8)), "--dist", "worksteal")
WHOLE = (*PYTEST, "-n", "2", "--dist", "worksteal")
BIN = Path(sys.executable).parent
FULL = {"KAKERA_FULL": "1"}  # suites read it to widen their bounds

CHECK = (
    Step("ruff", (str(BIN / "ruff"), "check", "--quiet", "."), limit_s=60),
    Step("mypy", (str(BIN / "mypy"),)),
    Step("layers", (str(BIN / "lint-imports"), "--no-cache"), limit_s=60),
    Step("tidy", SLICE, ("tidy",), limit_s=180),
)
TEST = (
    *CHECK,
    Step("fast", PARALLEL, ("unit", "property", "vectors", "golden", "infra", "formats"), limit_s=600),
    Step("api", PARALLEL, ("api",), limit_s=300),
    Step("model", SLICE, ("model",), limit_s=120),
    # Each of these starts servers of its own: one at a time, or they would measure each other.
    Step("wire", SLICE, ("wire",), limit_s=300),
    Step("fault", SLICE, ("fault",), limit_s=360),
    Step("clients", SLICE, ("clients",), limit_s=300),
    Step("bench", SLICE, ("bench",), limit_s=180),
    # Found on PATH or in the cache in a second; built once a machine, in minutes.
    Step("engine-build", (sys.executable, "-m", "tests.engine"), limit_s=1200),
    # Six minutes on a quiet machine of two cores; a busy one has taken nearly twice as long.
    Step("engine", PARALLEL, ("engine",), limit_s=900),
)
RUNS: dict[str, tuple[Step, ...]] = {
    "check": CHECK,
    "test": TEST,
    "fault": (Step("fault-full", PYTEST, ("fault",), limit_s=4 * 3600, environment=FULL),),
    "engine": (Step("engine-full", (*WHOLE, "-k", "not knob_alone"), ("engine",), limit_s=3600, environment=FULL),),
    # Some 250 edits, each with a preview of every stack: most of an hour.
    "knobs": (Step("knobs", (*WHOLE, "-k", "knob_alone"), ("engine",), limit_s=2 * 3600, environment=FULL),),
    "clients": (Step("clients-full", PYTEST, ("clients",), limit_s=3600, environment=FULL),),
    # Alibaba Cloud's own provider, built first if this machine has none: ten minutes, 7 GB of memory.
    "provider": (Step("provider-build", (sys.executable, "tools/provider/build.py"), limit_s=3600),
                 Step("provider", WHOLE, ("provider",), limit_s=3600)),
    "model": (Step("model-full", PYTEST, ("model",), limit_s=3600, environment=FULL),),
}


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def run(step: Step, tally: Tally) -> bool:
    """Run one step within its bound; False when it failed."""
    command, report = list(step.command), REPORTS / f"{step.name}.xml"
    if step.folders:
        there = folders_there(step)
        if not there:
            print(f"--- {step.name}: not there yet", flush=True)
            return True
        report.unlink(missing_ok=True)
        command += [f"--junit-xml={report}", *there]
    print(f"--- {step.name}", flush=True)
    started = time.monotonic()
    code = call(command, step)
    if step.folders:
        counted = count(report, tally)
    else:
        counted = True
        tally.passed, tally.failed = tally.passed + (code == 0), tally.failed + (code != 0)
    ok = code == 0 and counted
    if not ok and step.folders and (code == PYTEST_NOTHING_COLLECTED or not counted):
        tally.failed += 1
    print(f"--- {step.name}: {'ok' if ok else f'FAILED ({code})'} in {time.monotonic() - started:.0f} s", flush=True)
    return ok


def folders_there(step: Step) -> list[str]:
    return [f"tests/{folder}" for folder in step.folders if any((ROOT / "tests" / folder).rglob("test_*.py"))]


def call(command: list[str], step: Step) -> int:
    """The exit code; on the limit the step's whole session is killed."""
    paths = os.pathsep.join([str(ROOT / "server"), str(ROOT)])
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PYTHONPATH": paths, "PATH": path, **step.environment}
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        try:
            return process.wait(step.limit_s)
        except subprocess.TimeoutExpired:
            print(f"--- {step.name}: over its limit of {step.limit_s} s, killed", flush=True)
            return -signal.SIGKILL
        finally:
            # Also what an interrupted or careless step left running in its session.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def count(report: Path, tally: Tally) -> bool:
    """Add a junit report to the tally; False when there is none (the runner itself died)."""
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, ElementTree.ParseError):
        return False
    for suite in suites:
        failed = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped = int(suite.get("skipped", "0"))
        tally.failed += failed
        tally.skipped += skipped
        tally.passed += int(suite.get("tests", "0")) - failed - skipped
    return True


def main(names: list[str]) -> int:
    by_name = {step.name: (step,) for step in TEST} | RUNS
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        print(f"usage: python -m tests.suites {'|'.join(by_name)}", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    tally, started = Tally(), time.monotonic()
    failed = [step.name for name in names for step in by_name[name] if not run(step, tally)]
    print(f"--- {time.monotonic() - started:.0f} s{', failed: ' + ' '.join(failed) if failed else ''}")
    print(f"tests: {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
