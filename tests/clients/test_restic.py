"""restic: a backup that is trusted blindly. Everything it wrote must come back, and what it prunes must go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import content
from tests.clients.content import MIB, OTHERS_BIG_BYTES
from tests.clients.program import Program
from tests.clients.server import Server

pytestmark = pytest.mark.needs("restic")


@pytest.fixture
def restic(server: Server, bucket: str, program: Callable[..., Program]) -> Program:
    return program(
        "restic",
        "--no-cache",  # everything is asked of the server
        "-o",
        "s3.bucket-lookup=path",
        RESTIC_REPOSITORY=f"s3:{server.endpoint}/{bucket}/the repo",
        RESTIC_PASSWORD="of this test",
        AWS_ACCESS_KEY_ID=server.main.access_key_id,
        AWS_SECRET_ACCESS_KEY=server.main.secret_access_key,
        AWS_DEFAULT_REGION=server.region,
        RESTIC_PROGRESS_FPS="0.1",
    )


def stored(s3: Any, bucket: str, prefix: str = "the repo/") -> dict[str, int]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}


def test_a_backup_is_checked_restored_and_pruned(restic: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    sizes = {"big": OTHERS_BIG_BYTES, "empty": 0, "käse/日本語 +.txt": 1000} | {
        f"small/{n}": n * 37 for n in range(200)
    }
    first = content.make_tree(files, sizes, "first")
    restic("init")
    restic("backup", files)
    assert sum(stored(s3, bucket).values()) > OTHERS_BIG_BYTES
    (files / "small/7").unlink()
    second = {name: digest for name, digest in first.items() if name != "small/7"}
    second |= content.make_tree(files, {"big": OTHERS_BIG_BYTES // 2, "more": 3 * MIB}, "second")
    restic("backup", files)
    restic("check", "--read-data")
    snapshots = [one["id"] for one in json.loads(restic("snapshots", "--json"))]
    assert len(snapshots) == 2
    for snapshot, wanted in zip(snapshots, (first, second), strict=True):
        restic("restore", snapshot, "--target", tmp_path / snapshot)
        assert content.tree(tmp_path / snapshot / files.relative_to("/")) == wanted
    before = stored(s3, bucket)
    restic("forget", "--keep-last", "1", "--prune", "--max-unused", "0")
    after = stored(s3, bucket)
    assert sum(before.values()) - sum(after.values()) > OTHERS_BIG_BYTES * 0.9  # the first "big" is gone
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "last")
    assert content.tree(tmp_path / "last" / files.relative_to("/")) == second


def test_its_check_notices_what_is_missing(restic: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    content.make_tree(tmp_path / "files", {"a": 2 * MIB, "b": 10})
    restic("init")
    restic("backup", tmp_path / "files")
    restic("check", "--read-data")
    pack = max(stored(s3, bucket, "the repo/data/").items(), key=lambda one: one[1])[0]
    data = bytearray(s3.get_object(Bucket=bucket, Key=pack)["Body"].read())
    data[len(data) // 2] ^= 1
    s3.put_object(Bucket=bucket, Key=pack, Body=bytes(data))
    assert restic.attempt("check", "--read-data").returncode != 0
    s3.delete_object(Bucket=bucket, Key=pack)
    assert restic.attempt("check").returncode != 0
