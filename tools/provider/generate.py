"""Write what Alibaba Cloud's own provider knows of its resources: `python tools/provider/generate.py`.

Makes `infra/rehearsal/metadata.json` (the types of `types.txt`) and `infra/components/taggable.json` (every type that
takes tags). Deterministic; runs in the project's environment and needs no network once `build.py` has built.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # started as a script
    sys.path.insert(0, str(ROOT))

from tools.provider import build, join, served, wheel  # noqa: E402

TYPES: Final = Path(__file__).resolve().with_name("types.txt")
METADATA: Final = ROOT / "infra" / "rehearsal" / "metadata.json"
TAGGABLE: Final = ROOT / "infra" / "components" / "taggable.json"
FORMAT: Final = 1
SHOWN: Final = 20  # differences in one message
PROVIDER: Final = "provider"  # how the facts call the provider's own configuration

Facts = Mapping[str, Mapping[str, join.Attribute]]


class Disagreement(Exception):
    """The two witnesses differ; the message says where."""


def types() -> dict[str, str]:
    """Token → Terraform name, as `types.txt` lists them."""
    found: dict[str, str] = {}
    for line in TYPES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            token, name = line.split()
            found[token] = name
    return found


def offline() -> tuple[str, ...]:
    """What to put before a command so that it has no network; nothing where the machine does not allow it."""
    if shutil.which("unshare") is None:
        return ()
    for command in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        if subprocess.run((*command, "true"), capture_output=True).returncode == 0:
            return command
    return ()


def ask(facts: Path, names: list[str], prefix: tuple[str, ...]) -> Facts:
    """What the provider answers about resources, by Terraform name."""
    question = "\n".join((*names, PROVIDER)) + "\n"
    # An empty environment: some arguments take their default from it.
    done = subprocess.run((*prefix, str(facts)), input=question, env={}, capture_output=True, text=True, check=True)
    found: Facts = json.loads(done.stdout)
    return found


def verify(facts: Facts, folder: Path, prefix: tuple[str, ...]) -> str:
    """Hold the facts against the served schema. Raises: Disagreement."""
    try:
        blocks = served.schemas(folder, prefix)
    except served.NotServed as reason:
        return f"not held against the served schema: {reason}"
    if found := [line for name in facts for line in served.differences(name, blocks[name], facts[name])]:
        raise Disagreement("the library and the served schema differ:\n" + "\n".join(found[:SHOWN]))
    return "the served schema agrees"


def metadata(facts: Facts, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The data file's content. Raises: join.Unexplained."""
    return {
        "format": FORMAT,
        "provider": served.SOURCE,
        "version": build.version(),
        "bridge": f"pulumi-alicloud {wheel.version()}",
        "configuration": {"properties": join.resource(wheel.configuration(), PROVIDER, facts[PROVIDER])},
        "resources": {
            token: {"terraform": name, "properties": join.resource(wheel.resource(token), name, facts[name])}
            for token, name in sorted(wanted.items())
        },
    }


def lines(content: object, level: int = 0) -> str:
    """JSON, sorted, with each property on a line of its own: small, and a change shows as the line it is."""
    if not isinstance(content, dict) or isinstance(content.get("type"), str):
        return json.dumps(content, sort_keys=True, ensure_ascii=False)
    pad = " " * (level + 1)
    inside = (f"{pad}{json.dumps(name)}: {lines(each, level + 1)}" for name, each in sorted(content.items()))
    return "{\n" + ",\n".join(inside) + f"\n{pad[1:]}}}"


def write(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(text.encode()) / 1000:.0f} kB")


def figures(facts: Facts) -> Iterator[str]:
    """How the plans answered, and where they overrule what the schema says of replacement."""
    answers = Counter[str]()
    overruled = []
    for name, path, attribute in _settable(facts):
        said = attribute["plan"]
        answers[said] += 1
        if (said == "replaces") != bool(attribute.get("force_new")):
            overruled.append(f"{name}.{path} ({said})")
    yield "planned changes: " + ", ".join(f"{answers[each]} {each}" for each in ("replaces", "updates", "suppressed"))
    yield f"the plan overrules the schema: {', '.join(sorted(overruled)) or 'nowhere'}"


def _settable(facts: Facts) -> Iterator[tuple[str, str, join.Attribute]]:
    for name, attributes in facts.items():
        yield from ((name, path, each) for path, each in _flat(attributes, "") if "plan" in each)


def _flat(attributes: Mapping[str, join.Attribute], above: str) -> Iterator[tuple[str, join.Attribute]]:
    for name, attribute in attributes.items():
        yield above + name, attribute
        yield from _flat(attribute.get("fields", {}), f"{above}{name}.")


def main() -> int:
    wanted = types()
    try:
        programs = build.ensure()
        prefix = offline()
        print(f"{served.SOURCE} {build.version()}, pulumi-alicloud {wheel.version()}, {len(wanted)} types")
        print("asked without a network" if prefix else "asked with a network: this machine cannot take it away")
        facts = ask(programs.facts, sorted(set(wanted.values())), prefix)
        print(verify(facts, programs.bin, prefix))
        for line in figures(facts):
            print(line)
        write(METADATA, lines(metadata(facts, wanted)))
        write(TAGGABLE, json.dumps(wheel.taggable(), indent=1))
    except (build.BuildError, Disagreement, join.Unexplained, subprocess.CalledProcessError) as error:
        build.say(str(error))
        return 1
    print(f"{len(wheel.taggable())} of {len(wheel.classes())} resource types take tags")
    return 0


if __name__ == "__main__":
    sys.exit(main())
