"""Functions, files, parameters and interfaces stay small enough to be held in the head."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.sources import ROOT, python_files, shown

FILE_LINES = 500
FUNCTION_LINES = 70
POSITIONAL_PARAMETERS = 5
INTERFACE_METHODS = 12
NO_MODULE_IS_CALLED = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def findings(path: Path, text: str) -> Iterator[str]:
    """Everything in one file that is over its budget."""
    if path.stem in NO_MODULE_IS_CALLED:
        yield f"{shown(path)}: name the module by what it does"
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{shown(path)}: {lines} lines, at most {FILE_LINES}"
    tree = ast.parse(text)
    methods = {id(item) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield from _function_findings(path, node, is_method=id(node) in methods)
        elif isinstance(node, ast.ClassDef):
            yield from _interface_findings(path, node)


def _function_findings(path: Path, node: Function, *, is_method: bool) -> Iterator[str]:
    place = f"{shown(path)}:{node.lineno}: {node.name}"
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > FUNCTION_LINES:
        yield f"{place}: {lines} lines, at most {FUNCTION_LINES}"
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    bound = is_method and names[:1] in (["self"], ["cls"])
    # Fixtures are wired by name, never called with positions.
    wired = path.name.startswith(("test_", "conftest"))
    if len(names) - bound > POSITIONAL_PARAMETERS and not wired:
        count = len(names) - bound
        yield f"{place}: {count} positional parameters, at most {POSITIONAL_PARAMETERS}; make some keyword-only"


def _interface_findings(path: Path, node: ast.ClassDef) -> Iterator[str]:
    bases = {ast.unparse(base).partition("[")[0] for base in node.bases}
    methods = [item for item in node.body if isinstance(item, Function) and not item.name.startswith("_")]
    if bases & {"Protocol", "typing.Protocol", "ABC", "abc.ABC"} and len(methods) > INTERFACE_METHODS:
        yield f"{shown(path)}:{node.lineno}: interface {node.name}: {len(methods)} methods, at most {INTERFACE_METHODS}"


def test_budgets() -> None:
    found = [finding for path in python_files() for finding in findings(path, path.read_text())]
    assert not found, "\n".join(found)


def test_each_budget_is_noticed_when_it_is_broken() -> None:
    body = "".join(f"    x = {number}\n" for number in range(FUNCTION_LINES))
    methods = "".join(f"    def m{number}(self): ...\n" for number in range(INTERFACE_METHODS + 1))
    text = f"def long(a, b, c, d, e, f):\n{body}class Wide(Protocol):\n{methods}" + "\n" * FILE_LINES
    found = "\n".join(findings(Path("utils.py"), text))
    for wanted in ("name the module", "lines, at most 500", "71 lines, at most 70", "6 positional", "13 methods"):
        assert wanted in found


def test_what_fits_is_not_noticed() -> None:
    text = "class C:\n    def fits(self, a, b, c, d, e, *, f, g): ...\n"
    assert list(findings(Path("fits.py"), text)) == []


CONSTANT = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*)(: [^=]+)? = (?P<rest>.*)$")
UNITS = {"KIB", "MIB", "GIB", "TIB"}  # names for numbers, not bounds


def limits_without_reason(text: str) -> list[str]:
    """Constants whose line ends in no comment of at least two words."""
    found = []
    for line in text.splitlines():
        match = CONSTANT.match(line)
        if match and match["name"] not in UNITS and not re.search(r"  # (same\b|\S+ \S+)", match["rest"]):
            found.append(match["name"])
    return found


def test_every_limit_has_a_reason() -> None:
    assert not limits_without_reason((ROOT / "server/kakera/base/limits.py").read_text())


def test_a_limit_without_reason_is_noticed() -> None:
    assert limits_without_reason("A = 1\nB = 2  # why\nC: int = 3  # for a reason\nKIB = 1 << 10\n") == ["A", "B"]
