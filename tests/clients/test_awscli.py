"""awscli: `s3` moves trees with a transfer manager of its own, `s3api` is the API word by word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import content, wire
from tests.clients.conftest import Many
from tests.clients.content import MIB, ODD_KEYS, OTHERS_BIG_BYTES, TAME_ODD_KEYS, body
from tests.clients.program import Program, said
from tests.clients.server import Server

pytestmark = pytest.mark.needs("aws")
CONFIG = """[default]
s3 =
  addressing_style = path
  signature_version = s3v4
  multipart_threshold = 5MB
  multipart_chunksize = 5MB
"""


@pytest.fixture(scope="module")
def aws(server: Server, program: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> Program:
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text(CONFIG)
    return program(
        "aws",
        AWS_CONFIG_FILE=str(config),
        AWS_SHARED_CREDENTIALS_FILE="/notfound",
        AWS_ENDPOINT_URL=server.endpoint,
        AWS_REGION=server.region,
        AWS_DEFAULT_REGION=server.region,
        AWS_ACCESS_KEY_ID=server.main.access_key_id,
        AWS_SECRET_ACCESS_KEY=server.main.secret_access_key,
        AWS_MAX_ATTEMPTS="1",
        AWS_PAGER="",
    )


def test_a_bucket_a_file_and_a_range(aws: Program, s3: Any, tmp_path: Path) -> None:
    data = body(300_000)
    (tmp_path / "up").write_bytes(data)
    aws("s3", "mb", "s3://awscli-own")
    aws("s3", "cp", tmp_path / "up", "s3://awscli-own/ü +/x", "--content-type", "x/y", "--metadata", "who=me")
    head = s3.head_object(Bucket="awscli-own", Key="ü +/x")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(data), "x/y", {"who": "me"})
    assert aws("s3", "cp", "s3://awscli-own/ü +/x", "-") == data
    where = ("--bucket", "awscli-own", "--key", "ü +/x")
    aws("s3api", "get-object", *where, "--range", "bytes=99-200000", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == data[99:200_001]
    aws("s3", "rb", "--force", "s3://awscli-own")
    assert "NoSuchBucket" in said(aws.attempt("s3", "ls", "s3://awscli-own"))


def test_a_tree_is_synced(aws: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    wanted = content.make_tree(files, {"a": 10, "d/e/f": 300_000, "g": 6 * MIB} | dict.fromkeys(TAME_ODD_KEYS, 99))
    aws("s3", "sync", "--only-show-errors", files, f"s3://{bucket}/a tree")
    wanted |= content.make_tree(files, {"d/e/f": 300_001, "new": 5}, "other")
    (files / "g").unlink()
    del wanted["g"]
    out = aws.text("s3", "sync", "--delete", "--no-progress", files, f"s3://{bucket}/a tree")
    assert sorted(line.split(":")[0] for line in out.splitlines()) == ["delete", "upload", "upload"]
    aws("s3", "sync", "--only-show-errors", f"s3://{bucket}/a tree", tmp_path / "back")
    assert content.tree(tmp_path / "back") == wanted
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == len(wanted)


def test_list_of_5000(aws: Program, many: Many) -> None:
    lines = aws.text("s3", "ls", "--recursive", "--summarize", f"s3://{many.bucket}").splitlines()
    found = [(line[31:], int(line[19:30])) for line in lines[: len(many.keys)]]
    assert found == [(key, len(many.bodies[key])) for key in many.keys]
    assert f"Total Objects: {len(many.keys)}" in lines[len(many.keys) + 1]
    folders = json.loads(
        aws("s3api", "list-objects-v2", "--bucket", many.bucket, "--delimiter", "/", "--page-size", "20")
    )
    assert [entry["Prefix"] for entry in folders["CommonPrefixes"]] == [f"{number:02d}/" for number in range(50)]


def test_multipart_and_copy(
    aws: Program, bucket: str, big_file: tuple[Path, str], tmp_path: Path, server: Server
) -> None:
    path, digest = big_file
    parts, mark = OTHERS_BIG_BYTES // (5 * MIB), server.mark()
    aws("s3", "cp", "--only-show-errors", path, f"s3://{bucket}/big")
    server.operations(mark, bucket, lambda done: done["UploadPart"] == parts)
    mark = server.mark()
    aws("s3", "cp", "--only-show-errors", f"s3://{bucket}/big", f"s3://{bucket}/copy ü+")
    done = server.operations(mark, bucket, lambda done: done["UploadPartCopy"] == parts)
    assert not done["GetObject"]
    aws("s3", "cp", "--only-show-errors", f"s3://{bucket}/copy ü+", tmp_path / "down")
    assert content.file_digest(tmp_path / "down") == digest


def test_versions(aws: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    aws("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
    aws("s3", "cp", "-", f"s3://{bucket}/k", stdin=b"first")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    aws("s3", "rm", f"s3://{bucket}/k")
    listed = json.loads(aws("s3api", "list-object-versions", "--bucket", bucket))
    assert [entry["IsLatest"] for entry in listed["DeleteMarkers"]] == [True]
    latest, first = (entry["VersionId"] for entry in listed["Versions"])
    assert latest == second
    aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--version-id", first, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"first"


def test_presigned(aws: Program, s3: Any, bucket: str) -> None:
    data = body(200_000)
    s3.put_object(Bucket=bucket, Key="ü +/x", Body=data)
    url = aws.text("s3", "presign", f"s3://{bucket}/ü +/x", "--expires-in", "60").strip()
    answer = wire.ask("GET", url)
    assert (answer.status, answer.body) == (200, data)
    assert wire.ask("GET", url.replace("Expires=60", "Expires=61")).status == 403


@pytest.mark.parametrize("key", ["../x", "käse//日本語 +/"])
def test_odd_keys_word_by_word(aws: Program, s3: Any, bucket: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(body(5000))
    aws("s3api", "put-object", "--bucket", bucket, "--key", key, "--body", tmp_path / "up")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    aws("s3api", "get-object", "--bucket", bucket, "--key", key, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == body(5000)


def test_odd_keys_are_copied_and_removed_together(aws: Program, s3: Any, bucket: str) -> None:
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=f"from/{key}", Body=key)
    aws("s3", "cp", "--recursive", "--only-show-errors", f"s3://{bucket}/from/", f"s3://{bucket}/to/")
    for key in ODD_KEYS:
        assert s3.get_object(Bucket=bucket, Key=f"to/{key}")["Body"].read() == key.encode()
    aws("s3", "rm", "--recursive", "--only-show-errors", f"s3://{bucket}/from/")
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == sorted((f"to/{key}" for key in ODD_KEYS), key=str.encode)
