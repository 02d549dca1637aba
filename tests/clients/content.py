"""What the clients carry: bodies made from a seed, compared by digest, and keys that try a server's patience."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

MIB = 1 << 20
FULL = os.environ.get("KAKERA_FULL") == "1"
BIG_BYTES = 100 * MIB  # boto3 always
OTHERS_BIG_BYTES = BIG_BYTES if FULL else 20 * MIB
MANY = 5_000

# All of them live side by side in one bucket; only s3cmd, rclone and the file systems of this world see trouble in
# some.
ODD_KEYS = (
    "a",
    "a/",
    "a/b",
    "a//b",
    "../x",
    "./x",
    "a/../b",
    "with space and + plus",
    "percent %2F %zz",
    "käse/日本語/\N{GRINNING FACE}.txt",
    "quote'\"&<>;=?#",
    "trailing ",
    "dot.",
)
# Names every file system and every client of the six can carry, and a careless encoder cannot.
TAME_ODD_KEYS = ("a+b", "b c/d  e", "käse/日本語.txt", "percent %2F", "amp&eq=q", "quote's")


def body(size_bytes: int, seed: int | str = 0) -> bytes:
    return random.Random(f"{seed}/{size_bytes}").randbytes(size_bytes)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_file(path: Path, size_bytes: int, seed: int | str = 0) -> str:
    """Write a body to a file; its digest."""
    data = body(size_bytes, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest(data)


def make_tree(folder: Path, sizes_bytes: dict[str, int], seed: int | str = 0) -> dict[str, str]:
    """Files by relative name; what `tree` then finds."""
    return {name: make_file(folder / name, size, f"{seed}/{name}") for name, size in sorted(sizes_bytes.items())}


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file by relative name."""
    return {str(path.relative_to(folder)): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def many() -> dict[str, bytes]:
    """5,000 keys in 50 folders, every tenth one hard to encode, each with a body of its own."""
    made = {}
    for number in range(MANY):
        name = f"ü +&% {number:04d}.txt" if number % 10 == 7 else f"{number:04d}"
        key = f"{number % 50:02d}/{name}"
        made[key] = f"body of {key}".encode()
    return made


def etag(data: bytes) -> str:
    """Of an object that was put in one piece."""
    return hashlib.md5(data).hexdigest()
