"""One word, one thing (docs/GLOSSARY.md); nothing of a particular machine or registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.sources import ROOT, python_files, shown, text_files

# The words others use for our fragment, segment, drive; forbidden in prose and names alike.
SYNONYMS = re.compile(r"\b(shard|stripe|volume)(s|ed|ing)?\b", re.IGNORECASE)
# Words with an everyday meaning: forbidden as part of a name only.
NAME_PARTS = {"shard", "shards", "stripe", "stripes", "volume", "volumes", "block", "blocks", "slice", "slices"}
ALLOWED_NAMES = {
    "block": "in a loop over crc blocks",
    "blocks": "the same",
    "BucketPublicAccessBlock": "OSS's own word",
    "f_blocks": "a field of statvfs(3)",
    "SIG_BLOCK": "sigprocmask(2)'s own word",
    "slice": "Python's own type",
    "st_blocks": "a field of stat(2)",
    "block_size": "hashlib's and AES's word for their unit",
}
ALLOWED_PARTS = ("crc_block", "crc_blocks")  # what one checksum covers; no other thing is called so
# Where the forbidden words are named in order to forbid them.
GLOSSARIES = {"docs/GLOSSARY.md", "tests/tidy/test_words.py", "tests/tidy/README.md"}
# Texts of others: a client's, a vendor's or the law's words are not ours to change.
FOREIGN = ("LICENSE", "requirements.lock", "infra/rehearsal/metadata.json")

# Folders of somebody's own: homes, mounted workplaces, what lies below /tmp by a name.
MACHINE = re.compile(r"(?<![\w.~-])/(work|workspace|root|home/\w+|Users/\w+|tmp/\w+)/")
REGISTRY = re.compile("|".join([r"py" r"pi\.org", r"python" r"hosted\.org", r"npm" r"js\.org", r"crates" r"\.io"]))


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


def bad_name(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for allowed in ALLOWED_PARTS:
        snake = snake.replace(allowed, "")
    return name not in ALLOWED_NAMES and bool(NAME_PARTS & set(snake.split("_")))


def test_names() -> None:
    found = {
        f"{shown(path)}:{line}: {name}"
        for path in python_files("server/kakera", "infra", "tools")
        for line, name in names(ast.parse(path.read_text()))
        if bad_name(name)
    }
    assert not found, "\n".join(sorted(found))


def test_prose() -> None:
    found = [
        f"{shown(path)}:{number}: {match[0]}"
        for path in text_files()
        if shown(path) not in GLOSSARIES and not shown(path).endswith(FOREIGN)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (match := SYNONYMS.search(line))
    ]
    assert not found, "\n".join(found)


def test_bad_names_are_noticed() -> None:
    code = "def f(shard_id, crc_block): x.readBlock = slice(0); BlockMap = st_blocks"
    assert {name for _, name in names(ast.parse(code)) if bad_name(name)} == {"BlockMap", "shard_id", "readBlock"}


def traces(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if MACHINE.search(line) or REGISTRY.search(line)]


def test_no_trace_of_a_machine_or_a_registry() -> None:
    texts = {path: path.read_text(errors="replace") for path in text_files()}
    found = [f"{shown(path)}: {line[:120]}" for path, text in texts.items() for line in traces(text)]
    found += [f"requirements.lock: {line}" for line in _lock().splitlines() if "://" in line]
    assert not found, "\n".join(found)


def test_traces_are_noticed() -> None:
    at = "/"  # joined here, so that this file holds no trace itself
    assert traces(f"see {at}workspace/x") and traces(f"{at}home/me/x") and traces(f"https:{at}{at}pypi.{'org'}/simple")
    assert not traces(f"networks{at}root/x and $HOME{at}work/x and a{at}home/b/c")


def test_the_lock_is_whole() -> None:
    """Every requirement is pinned and hashed."""
    pins = [line for line in _lock().splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) > 50
    assert not [pin for pin in pins if not re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ;[^\\]*)? \\", pin)]
    assert _lock().count("--hash=sha256:") >= len(pins)


def _lock() -> str:
    return Path(ROOT / "requirements.lock").read_text()
