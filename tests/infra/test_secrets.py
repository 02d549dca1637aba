"""Secrets of an environment: one value each, in every stack that holds it; what nobody can make is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from infra import checks, naming, render
from infra.blueprint.plan import Plan
from infra.cli.secrets import PLACEHOLDER, Secrets, given_secrets
from infra.cli.stop import Stop
from infra.engine.project import StackName
from infra.engine.session import Session
from kakera.config import load as load_config
from kakera.config import load_accounts
from tests.infra.cloud_blueprints import BEIJING, HANGZHOU, ROOM, cloud_plan

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----"
TLS = {naming.TLS_CERTIFICATE_SECRET, naming.TLS_KEY_SECRET}
TWO = {"regions": [HANGZHOU, BEIJING], "database": {"enabled": True}}
FIRST, SECOND = StackName("kakera-dev-cn-hangzhou", "cn-hangzhou"), StackName("kakera-dev-cn-beijing", "cn-beijing")


class Files:
    """Stack files in memory, as `Session` gives access to them; secrets are "encrypted" by a prefix."""

    def __init__(self, mode: Literal["real", "rehearsal"]) -> None:
        self.mode = mode
        self.stacks: dict[str, dict[str, str]] = {}
        self.project = SimpleNamespace(
            stack_file=lambda stack: SimpleNamespace(exists=lambda: stack in self.stacks),
            configuration=lambda stack: {"kakera:secrets": dict.fromkeys(self.stacks[stack], "secure")},
        )

    def stack(self, name: StackName) -> Any:
        return SimpleNamespace(secret=lambda key: self.stacks[name.name][key.partition(".")[2]])

    def init(self, plan: Plan, *stacks: StackName, **given: str) -> Secrets:
        """As `init` does it. What it wrote is in `written`."""
        secrets = Secrets(cast(Session, self), plan, {name.replace("_", "-"): value for name, value in given.items()})
        self.written: dict[str, set[str]] = {}
        for stack in stacks:
            found = secrets.unwritten(stack)
            self.written[stack.name] = set(found)
            self.stacks.setdefault(stack.name, {}).update(found)
        return secrets


def test_one_value_in_all_stacks_and_none_is_made_twice() -> None:
    files, plan = Files("real"), cloud_plan(**TWO)
    files.init(plan, FIRST, SECOND)
    shared = {"account-main-access-key-id", "account-main-secret-access-key", "database-password"}
    assert set(files.stacks[FIRST.name]) == shared
    assert files.stacks[FIRST.name] == files.stacks[SECOND.name]
    assert len(set(files.stacks[FIRST.name].values())) == len(shared)
    before = json.dumps(files.stacks)
    files.init(plan, FIRST, SECOND)
    assert json.dumps(files.stacks) == before
    assert set().union(*files.written.values()) == set()


def test_a_stack_that_is_added_gets_the_value_that_is_there() -> None:
    files = Files("real")
    files.init(cloud_plan(**{**TWO, "regions": [HANGZHOU]}), FIRST)
    first = dict(files.stacks[FIRST.name])
    files.init(cloud_plan(**TWO), FIRST, SECOND)
    assert files.stacks[FIRST.name] == first == files.stacks[SECOND.name]


def test_what_is_given_goes_everywhere_and_in_place_of_what_was_there() -> None:
    files, plan = Files("real"), cloud_plan(**TWO)
    files.init(plan, FIRST, SECOND, tls_key=KEY, database_password="first")
    files.init(plan, FIRST, SECOND, tls_key="renewed")
    for stack in (FIRST, SECOND):
        assert files.stacks[stack.name]["tls-key"] == "renewed"
        assert files.stacks[stack.name]["database-password"] == "first"
        assert files.written[stack.name] == {"tls-key"}


def test_nobody_makes_up_a_certificate() -> None:
    plan = cloud_plan(**TWO, gateways={"scaling": True})
    real, rehearsal = Files("real"), Files("rehearsal")
    assert real.init(plan, FIRST, SECOND).awaited == TLS
    assert not TLS & real.stacks[FIRST.name].keys()
    assert real.init(plan, FIRST, SECOND, tls_certificate=CERTIFICATE, tls_key=KEY).awaited == set()
    assert rehearsal.init(plan, FIRST, SECOND).awaited == set()
    assert {rehearsal.stacks[FIRST.name][name] for name in TLS} == {PLACEHOLDER}


def test_stacks_that_give_no_host_its_certificate_keep_it_and_do_without() -> None:
    plan = cloud_plan(**TWO)
    tls = [secret for secret in plan.secrets if not secret.generated]
    assert {secret.name for secret in tls} == TLS
    assert {secret.stacks for secret in tls} == {()}
    assert {secret.kept_in for secret in tls} == {(SECOND.name, FIRST.name)}
    assert Files("real").init(plan, FIRST, SECOND).awaited == set()
    assert checks.missing_secrets(plan, FIRST.name, {"account-main-access-key-id"}, rehearsal=False)
    present = {secret.name for secret in plan.secrets} - TLS
    assert checks.missing_secrets(plan, FIRST.name, present, rehearsal=False) == ()


def test_a_machine_room_keeps_its_certificate_in_the_stack_it_hangs_on() -> None:
    host = {"name": "one", "zone": "rack", "drives": 9, "address": "192.168.10.5"}
    backup = {**HANGZHOU, "role": "backup"}
    plan = cloud_plan(regions=[backup], hosts=[host], onprem=ROOM, interconnect={"kind": "vpn"}, survive="drive")
    assert {secret.kept_in for secret in plan.secrets if not secret.generated} == {(FIRST.name,)}


@pytest.mark.parametrize(("rehearsal", "flag"), [(False, ""), (True, " --rehearsal")])
def test_what_is_missing_is_said_with_the_command_that_helps(rehearsal: bool, flag: str) -> None:
    plan = cloud_plan(name="acme", gateways={"scaling": True})
    found = checks.missing_secrets(plan, "acme-dev-cn-hangzhou", {"tls-certificate"}, rehearsal=rehearsal)
    hints = {finding.text.split("'")[1]: finding.hint for finding in found}
    init = f"kakera-infra init x --name acme --environment dev{flag}"
    assert hints["tls-key"] == f"{init} --secret tls-key=FILE"
    assert hints["account-main-access-key-id"].startswith(f"{init} generates")
    assert "tls-certificate" not in hints
    assert checks.missing_secrets(plan, "acme-dev-global", (), rehearsal=rehearsal) == ()


def test_files_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "password").write_text(" two words \n")
    plan = cloud_plan(**TWO)
    words = (f"tls-key={tmp_path / 'key'}", f"database-password={tmp_path / 'password'}")
    assert given_secrets(plan, words) == {"tls-key": KEY, "database-password": " two words "}


@pytest.mark.parametrize(
    ("word", "content", "message"),
    [
        ("tls-kye={}", KEY, "with NAME one of tls-key"),
        ("tls-key", KEY, "NAME=FILE"),
        ("tls-key=", KEY, "NAME=FILE"),
        ("tls-key={}.none", KEY, "cannot be read: No such file"),
        ("tls-key={}", "", "is empty"),
        ("tls-key={}", KEY + "x" * 70_000, "longer than 65536 bytes"),
        ("tls-key={}", CERTIFICATE, "holds no private key in PEM"),
        ("tls-key={}", KEY.replace("EC", "ENCRYPTED"), "without a passphrase"),
        ("tls-certificate={}", KEY, "holds no certificate"),
        ("tls-key={}", b"\xff\xfe", "is no text"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(word: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(Stop, match=message) as caught:
        given_secrets(cloud_plan(), (word.format(path),))
    assert "MHcC" not in str(caught.value), "a secret in a message"


def test_the_files_of_a_host_are_those_the_server_reads(tmp_path: Path) -> None:
    plan = cloud_plan(accounts=["main", "alt"], gateways={"scaling": True})
    names = render.gateway_secrets(plan, "cn-hangzhou")
    values = {name: KEY if name == "tls-key" else f"value-of-{name}" for name in names}
    files = render.secret_files(plan, values)
    assert set(files) == {"secrets/main.json", "secrets/alt.json", "secrets/tls.crt", "secrets/tls.key"}
    assert files["secrets/tls.key"] == KEY + "\n"
    assert json.loads(files["secrets/alt.json"]) == {
        "account_id": "alt",
        "display_name": "alt",
        "access_key_id": "value-of-account-alt-access-key-id",
        "secret_access_key": "value-of-account-alt-secret-access-key",
    }
    placed = json.loads(render.gateway_settings(plan, "cn-hangzhou", files))
    assert set(placed) == {"server.toml", *files}
    for path, text in placed.items():  # as templates/gateway.py does, in another place
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text.replace(naming.DATA_ROOT, str(tmp_path)))
        (tmp_path / path).chmod(0o600)
    accounts = load_accounts(load_config(tmp_path / "server.toml"))
    assert [(account.name, account.account_id) for account in accounts] == [("main", "main"), ("alt", "alt")]
    with pytest.raises(KeyError):
        render.secret_files(plan, {})
