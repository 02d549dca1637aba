"""Every room says what it is and names its files; every suite is run; nothing is skipped in silence."""

from __future__ import annotations

import re
from pathlib import Path

from tests import suites
from tests.tidy.sources import ROOT, python_files, rooms, shown

SKIPS = re.compile(r"\bpytest\.(skip|importorskip|mark\.skip|mark\.skipif)\b|\bskipTest\b|\bunittest\.skip")
MAY_SKIP = {ROOT / "tests/needs.py", ROOT / "tests/tidy/test_runner.py", Path(__file__).resolve()}


def undescribed(folder: Path) -> list[str]:
    """Files of a room that its README does not name; a line for the README itself when there is none."""
    readme = folder / "README.md"
    if not readme.exists():
        return [f"{shown(folder)}: has no README.md (what, what not, files in a line each, rules, how tested)"]
    text = readme.read_text()
    files = [path.name for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    # Nothing is gained by naming test files where the folder's tests are described as a whole.
    if folder.is_relative_to(ROOT / "tests"):
        files = [name for name in files if not name.startswith(("test_", "conftest"))]
    unnamed = [name for name in files if not re.search(rf"\b{name.removesuffix('.py')}\b", text)]
    return [f"{shown(readme)}: does not name {name}" for name in unnamed]


def test_rooms_are_described() -> None:
    found = [finding for folder in rooms() for finding in undescribed(folder)]
    assert not found, "\n".join(found)


def test_an_undescribed_room_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "reader.py").touch()
    assert "has no README.md" in undescribed(tmp_path)[0]
    (tmp_path / "README.md").write_text("`readers.py`: no")
    assert undescribed(tmp_path)[0].endswith("does not name reader.py")
    (tmp_path / "README.md").write_text("`reader.py`: yes")
    assert undescribed(tmp_path) == []


def test_every_suite_is_run_and_described() -> None:
    run = {folder for steps in suites.RUNS.values() for step in steps for folder in step.folders}
    readme = (ROOT / "tests/README.md").read_text()
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders <= run, f"not in tests/suites.py: {sorted(folders - run)}"
    assert not [folder for folder in sorted(folders) if f"`{folder}/`" not in readme]


def test_nothing_skips_but_through_needs() -> None:
    found = [
        f"{shown(path)}:{number}: use @pytest.mark.needs or tests.needs.require"
        for path in python_files("tests")
        if path not in MAY_SKIP
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SKIPS.search(line)
    ]
    assert not found, "\n".join(found)


def test_makefile_targets_are_thin() -> None:
    recipe = 0
    for number, line in enumerate((ROOT / "Makefile").read_text().splitlines(), 1):
        recipe = recipe + 1 if line.startswith("\t") else 0
        assert recipe <= 1, f"Makefile:{number}: a target is one line; the work is done in Python"
