"""Where the rehearsal and the provider plan differently, and why. Pure, but for `read`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

REASONS: Final = Path(__file__).with_name("differences.yaml")
HEAD: Final = """\
# Changes on which the rehearsal and the provider differ

Written from what both say of every change (docs/compat/provider.md) and from the reasons in
`tests/provider/differences.yaml`. After a change there, or in a blueprint:
`KAKERA_GOLDEN=write python -m pytest tests/provider/test_replacement.py`.
An argument inside a block has the block before its name, and `[0]` for the first block of a list.

| type | argument | what was done | the rehearsal | the provider | why |
|---|---|---|---|---|---|
"""
Place = tuple[str, str]  # type and argument


@dataclass(frozen=True, order=True)
class Difference:
    """One change: what was `done` to which argument, and what the `rehearsal` and the `provider` make of it."""

    token: str
    argument: str
    done: str
    rehearsal: str
    provider: str

    @property
    def dangerous(self) -> bool:
        """Whether a rehearsal would have kept silent about a replacement."""
        return self.provider == "replace"

    def __str__(self) -> str:
        return f"{self.token} {self.argument} {self.done}: rehearsal {self.rehearsal}, provider {self.provider}"


def read(path: Path = REASONS) -> Mapping[Place, str]:
    """Why, by type and argument. Raises: AssertionError for an argument with two reasons."""
    found: dict[Place, str] = {}
    for reason in YAML(typ="safe").load(path.read_text()):
        for token, arguments in reason["arguments"].items():
            for argument in arguments:
                assert (token, argument) not in found, f"{token} {argument} has two reasons"
                found[token, argument] = reason["why"]
    return found


def unexplained(differences: Iterable[Difference], reasons: Mapping[Place, str]) -> list[str]:
    return [str(each) for each in differences if (each.token, each.argument) not in reasons]


def idle(differences: Iterable[Difference], reasons: Mapping[Place, str]) -> list[Place]:
    """What is explained and does not differ."""
    return sorted(reasons.keys() - {(each.token, each.argument) for each in differences})


def page(differences: Iterable[Difference], reasons: Mapping[Place, str]) -> str:
    rows = (
        f"| `{each.token}` | `{each.argument}` | {each.done} | {each.rehearsal} | {each.provider} "
        f"| {reasons.get((each.token, each.argument), '')} |\n"
        for each in sorted(differences)
    )
    return HEAD + "".join(rows)
