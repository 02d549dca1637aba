"""What is wrong is said at once, each where it stands, and nothing is created."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.engine.small import ONE
from tests.engine.world import World

PLACE = re.compile(r"^(?:kakera: )?\S*acme-dev\.yaml:(\d+):(\d+): ", re.MULTILINE)


def test_all_of_a_file_is_read_before_a_word_is_said(world: Callable[[str], World]) -> None:
    """Wrong in form: a key with a typo, a unit, a type of machine that cannot be."""
    found = world(ONE)
    found.init()
    lines = found.file.read_text().splitlines()
    lines += ["surive: zone", "chunk_bytes: 4 MB", "tags: [a]"]
    found.file.write_text("\n".join(lines) + "\n")
    told = found.kakera("check", found.environment, code=2)
    placed = {int(line): int(column) for line, column in PLACE.findall(told)}
    count = len(lines)
    assert set(placed) == {count - 2, count - 1, count}, told
    assert "did you mean" in told and "survive" in told and "4 MB" in told
    found.kakera("up", found.environment, code=2)
    assert not found.things() and not found.acts()


def test_all_that_does_not_fit_together_is_said_at_once(world: Callable[[str], World]) -> None:
    """Right in form: ranges that overlap, a zone with too many fragments, an unknown machine, a secret that is gone."""
    found = world(ONE)
    found.init()
    found.environ()  # while it can be told
    text = found.file.read_text()
    text = text.replace("survive: drive", "survive: zone")
    text = text.replace("drives_per_host: 4", "drives_per_host: 4, instance_type: ecs.g7.hugest")
    text += "  - {name: cn-beijing, role: replica, zones: [cn-beijing-h], cidr: 10.40.0.0/16}\n"
    found.file.write_text(text)
    name = "acme-dev-cn-hangzhou"
    found.pulumi("config", "rm", "--stack", name, "--path", "kakera:secrets.account-main-access-key-id")
    told = found.kakera("check", found.environment, code=2)
    for words in ("10.40.0.0/16", "zone", "ecs.g7.hugest", "account-main-access-key-id", "kakera-infra init"):
        assert words in told, (words, told)
    failed = set(re.findall(r"^FAIL +([a-z-]+):", told, re.MULTILINE))
    assert failed >= {"cidrs-disjoint", "zone-holds-fragments", "instance-types-known"}, told
    assert len(PLACE.findall(told)) >= 3, told
    told = found.kakera("up", found.environment, code=2)
    assert "ecs.g7.hugest" in told
    assert not found.things() and not found.acts()
    # A plain `pulumi` comes to the same end.
    told = found.pulumi("up", "--stack", name, "--yes", "--skip-preview", fails=True)
    assert "nothing is created while something is wrong" in told and "ecs.g7.hugest" in told
    assert not found.things() and not found.acts()


def test_what_no_waiver_lets_pass(world: Callable[[str], World]) -> None:
    """The checks of the Plan are waived; the policies on resources are not, whoever runs the program."""
    text = ONE.replace("network: {", "network: {admin_cidrs: [0.0.0.0/0], ")
    waived = ("security-least-exposure", "admin-ranges-narrow")
    lines = [f"  - {{check: {check}, reason: nobody would try, until: 2099-01-01}}" for check in waived]
    text = "\n".join([text + "image: m-bp1of-mine", "waivers:", *lines, ""])
    found = world(text)
    found.init()
    told = found.kakera("check", found.environment, code=2)
    assert set(re.findall(r"^FAIL +([a-z-]+):", told, re.MULTILINE)) == {"ssh-closed"}, told
    assert "lets 0.0.0.0/0 reach port 22" in told and "network.admin_cidrs" in told
    found.kakera("up", found.environment, code=2)
    told = found.pulumi("preview", "--stack", "acme-dev-cn-hangzhou", fails=True)
    assert "a policy refuses what the program asks for" in told and "ssh-closed" in told
    assert "UNKNOWN image-known" in told, "what is not known is told by a plain pulumi too"
    assert not found.things() and not found.acts()
