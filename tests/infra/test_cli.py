"""The framework's command line, and the bootstrap before it: what is printed, and the exit code."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/laptop"


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and everything printed."""
    command = [sys.executable, "-m", "infra.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_expand_prints_and_render_writes_what_was_frozen(tmp_path: Path) -> None:
    assert run("expand", "laptop") == (0, (GOLDEN / "plan.json").read_text())
    code, _ = run("render", "laptop", "--out", str(tmp_path))
    assert code == 0
    assert (tmp_path / "hosts/laptop/server.toml").read_text() == (GOLDEN / "hosts/laptop/server.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "wanted"),
    [
        (("up", "lapptop"), 2, "there are: cdn-edge, hybrid, laptop"),
        (("up", "laptop", "--port", "70000"), 2, "PORT: input should be less than or equal to 65535"),
        (("up", "laptop", "--workers", "0"), 2, "WORKERS: input should be greater than"),
        (("up", "laptop", "--port", "80"), 1, "FAIL ports-usable"),
        (("expand", "none.yaml"), 2, "none.yaml:1:1: cannot be read"),
        (("preview", "laptop"), 2, "run kakera-infra init laptop"),
        (("choose", "--survive", "moon", "--regions", "1", "--capacity-tib", "1", "--budget", "low", "--no-onprem",
          "--no-public-read"), 2, "survive is 'moon': one of drive, host, zone, region"),
        (("init", "lapptop"), 2, "there are: cdn-edge"),
        (("list",), 0, "three-zone"),
        (("schema",), 0, '"title": "Blueprint"'),
        (("status", "never-run"), 3, "not running"),
        (("down", "never-run"), 0, "not running"),
        (("check", "laptop"), 0, "PASS    drives-cover-profile"),
    ],
)
def test_answers(arguments: tuple[str, ...], code: int, wanted: str) -> None:
    found, text = run(*arguments)
    assert wanted in text
    assert found == code
    assert "Traceback" not in text


def test_check_fails_for_a_blueprint_that_does_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text((ROOT / "blueprints/laptop.yaml").read_text().replace("drives: 6", "drives: 5"))
    code, text = run("check", str(path))
    assert code == 2
    assert "FAIL    drives-cover-profile: 5 drives for profile 4+2: add 1 or lower k or m" in text


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as if it lay in an empty project."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools/bootstrap.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "INPUTS", (tmp_path / "requirements.lock", tmp_path / "pyproject.toml"))
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "READY", tmp_path / ".venv" / "ready")
    return module


def test_the_environment_is_made_once_and_again_when_the_lock_changes(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make() -> None:
        made.append("made")
        bootstrap.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(bootstrap, "make", make)
    assert [bootstrap.main(), bootstrap.main()] == [0, 0]
    assert made == ["made"]
    bootstrap.INPUTS[0].write_text("other pins")
    assert bootstrap.main() == 0
    assert made == ["made", "made"]


def test_a_failed_install_is_not_taken_for_done(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(bootstrap, "make", make)
    assert bootstrap.main() == 1
    assert not bootstrap.READY.exists()


def test_another_python_is_refused_with_the_remedy(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 13, 1))
    assert bootstrap.main() == 1
    assert "made for Python 3.11, this is 3.13.1" in capsys.readouterr().err
