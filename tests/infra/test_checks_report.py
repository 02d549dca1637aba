"""What machines read: JSON with every finding in its place, SARIF as the standard has it, nothing beside them."""

from __future__ import annotations

import datetime
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import checks
from infra.blueprint.problem import Problem
from infra.checks import Review, review
from infra.checks.policies import POLICIES
from infra.checks.report import verdict
from infra.checks.table import CHECKS
from infra.cli.app import main
from infra.cli.design import judged
from infra.cli.names import find
from tests.infra.cloud_blueprints import BLUEPRINTS

TODAY = datetime.date(2026, 6, 1)
ROOT = "/somewhere"
THREE_ZONE = (BLUEPRINTS / "three-zone.yaml").read_text()
# One of each verdict: a lost zone stops writes (waived), the adopted VPC's slots (unknown), a type that is not there.
ADOPTED = THREE_ZONE.replace("network:\n", "network:\n  existing:\n    cn-hangzhou: vpc-bp1\n")
EACH = (
    ADOPTED.replace("k: 5 ", "k: 6 ").replace("m: 4", "m: 3")
    + "storage: {instance_type: ecs.g7.2xlage}\nwaivers:\n"
    + "  - {check: writes-survive-zone, reason: reads are enough for a day, until: 2026-06-02}\n"
)


def looked(text: str = EACH, name: str = "environments/a b.yaml") -> Review:
    return review(text, name=name, today=TODAY)


def as_json(found: Review, *more: Problem) -> dict[str, Any]:
    return dict(json.loads(checks.as_json(found, blueprint="a b", more=more)))


def as_sarif(found: Review, *more: Problem) -> dict[str, Any]:
    document = json.loads(checks.as_sarif(found, root=ROOT, more=more))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    return dict(run)


def test_json_says_every_check_and_each_finding_where_it_is() -> None:
    found = as_json(looked())
    assert (found["format"], found["blueprint"], found["verdict"], found["problems"]) == (1, "a b", "FAIL", [])
    said = {one["check"]: one for one in found["outcomes"]}
    assert list(said) == [*CHECKS, "waivers-sound"]
    (typo,) = said["instance-types-known"]["findings"]
    line = 1 + EACH.splitlines().index("storage: {instance_type: ecs.g7.2xlage}")
    assert (typo["file"], typo["line"], typo["column"]) == ("environments/a b.yaml", line, 26)
    assert (typo["hint"], typo["unknown"]) == ("did you mean 'ecs.g7.2xlarge'?", False)
    assert said["cidr-growth"]["verdict"] == "UNKNOWN"
    assert said["cidr-growth"]["findings"][0]["unknown"] is True
    assert said["writes-survive-zone"]["verdict"] == "WAIVED"
    assert said["writes-survive-zone"]["waiver"] == {"reason": "reads are enough for a day", "until": "2026-06-02"}
    assert "waiver" not in said["cidr-growth"]
    assert said["ssh-key-given"]["findings"] == []


def test_the_verdict_of_the_whole() -> None:
    problem = Problem("x.yaml", 1, 1, "is missing")
    assert verdict(looked()) == "FAIL"
    assert verdict(looked(ADOPTED)) == "UNKNOWN"
    assert verdict(looked(THREE_ZONE)) == "PASS"
    assert verdict(looked(THREE_ZONE), (problem,)) == "FAIL"


def test_sarif_has_a_rule_for_each_check_and_a_result_for_each_finding() -> None:
    found = looked()
    run = as_sarif(found)
    driver = run["tool"]["driver"]
    assert driver["name"] == "kakera-infra"
    rules = [rule["id"] for rule in driver["rules"]]
    assert rules == [*CHECKS, *POLICIES, "waivers-sound", "blueprint-text"]
    assert len(set(rules)) == len(rules)
    for name, rule in zip(CHECKS, driver["rules"], strict=False):
        assert rule["shortDescription"]["text"] == CHECKS[name].proves
        assert CHECKS[name].remedy in rule["help"]["text"]
    expected = sum(len(one.findings) for one in found.outcomes if one.verdict != "PASS")
    assert len(run["results"]) == expected > 2


def test_sarif_results_are_told_by_level_place_and_suppression() -> None:
    run = as_sarif(looked())
    results = {result["ruleId"]: result for result in run["results"]}
    levels = {name: results[name]["level"] for name in ("instance-types-known", "cidr-growth", "writes-survive-zone")}
    assert levels == {"instance-types-known": "error", "cidr-growth": "warning", "writes-survive-zone": "note"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "environments/a%20b.yaml", "uriBaseId": "%SRCROOT%"}
        assert place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1
        assert ("suppressions" in result) == (result["ruleId"] == "writes-survive-zone")
    (suppression,) = results["writes-survive-zone"]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == "reads are enough for a day (until 2026-06-02)"
    assert "Remedy: did you mean 'ecs.g7.2xlarge'?" in results["instance-types-known"]["message"]["text"]


def test_a_file_elsewhere_is_named_whole() -> None:
    (result,) = as_sarif(looked("k: [", name="/else where/x.yaml"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///else%20where/x.yaml"}


@pytest.mark.parametrize("text", ["k: [", "- 1\n", "k: 4\nm: 2\n", THREE_ZONE.replace("size: M", "size: XL")])
def test_what_is_wrong_with_the_text_is_told_in_both(text: str) -> None:
    found = looked(text)
    problems = as_json(found)["problems"]
    results = [one for one in as_sarif(found)["results"] if one["ruleId"] == "blueprint-text"]
    assert problems
    assert [(one["line"], one["column"]) for one in problems] == [
        (region["startLine"], region["startColumn"])
        for one in results
        for region in [one["locations"][0]["physicalLocation"]["region"]]
    ]


def test_problems_beside_the_text_are_told_too() -> None:
    problem = Problem("environments/Pulumi.x.yaml", 1, 1, "secret 'a' is missing", hint="kakera-infra init")
    found = looked(THREE_ZONE)
    assert as_json(found, problem)["problems"][0]["hint"] == "kakera-infra init"
    (result,) = as_sarif(found, problem)["results"]
    assert result["message"]["text"] == "secret 'a' is missing. Remedy: kakera-infra init"


# --- the command -----------------------------------------------------------------------------------------------------
def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["kakera-infra", "check", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize("style", ["json", "sarif"])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (THREE_ZONE, 0),
        (ADOPTED, 0),  # what is not known stops nothing
        (EACH, 2),
        ("k: [", 2),
        (None, 2),  # no such file
    ],
)
def test_machines_read_one_document_and_an_exit_code(
    content: str | None, code: int, style: str, *, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_text(content)
    assert run(monkeypatch, str(path), "--format", style) == code
    assert json.loads(capsys.readouterr().out)


def test_a_name_that_nothing_has_is_a_problem_in_the_document(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "nothing-like-it", "--format", "json") == 2
    assert "three-zone" in json.loads(capsys.readouterr().out)["problems"][0]["text"]


def test_a_file_instead_of_the_terminal(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = tmp_path / "x.yaml", tmp_path / "out"
    path.write_text(EACH)
    for style, wanted in (("json", '"format": 1'), ("sarif", '"2.1.0"'), ("text", "UNKNOWN cidr-growth: ")):
        assert run(monkeypatch, str(path), "--format", style, "--out", str(out)) == 2
        assert wanted in out.read_text()
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.search(r"\d+ problems?; ", captured.err)
    assert f"{path}:" in out.read_text()


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "laptop", "--format", "json", "--out", str(tmp_path / "no" / "out")) == 2
    assert "cannot be written" in capsys.readouterr().out


def test_what_is_not_known_is_seen_on_the_way_to_a_plan(tmp_path: Path, capsys: Any) -> None:
    """`preview` and `up` show no verdicts, but UNKNOWN stops nothing and would go unseen."""
    path = tmp_path / "x.yaml"
    for text, seen in ((ADOPTED, True), (THREE_ZONE, False)):
        path.write_text(text)
        assert judged(find(str(path), tmp_path), quiet=True).name == "kakera"
        captured = capsys.readouterr()
        assert (captured.out, "UNKNOWN cidr-growth" in captured.err) == ("", seen)
