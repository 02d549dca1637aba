"""Every knob of every blueprint of the cloud, changed alone in an environment that runs: the class of what follows.

Written again with KAKERA_GOLDEN=write, after which the difference in `recorded/` is to be read line by line.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from infra import checks
from infra.blueprint.edit import SettingError, edited
from infra.blueprint.load import model_of
from infra.blueprint.model import Blueprint
from infra.checks import Verdict
from infra.engine.changes import Change, Harm, classified, refusals, stranded
from infra.engine.programs import EngineError
from tests.engine.knobs import KNOBS, LISTS, RECORDED, REFUSED, RUNNING, SAME, WRONG, names, page, path_of, recorded
from tests.engine.world import World

PAGE: Final = Path(__file__).parents[2] / "docs" / "operate" / "knobs.md"
WRITE: Final = os.environ.get("KAKERA_GOLDEN") == "write"


@dataclass(frozen=True)
class Seen:
    """What follows from one edit. `changes`: of the engine's diff; nothing where it never came to one."""

    word: str
    changes: tuple[Change, ...] = ()


def test_every_knob_has_a_row() -> None:
    assert set(KNOBS) == set(names())
    many = {name for name, known in Blueprint.model_fields.items()
            if model_of(known.annotation) is not None and "tuple" in str(known.annotation)}  # fmt: skip
    assert many == LISTS


def test_the_page_is_up_to_date() -> None:
    if WRITE:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_every_blueprint_has_its_record() -> None:
    for blueprint in RUNNING:
        assert list(recorded(blueprint)) == list(KNOBS), blueprint


def test_nothing_that_holds_data_is_replaced_unasked() -> None:
    """Of what is recorded: a class that hurts is refused, where it was not asked for or met nothing that holds data."""
    judged = [word for blueprint in RUNNING for word in recorded(blueprint).values()]
    classes = [word for word in judged if word.partition(",")[0] in {str(harm) for harm in Harm}]
    assert len(classes) >= len(judged) // 2, "what was to be judged never reached the engine"
    assert {"none", "online", "replace, refused", "destroy, refused"} <= set(classes)


@pytest.mark.slow
@pytest.mark.parametrize("blueprint", RUNNING)
def test_every_knob_alone(world: Callable[[str], World], blueprint: str) -> None:
    found = world(blueprint)
    found.init(*RUNNING[blueprint])
    found.kakera("up", found.environment)
    seen = {knob: _follows(found, {path_of(knob): row.given(blueprint)}) for knob, row in KNOBS.items()}
    unasked = [
        f"{knob}: {change} and nothing refuses it"
        for knob, one in seen.items()
        for change in one.changes
        if change.holds and change.harm >= Harm.UNKNOWN and REFUSED not in one.word and not KNOBS[knob].asked
    ]
    assert not unasked, "\n".join(unasked)
    told = {knob: one.word for knob, one in seen.items()}
    if WRITE:
        RECORDED.mkdir(exist_ok=True)
        (RECORDED / f"{blueprint}.json").write_text(json.dumps(told, indent=1) + "\n")
    assert told == recorded(blueprint)


def _follows(world: World, settings: dict[str, Any]) -> Seen:
    """The environment's file with the settings, previewed part by part, and put back."""
    before, old = world.file.read_text(), world.plan
    try:
        text = edited(before, settings)
    except SettingError:
        return Seen(WRONG)
    review = checks.review(text, name=str(world.file), today=datetime.date.today())
    failed = [outcome.check for outcome in review.outcomes if outcome.verdict is Verdict.FAIL]
    if failed or review.plan is None:
        return Seen(" ".join([WRONG, *failed]))
    if review.plan == old:
        return Seen(SAME)
    world.file.write_text(text)
    try:
        previews = [world.stack(part).preview(lambda step: None) for part in world.names()]
    except EngineError:
        return Seen(WRONG)
    finally:
        world.file.write_text(before)
    steps = [step for preview in previews for step in preview.steps]
    changes = classified(steps)
    worst = str(max((change.harm for change in changes), default=Harm.NONE))
    refused = refusals(review.plan, changes) or stranded(review.plan, steps)
    return Seen(f"{worst}, {REFUSED}" if refused else worst, changes)
