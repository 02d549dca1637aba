"""The engine as the command line uses it, as far as it needs none: variables, folder, stacks, counts, refusals."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from infra import naming
from infra.blueprint.expand import expand
from infra.blueprint.load import load
from infra.blueprint.stack import Mode
from infra.engine import environment, project
from infra.engine.environment import DOUBTFUL, whole
from infra.engine.programs import CHECKOUT, EngineError
from infra.engine.project import Project, new_secret, stacks
from infra.engine.stacks import Stack, Summary
from infra.rehearsal import computed

PATHS = {name: Path(f"/x/{name}") for name in ("engine", "python", "plugin", "rehearsal", "passphrase")}


def variables(mode: Mode, path: str = "/usr/bin:/bin") -> dict[str, str]:
    return environment.variables(mode, path=path, **PATHS)


def test_a_rehearsal_finds_its_provider_and_its_cloud() -> None:
    found = variables("rehearsal")
    assert found["PATH"].split(":") == ["/x/plugin", "/x/engine", "/x/python", "/usr/bin", "/bin"]
    assert found["KAKERA_REHEARSAL_DIR"] == "/x/rehearsal" and found["PULUMI_HOME"] == "/x/rehearsal/home"
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in found


def test_a_real_run_refuses_providers_on_path_and_has_no_plugin_folder() -> None:
    found = variables("real")
    assert found["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"
    assert "/x/plugin" not in found["PATH"] and "KAKERA_REHEARSAL_DIR" not in found and "PULUMI_HOME" not in found


def test_path_does_not_grow_when_a_shell_has_it_already() -> None:
    once = variables("rehearsal")["PATH"]
    assert variables("rehearsal", once)["PATH"] == once


def test_what_a_shell_has_left_decides_no_mode() -> None:
    ambient = {**dict.fromkeys(DOUBTFUL, "left"), "HOME": "/home/me"}
    for mode in ("real", "rehearsal"):
        own = variables("real" if mode == "real" else "rehearsal")
        found = whole(own, ambient)
        assert "left" not in found.values() and found["HOME"] == "/home/me"
        assert {name: found[name] for name in own} == own


def test_stacks_come_in_the_order_of_up() -> None:
    plan = expand(load(CHECKOUT / "blueprints" / "multi-region.yaml"))
    assert [found.part for found in stacks(plan)] == ["cn-shanghai", "cn-beijing", "global"]
    assert project.account("real") != project.account("rehearsal")


def test_a_project_is_made_once_and_keeps_its_passphrase(tmp_path: Path) -> None:
    made = Project(tmp_path / "p")
    made.make(backend=project.DEFAULT_BACKEND)
    assert made.backend() == project.DEFAULT_BACKEND and (made.environments / "state").is_dir()
    assert stat.S_IMODE(made.passphrase.stat().st_mode) == 0o600
    kept = made.passphrase.read_text()
    made.make(backend="s3://bucket")
    assert made.backend() == "s3://bucket" and made.passphrase.read_text() == kept


def test_a_mode_is_one_of_two(tmp_path: Path) -> None:
    made = Project(tmp_path)
    with pytest.raises(EngineError, match="run kakera-infra init"):
        made.backend()
    with pytest.raises(EngineError, match="is not there"):
        made.mode("s")
    made.environments.mkdir()
    for text, words in (("config: {kakera:mode: both}", "real or rehearsal"), ("config: {", "cannot be read")):
        made.stack_file("s").write_text(text)
        with pytest.raises(EngineError, match=words):
            made.mode("s")


def test_secrets_are_long_plain_and_never_the_same() -> None:
    found = {new_secret() for _ in range(100)}
    assert len(found) == 100 and all(len(one) == 32 and one.isalnum() and one.isascii() for one in found)


def test_a_summary_says_what_changed() -> None:
    assert str(Summary(created=2, same=3)) == "2 created, 3 unchanged" and Summary(created=2, same=3).changed == 2
    assert str(Summary()) == "nothing"


def test_ids_tell_who_made_them() -> None:
    made = computed.identity("cn-hangzhou", "alicloud:vpc/network:Network", "urn:x", 1)
    assert naming.of_rehearsal(made) and made.startswith(naming.REHEARSAL)
    # What a user may call `rehearsal`, and ids of the cloud.
    for real in ("rehearsal-dev-cn-hangzhou-tier", "vpc-bp1aevy8sofi8mh1q0000", "rehearsal-", f"x{made}", f"{made}:1"):
        assert not naming.of_rehearsal(real)


def test_the_engine_is_told_secrets_by_standard_input(tmp_path: Path) -> None:
    """Arguments can be listed by anybody on the machine."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    program = bin_ / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments; cat > {tmp_path}/given\n')
    program.chmod(0o755)
    stack = Stack(Project(tmp_path), project.StackName("s", "p"), engine=bin_, variables={"PATH": "/usr/bin:/bin"})
    stack.configure_secret("kakera:secrets.a", "hush")
    assert "hush" not in (tmp_path / "arguments").read_text() and (tmp_path / "given").read_text() == "hush"


def test_the_engines_own_words_are_passed_on(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho 'error: no such stack' >&2; exit 1\n")
    program.chmod(0o755)
    stack = Stack(Project(tmp_path), project.StackName("s", "p"), engine=tmp_path, variables={"PATH": "/usr/bin:/bin"})
    with pytest.raises(EngineError, match="pulumi config get: error: no such stack"):
        stack.secret("kakera:x")
