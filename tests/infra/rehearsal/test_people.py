"""`python -m infra.rehearsal`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.rehearsal.__main__ import app
from infra.rehearsal.cloud import Birth, Cloud
from tests.infra.rehearsal.data import NETWORK


@pytest.fixture
def thing(tmp_path: Path) -> str:
    return Cloud(tmp_path).create(Birth("cn-hangzhou", NETWORK, "net", "urn::net"), {}, lambda _: {}).id


def run(folder: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [words[0], "--folder", str(folder), *words[1:]])
    assert done.exit_code == code, done.output
    return done.output


def test_a_look_at_everything(tmp_path: Path, thing: str) -> None:
    run(tmp_path, "off", "cn-shanghai")
    run(tmp_path, "fault", "quota", "--count", "2", "--type", "Switch")
    assert run(tmp_path, "list").splitlines() == [
        f"cn-hangzhou  {thing}  {NETWORK}  net",
        "cn-shanghai is switched off",
        "2 to come: quota Switch",
    ]
    run(tmp_path, "on", "cn-shanghai")
    assert "switched off" not in run(tmp_path, "list", "--region", "cn-shanghai")
    run(tmp_path, "calm")
    assert run(tmp_path, "list").count("\n") == 1


def test_changes_by_hand(tmp_path: Path, thing: str) -> None:
    run(tmp_path, "drift", thing, 'vpcName="a"', 'tags={"a": "b"}')
    assert Cloud(tmp_path).things()[0].state == {"vpcName": "a", "tags": {"a": "b"}}
    assert "needs quotes" in run(tmp_path, "drift", thing, "vpcName=a", code=2)
    assert "no NAME=JSON" in run(tmp_path, "drift", thing, "vpcName", code=2)
    run(tmp_path, "vanish", thing)
    assert "is not in this rehearsal's cloud" in run(tmp_path, "vanish", thing, code=2)
    assert run(tmp_path, "list") == ""
