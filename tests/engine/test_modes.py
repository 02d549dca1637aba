"""P7, both ways: no rehearsal's provider answers for a real stack, and no real one for a rehearsal's.

There is no cloud here to be reached by mistake: the real provider is a program that nobody has, so a real run that gets
as far as to ask for it has passed every refusal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from infra.engine.environment import whole
from infra.engine.programs import EngineError
from infra.engine.session import Session
from tests.engine.small import ONE, SECOND, TWO
from tests.engine.world import World

REGION = "cn-hangzhou"


@pytest.fixture
def found(world: Callable[[str], World]) -> World:
    """A rehearsal that was made and not brought up."""
    made = world(ONE)
    made.init()
    return made


def test_an_environment_says_its_mode_or_does_nothing(found: World) -> None:
    """With the variables of the other mode, or none, a plain `pulumi` is refused by the program."""
    name = found.names()[REGION].name
    preview = ("preview", "--stack", name)
    rehearsing = found.environ()
    without = {key: value for key, value in rehearsing.items() if key != "KAKERA_REHEARSAL_DIR"}
    told = found.pulumi(*preview, fails=True, environ=without)
    assert "a rehearsal says where its cloud lies" in told

    _switch(found, "real")
    told = found.pulumi(*preview, fails=True, environ=rehearsing)
    assert "a real stack under KAKERA_REHEARSAL_DIR" in told
    told = found.pulumi(*preview, fails=True, environ=without)
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS=true" in told

    # Right for a real run, and the rehearsal's plugin is still on PATH: the engine asks for the real one instead, which
    # it may not be sent to look for.
    real = {**without, "PULUMI_IGNORE_AMBIENT_PLUGINS": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
    assert "rehearsal/plugin" in real["PATH"]
    told = found.pulumi(*preview, fails=True, environ=real)
    assert "no resource plugin 'pulumi-resource-alicloud'" in told
    assert not found.acts() and not found.things() and not found.state_ids(REGION)


def test_the_state_of_a_rehearsal_is_never_taken_to_the_cloud(found: World) -> None:
    """Switched by hand."""
    found.kakera("up", found.environment)
    state, things = found.state(REGION), found.things()
    _switch(found, "real")
    told = found.kakera("preview", found.environment, code=1)
    assert "was made in mode rehearsal" in told and "never changes its mode" in told
    # The program does not run for these.
    for command in (("refresh", found.environment), ("destroy", found.environment, "--yes")):
        assert "was made in mode rehearsal" in found.kakera(*command, code=1)
    assert found.state(REGION) == state and found.things() == things
    assert "never changes its mode" in found.kakera("init", "single-ecs", "--name", "acme", "--rehearsal", code=2)


def test_the_state_of_a_real_run_is_never_rehearsed(found: World) -> None:
    """A state whose ids no rehearsal made: refused by the program, and by the provider where none runs."""
    found.kakera("up", found.environment)
    stack = found.names()[REGION].name
    text = found.pulumi("stack", "export", "--stack", stack)
    file = found.folder / "real.json"
    file.write_text(text.replace("rehearsal-network-", "vpc-bp1"))
    found.pulumi("stack", "import", "--stack", stack, "--file", str(file))
    state, things = found.state(REGION), found.things()
    network = next(one["id"] for one in state.values() if one["type"] == "alicloud:vpc/network:Network")
    assert network.startswith("vpc-bp1")
    told = found.kakera("up", found.environment, code=1)
    assert "was made in mode real" in told and network in told
    assert "was made in mode real" in found.kakera("destroy", found.environment, "--yes", code=1)
    told = found.pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", fails=True)
    assert "no rehearsal's" in told and network in told
    assert found.things() == things


def test_a_half_made_state_tells_its_mode_too(found: World) -> None:
    """The first `up` failed, and left resources without one output of the stack."""
    found.kakera("up", found.environment)
    stack = found.names()[REGION].name
    kept = json.loads(found.pulumi("stack", "export", "--stack", stack))
    for resource in kept["deployment"]["resources"]:
        if resource["type"] == "pulumi:pulumi:Stack":
            resource.pop("outputs", None)
    file = found.folder / "half.json"
    file.write_text(json.dumps(kept))
    found.pulumi("stack", "import", "--stack", stack, "--file", str(file))
    _switch(found, "real")
    assert "was made in mode rehearsal" in found.kakera("preview", found.environment, code=1)


def test_what_is_left_in_a_shell_decides_nothing(found: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a rehearsal, still exported when a real environment is worked on, do not reach the engine."""
    monkeypatch.setenv("KAKERA_REHEARSAL_DIR", str(found.rehearsal))
    session = Session.start(found.project, "real", os.environ)
    variables = whole(session.variables, session.ambient)
    assert "KAKERA_REHEARSAL_DIR" not in variables and variables["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"


def test_stacks_of_one_environment_have_one_mode(world: Callable[[str], World]) -> None:
    found = world(TWO)
    found.init()
    _switch(found, "real", part=SECOND)
    with pytest.raises(EngineError, match="different modes"):
        Session.open(found.project, found.plan, os.environ)


def _switch(world: World, mode: str, *, part: str = REGION) -> None:
    file = world.project.stack_file(world.names()[part].name)
    file.write_text(file.read_text().replace("kakera:mode: rehearsal", f"kakera:mode: {mode}"))
    assert f"kakera:mode: {mode}" in file.read_text()
