"""Every blueprint at every size, and what no blueprint uses: valid, and planned as it stands, without a network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from infra.blueprint.edit import edited
from infra.blueprint.expand import expand
from infra.blueprint.load import parse
from infra.blueprint.plan import Plan
from infra.export import configuration
from infra.rehearsal.metadata import Metadata
from tests.engine.test_options import OPTIONS
from tests.golden.blueprints import BLUEPRINTS
from tools.provider.judge import Judge, NotJudged

SIZES: Final = ("S", "M", "L")
IN_THE_CLOUD: Final = sorted(path for path in BLUEPRINTS.glob("*.yaml") if path.stem != "laptop")
SECRET: Final = "Abcdefgh0123456789"


def plan_of(text: str, settings: Mapping[str, Any]) -> Plan:
    return expand(parse(edited(text, settings), name="blueprint.yaml"))


def written(files: Mapping[str, str], folder: Path) -> tuple[int, dict[str, str]]:
    """The files written; how many resources they have, and their variables with values."""
    for name, text in files.items():
        (folder / name).write_text(text)
    parsed = [json.loads(text) for text in files.values()]
    count = sum(len(found) for each in parsed for found in each.get("resource", {}).values())
    return count, {name: SECRET for each in parsed for name in each.get("variable", {})}


def judged(judge: Judge, files: Mapping[str, str], folder: Path) -> None:
    count, variables = written(files, folder)
    assert judge.validate(folder) == []
    planned = judge.plan(folder, variables)
    actions = Counter(tuple(each["change"]["actions"]) for each in planned["resource_changes"])
    assert actions == {("create",): count}
    assert "rehearsal-" not in json.dumps(planned["resource_changes"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", IN_THE_CLOUD, ids=lambda path: str(path.stem))
def test_a_blueprint(judge: Judge, metadata: Metadata, tmp_path: Path, path: Path, size: str) -> None:
    plan = plan_of(path.read_text(), {"size": size})
    judged(judge, configuration.configuration(plan, metadata), tmp_path)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option(judge: Judge, metadata: Metadata, tmp_path: Path, name: str) -> None:
    option = OPTIONS[name]
    judged(judge, configuration.configuration(plan_of(option.blueprint, option.settings), metadata), tmp_path)


def test_an_account(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    plan = plan_of(IN_THE_CLOUD[0].read_text(), {})
    judged(judge, configuration.account(plan, metadata), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"performance_level": "PL9"}, "performance_level"),
        ({"sise": 20}, "Extraneous JSON object property"),
        ({"zone_id": "${alicloud_vpc.none.id}"}, "undeclared resource"),
    ],
)
def test_the_judge_refuses(
    judge: Judge, metadata: Metadata, tmp_path: Path, wrong: Mapping[str, Any], said: str
) -> None:
    """Else all of the above would prove nothing."""
    (path,) = (path for path in IN_THE_CLOUD if path.stem == "single-ecs")
    files = configuration.configuration(plan_of(path.read_text(), {}), metadata)
    broken = {name: json.loads(text) for name, text in files.items()}
    disks = next(each["resource"]["alicloud_ecs_disk"] for each in broken.values() if "alicloud_ecs_disk" in str(each))
    disks[min(disks)] |= wrong
    written({name: json.dumps(content) for name, content in broken.items()}, tmp_path)
    assert said in " ".join(found.text for found in judge.validate(tmp_path))
    with pytest.raises(NotJudged):
        judge.plan(tmp_path, {})
