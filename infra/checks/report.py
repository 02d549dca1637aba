"""What was judged, for machines: JSON of our own, and SARIF 2.1.0 for what shows findings beside a file. Pure.

    {"format": 1, "blueprint": "environments/kakera-dev.yaml", "verdict": "FAIL",
     "outcomes": [{"check": "ssh-key-given", "verdict": "FAIL", "detail": "...",
                   "findings": [{"text": "...", "file": "...", "line": 4, "column": 9, "hint": "...",
                                 "unknown": false}]}],
     "problems": [{"text": "...", "file": "...", "line": 1, "column": 1, "hint": ""}]}

`problems`: what is wrong beside the checks: a text that cannot be read, a secret that is missing. `verdict` is FAIL
when anything stops `up`, UNKNOWN when nothing does and something cannot be judged, else PASS. Lines and columns count
from 1. What is waived has `waiver`: its reason and its last day.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from infra.blueprint.problem import Problem
from infra.checks import waivers
from infra.checks.outcome import Outcome, Verdict
from infra.checks.policies import POLICIES
from infra.checks.review import Review
from infra.checks.table import CHECKS

FORMAT: Final = 1
SARIF_VERSION: Final = "2.1.0"
SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT: Final = "%SRCROOT%"  # the name that hosts of code give the folder of a repository
TOOL: Final = "kakera-infra"
TEXT: Final = "blueprint-text"  # the rule of what is wrong beside the checks
# Results that are no failures are told by their level alone: what shows SARIF treats every result as something to see.
_LEVELS: Final = {Verdict.FAIL: "error", Verdict.UNKNOWN: "warning", Verdict.WAIVED: "note"}
Json = dict[str, object]


def verdict(review: Review, more: tuple[Problem, ...] = ()) -> Verdict:
    """`more`: problems that no review finds, such as a missing secret."""
    if review.problems or more:
        return Verdict.FAIL
    unknown = any(outcome.verdict is Verdict.UNKNOWN for outcome in review.outcomes)
    return Verdict.UNKNOWN if unknown else Verdict.PASS


def as_json(review: Review, *, blueprint: str, more: tuple[Problem, ...] = ()) -> str:
    """`blueprint`: the file that was judged, as it was named."""
    document = {
        "format": FORMAT,
        "blueprint": blueprint,
        "verdict": verdict(review, more),
        "outcomes": [_outcome(outcome, places) for outcome, places in _judged(review)],
        "problems": [_place(problem) for problem in (*review.unread, *more)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_sarif(review: Review, *, root: str, more: tuple[Problem, ...] = ()) -> str:
    """`root`: the folder that paths are told from, as a whole path: a host of code finds the file in its own copy."""
    rules = list(_rules())
    numbers = {str(rule["id"]): number for number, rule in enumerate(rules)}
    results = [
        _result(problem, outcome, numbers[outcome.check], root)
        for outcome, places in _judged(review)
        if outcome.verdict is not Verdict.PASS
        for problem in places
    ]
    results += [_beside(problem, numbers[TEXT], root) for problem in (*review.unread, *more)]
    run: Json = {
        "tool": {"driver": {"name": TOOL, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    document = {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _judged(review: Review) -> Iterator[tuple[Outcome, tuple[Problem, ...]]]:
    return zip(review.outcomes, review.places, strict=True)


def _outcome(outcome: Outcome, places: tuple[Problem, ...]) -> Json:
    found = [
        {**_place(problem), "unknown": finding.unknown}
        for problem, finding in zip(places, outcome.findings, strict=True)
    ]
    said: Json = {"check": outcome.check, "verdict": outcome.verdict, "detail": outcome.detail, "findings": found}
    if outcome.waiver is not None:
        said["waiver"] = {"reason": outcome.waiver.reason, "until": outcome.waiver.until.isoformat()}
    return said


def _place(problem: Problem) -> Json:
    return {
        "text": problem.message,
        "file": problem.path,
        "line": problem.line,
        "column": problem.column,
        "hint": problem.hint,
    }


def _rules() -> Iterator[Json]:
    """One for each check and each policy, in their tables' order, then those of the waivers and of the text."""
    for name, rule in CHECKS.items():
        yield _rule(name, rule.proves, rule.remedy, rule.topic)
    for name, policy in POLICIES.items():
        yield _rule(name, policy.proves, policy.remedy, "resources")
    yield _rule(waivers.NAME, waivers.PROVES, waivers.REMEDY, "waivers")
    yield _rule(TEXT, "The text is a blueprint, and its stacks have what they need.", "see the finding", "blueprint")


def _rule(name: str, proves: str, remedy: str, topic: str) -> Json:
    return {
        "id": name,
        "shortDescription": {"text": proves},
        "help": {"text": f"Remedy: {remedy}."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": [topic]},
    }


def _result(problem: Problem, outcome: Outcome, rule: int, root: str) -> Json:
    found: Json = {
        "ruleId": outcome.check,
        "ruleIndex": rule,
        "level": _LEVELS[outcome.verdict],
        "message": {"text": _said(problem)},
        "locations": [_location(problem, root)],
    }
    if outcome.waiver is not None:
        reason = f"{outcome.waiver.reason} (until {outcome.waiver.until})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return found


def _beside(problem: Problem, rule: int, root: str) -> Json:
    return {
        "ruleId": TEXT,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": _said(problem)},
        "locations": [_location(problem, root)],
    }


def _said(problem: Problem) -> str:
    return f"{problem.message}. Remedy: {problem.hint}" if problem.hint else problem.message


def _location(problem: Problem, root: str) -> Json:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(problem.path, root),
            "region": {"startLine": problem.line, "startColumn": problem.column},
        }
    }


def _artifact(path: str, root: str) -> Json:
    """Told from the root where it lies below it, else whole."""
    whole = posixpath.normpath(posixpath.join(root, path))
    below = posixpath.relpath(whole, root)
    if below.split("/")[0] != "..":
        return {"uri": quote(below), "uriBaseId": ROOT}
    return {"uri": f"file://{quote(whole)}"}
