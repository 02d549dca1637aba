"""A program of twenty lines on the real engine: the plain command line, one folder, the rehearsal's cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.rehearsal import calls
from infra.rehearsal.cloud import Cloud, Thing
from infra.rehearsal.faults import Fault, FaultKind, Faults
from tests.infra.rehearsal.data import ACCOUNT, BUCKET, NETWORK, RAW, SWITCH
from tests.needs import require
from tools.engine import build

PLUGIN_FOLDER = Path(__file__).resolve().parents[3] / "infra" / "rehearsal" / "plugin"
STEP_LIMIT_S = 120
PROGRAM = """
import pulumi
import pulumi_alicloud as alicloud

config = pulumi.Config()
provider = alicloud.Provider("here", region=config.get("region") or "cn-hangzhou")
mine = pulumi.ResourceOptions(provider=provider)
held = pulumi.ResourceOptions(provider=provider, protect=config.get_bool("protect"))
network = alicloud.vpc.Network("net", vpc_name=config.get("name") or "a", cidr_block="10.0.0.0/16", opts=held)
switch = alicloud.vpc.Switch(
    "sw", vpc_id=network.id, cidr_block=config.get("cidr") or "10.0.1.0/24", zone_id="cn-hangzhou-h", opts=mine
)
bucket = alicloud.oss.Bucket("data", bucket="kakera-data", storage_class=config.get("class") or "Standard", opts=mine)
alicloud.rds.RdsAccount(
    "db", db_instance_id=switch.id, account_name="kakera", account_password=config.require_secret("password"), opts=mine
)
if adopted := config.get("adopted"):
    alicloud.vpc.Network("old", vpc_name="old", opts=pulumi.ResourceOptions(provider=provider, import_=adopted))
pulumi.export("network", network.id)
pulumi.export("endpoint", bucket.intranet_endpoint)
"""


@dataclass(frozen=True)
class Project:
    """A folder with a program, its state, and its cloud."""

    folder: Path
    variables: dict[str, str]

    @property
    def rehearsal(self) -> Path:
        return self.folder / "rehearsal"

    @property
    def cloud(self) -> Cloud:
        return Cloud(self.rehearsal)

    def run(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ("pulumi", *words, "--non-interactive"),
            cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=STEP_LIMIT_S,
        )  # fmt: skip
        assert (done.returncode == 0) is (not fails), done.stdout  # the number differs from release to release
        return done.stdout

    def up(self, *, fails: bool = False, **settings: str) -> str:
        changed = [word for name, value in settings.items() for word in ("--config", f"{name}={value}")]
        return self.run("up", "--yes", "--skip-preview", *changed, fails=fails)

    def state(self) -> str:
        return self.run("stack", "export")

    def thing(self, token: str) -> Thing:
        (found,) = [thing for thing in self.cloud.things() if thing.type == token]
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    engine = build.find()
    if engine is None:
        require("pulumi", "pulumi-language-python")
        raise AssertionError("the engine on PATH is not whole: run python tools/engine/build.py")
    for name in ("rehearsal", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "data.json").write_text(json.dumps(RAW))
    path = [str(PLUGIN_FOLDER), str(engine), str(Path(sys.executable).parent), os.environ["PATH"]]
    variables = {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "KAKERA_REHEARSAL_DIR": str(tmp_path / "rehearsal"),
        "KAKERA_REHEARSAL_METADATA": str(tmp_path / "data.json"),
    }
    variables.pop("PULUMI_IGNORE_AMBIENT_PLUGINS", None)
    made = Project(tmp_path, variables)
    made.run("stack", "init", "dev")
    made.run("config", "set", "--secret", "password", "hush-hush")
    return made


def test_up_change_replace_drift_and_destroy(project: Project) -> None:
    preview = project.run("preview")
    assert "+ 6 to create" in preview
    assert project.cloud.things() == ()
    assert "+ 6 created" in project.up()
    assert project.run("stack", "output", "network").strip() == project.thing(NETWORK).id
    assert project.run("stack", "output", "endpoint").strip() == "oss-cn-hangzhou-internal.aliyuncs.com"
    assert "hush-hush" not in project.state()

    assert "6 unchanged" in project.up()
    assert "~ 1 updated" in project.up(name="b")
    assert project.thing(NETWORK).state["vpcName"] == "b"

    before = project.thing(SWITCH), project.thing(BUCKET)
    replaced = project.up(**{"cidr": "10.0.2.0/24", "class": "IA"})
    assert "+-3 replaced" in replaced  # the switch, what names it by id, and the bucket
    assert {thing.id for thing in before}.isdisjoint(thing.id for thing in project.cloud.things())
    order = [
        (call.operation, call.name)
        for call in calls.read(project.rehearsal)
        if call.operation in ("create", "delete") and not call.preview
    ]
    assert order.index(("delete", "data")) < len(order) - 1 - order[::-1].index(("create", "data"))  # its name is fixed
    assert order.index(("delete", "sw")) > len(order) - 1 - order[::-1].index(("create", "sw"))

    project.cloud.drift(project.thing(NETWORK).id, {"vpcName": "by hand"})
    project.cloud.vanish(project.thing(BUCKET).id)
    assert "6 unchanged" in project.up()  # nobody looked
    refreshed = project.run("refresh", "--yes", "--skip-preview")
    assert "~ 1 updated" in refreshed
    assert "- 1 deleted" in refreshed
    repaired = project.up()
    assert "~ 1 updated" in repaired
    assert "+ 1 created" in repaired
    assert project.thing(NETWORK).state["vpcName"] == "b"
    assert "6 unchanged" in project.run("refresh", "--yes", "--skip-preview")

    project.run("destroy", "--yes", "--skip-preview")
    assert project.cloud.things() == ()


def test_protection_and_import(project: Project) -> None:
    project.up(protect="true")
    project.run("destroy", "--yes", "--skip-preview", fails=True)
    project.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    assert [thing.name for thing in project.cloud.things()] == ["net"]
    project.cloud.drift(project.thing(NETWORK).id, {"vpcName": "old"})
    kept = project.thing(NETWORK).id
    project.run("state", "unprotect", "--all", "--yes")
    project.run("state", "delete", "urn:pulumi:dev::small::alicloud:vpc/network:Network::net", "--yes")
    project.cloud.drift(kept, {"cidrBlock": None})
    assert "= 1 imported" in project.up(protect="false", adopted=kept)
    assert {thing.id for thing in project.cloud.things() if thing.type == NETWORK} > {kept}


def test_a_create_that_failed_is_resumed(project: Project) -> None:
    faults = Faults(project.rehearsal)
    faults.add(Fault(FaultKind.PARTIAL, operation="create", name="net"))
    faults.add(Fault(FaultKind.QUOTA, operation="create", name="data"))
    failed = project.up(fails=True)
    assert "did not become ready in time" in failed
    assert "QuotaExceeded" in failed
    half = project.thing(NETWORK)
    project.up()
    assert project.thing(NETWORK) == half  # finished, not made again
    assert len(project.cloud.things()) == 4
    assert "6 unchanged" in project.up()


def test_a_region_that_is_off(project: Project) -> None:
    project.up()
    Faults(project.rehearsal).switch_off("cn-hangzhou")
    assert "~ 1 to update" in project.run("preview", "--config", "name=b")
    assert "connection refused" in project.up(fails=True, name="b")
    Faults(project.rehearsal).switch_on("cn-hangzhou")
    assert "~ 1 updated" in project.up()


def test_a_stack_of_the_real_cloud_is_not_touched(project: Project) -> None:
    project.up()
    account = project.thing(ACCOUNT)
    state = json.loads(project.state())
    for resource in state["deployment"]["resources"]:
        if resource["type"] == NETWORK:
            resource["id"] = "vpc-bp1234567890"
    (project.folder / "state.json").write_text(json.dumps(state))
    project.run("stack", "import", "--file", "state.json")
    for words in (("up", "--yes", "--skip-preview"), ("preview",), ("refresh", "--yes", "--skip-preview")):
        assert "'vpc-bp1234567890' is no rehearsal's" in project.run(*words, fails=True)
    assert project.thing(ACCOUNT) == account


def test_the_other_way_a_real_run_refuses_this_plugin(project: Project) -> None:
    project.variables["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
    # Nor does it download one.
    project.variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    refused = project.run("preview", fails=True)
    assert "alicloud" in refused
    assert calls.read(project.rehearsal) == ()
