"""rclone: trees of files, compared by hash and by download, both versions of the listing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import content, wire
from tests.clients.conftest import Many
from tests.clients.content import MIB, OTHERS_BIG_BYTES, TAME_ODD_KEYS, body
from tests.clients.program import Program
from tests.clients.server import Server

pytestmark = pytest.mark.needs("rclone")
TREE = {"a": 10, "d/empty": 0, "d/e/f": 300_000, "g": 6 * MIB} | dict.fromkeys(TAME_ODD_KEYS, 100)


@pytest.fixture(scope="module")
def rclone(server: Server, program: Callable[..., Program]) -> Program:
    """Two remotes: `k:` lists with v2 and URL encoding, `old:` with v1 and as it comes."""
    environment = {"RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1", "RCLONE_CONFIG": "/notfound"}
    for name, provider, version in (("K", "Minio", "2"), ("OLD", "Other", "1")):
        settings = {
            "TYPE": "s3",
            "PROVIDER": provider,
            "LIST_VERSION": version,
            "ACCESS_KEY_ID": server.main.access_key_id,
            "SECRET_ACCESS_KEY": server.main.secret_access_key,
            "ENDPOINT": server.endpoint,
            "REGION": server.region,
            "FORCE_PATH_STYLE": "true",
        }
        environment |= {f"RCLONE_CONFIG_{name}_{key}": value for key, value in settings.items()}
    return program("rclone", **environment)


@pytest.mark.parametrize("remote", ["k", "old"])
def test_a_tree_is_copied_checked_synced_and_deleted(
    rclone: Program, s3: Any, bucket: str, remote: str, tmp_path: Path
) -> None:
    files, there = tmp_path / "files", f"{remote}:{bucket}/a tree"
    wanted = content.make_tree(files, TREE)
    rclone("copy", files, there)
    rclone("check", "--download", files, there)
    rclone("copy", there, tmp_path / "back")
    assert content.tree(tmp_path / "back") == wanted
    wanted |= content.make_tree(files, {"d/e/f": 300_000, "new": 5}, "other")
    (files / "g").unlink()
    del wanted["g"]
    assert rclone.attempt("check", files, there).returncode == 1
    rclone("sync", "--checksum", files, there)
    rclone("check", "--download", files, there)
    rclone("sync", there, tmp_path / "back")
    assert content.tree(tmp_path / "back") == wanted
    s3.put_object(Bucket=bucket, Key="a tree/d/e/f", Body=body(300_000, "damage"))
    assert rclone.attempt("check", "--download", files, there).returncode == 1
    s3.put_object(Bucket=bucket, Key="not in the tree", Body=b"")
    rclone("delete", there)
    left = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in left] == ["not in the tree"]


@pytest.mark.parametrize("remote", ["k", "old"])
def test_list_of_5000(rclone: Program, many: Many, remote: str) -> None:
    listed = json.loads(rclone("lsjson", "-R", "--files-only", "--no-modtime", "--hash", f"{remote}:{many.bucket}"))
    found = {one["Path"]: (one["Size"], one["Hashes"]["md5"]) for one in listed}
    assert len(listed) == len(many.bodies)
    assert found == {key: (len(data), content.etag(data)) for key, data in many.bodies.items()}
    assert rclone.text("lsf", f"{remote}:{many.bucket}").split() == [f"{number:02d}/" for number in range(50)]


def test_multipart_and_ranges(
    rclone: Program, bucket: str, big_file: tuple[Path, str], tmp_path: Path, server: Server
) -> None:
    path, digest = big_file
    mark = server.mark()
    rclone("copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", path, f"k:{bucket}/big")
    server.operations(mark, bucket, lambda done: done["UploadPart"] == OTHERS_BIG_BYTES // (5 * MIB))
    # Four streams of ranges into one file.
    rclone("copyto", "--multi-thread-cutoff", "5M", "--multi-thread-streams", "4", f"k:{bucket}/big", tmp_path / "down")
    assert content.file_digest(tmp_path / "down") == digest
    server.operations(mark, bucket, lambda done: done["GetObject"] >= 4)
    data = path.read_bytes()
    for offset, count in ((0, 1), (5 * MIB - 3, 6), (OTHERS_BIG_BYTES - 9, 9)):
        part = rclone("cat", "--offset", str(offset), "--count", str(count), f"k:{bucket}/big")
        assert part == data[offset : offset + count]


def test_a_stream_of_unknown_length(rclone: Program, s3: Any, bucket: str) -> None:
    data = body(6 * MIB)
    rclone("rcat", f"k:{bucket}/ü +", stdin=data)
    got = io.BytesIO()
    s3.download_fileobj(bucket, "ü +", got)
    assert got.getvalue() == data


def test_copy_on_the_server(rclone: Program, bucket: str, server: Server) -> None:
    data = body(12 * MIB)
    mark = server.mark()
    rclone("rcat", "--s3-upload-cutoff", "50M", "--streaming-upload-cutoff", "50M", f"k:{bucket}/von ü+", stdin=data)
    rclone("copyto", f"k:{bucket}/von ü+", f"k:{bucket}/whole")
    rclone("moveto", "--s3-copy-cutoff", "5M", f"k:{bucket}/von ü+", f"k:{bucket}/by parts")
    done = server.operations(mark, bucket, lambda done: done["CopyObject"] == 1 and done["UploadPartCopy"] >= 2)
    assert (done["GetObject"], done["PutObject"], done["UploadPart"]) == (0, 1, 0)
    assert rclone.text("lsf", f"k:{bucket}").splitlines() == ["by parts", "whole"]
    assert rclone("cat", f"k:{bucket}/whole") == rclone("cat", f"k:{bucket}/by parts") == data


def test_old_versions_are_read(rclone: Program, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in ("first", "second"):
        rclone("rcat", f"k:{bucket}/k.txt", stdin=text.encode())
    rclone("deletefile", f"k:{bucket}/k.txt")
    assert rclone.text("lsf", f"k:{bucket}") == ""
    names = rclone.text("lsf", "--s3-versions", f"k:{bucket}").split()
    assert len(names) == 2
    bodies = {rclone("cat", "--s3-versions", f"k:{bucket}/{name}") for name in names}
    assert bodies == {b"first", b"second"}


def test_presigned(rclone: Program, bucket: str) -> None:
    data = body(200_000)
    rclone("rcat", f"k:{bucket}/d/ü +", stdin=data)
    url = rclone.text("link", "--expire", "1h", f"k:{bucket}/d/ü +").strip()
    answer = wire.ask("GET", url)
    assert (answer.status, answer.body) == (200, data)
    assert wire.ask("PUT", url, b"x").status == 403


def test_odd_keys_it_can_name(rclone: Program, s3: Any, bucket: str) -> None:
    """`a` beside `a/b`, and names that only an encoder finds hard; the keys are boto3's, not rclone's own spelling."""
    keys = ("a", "a/b", "percent %2F %zz", "käse/日本語/\N{GRINNING FACE}.txt", "quote'\"&<>;=?#", "trailing ", "dot.")
    for key in keys:
        rclone("rcat", f"k:{bucket}/{key}", stdin=key.encode())
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in listed] == sorted(keys, key=str.encode)
    for key in keys:
        assert rclone("cat", f"old:{bucket}/{key}") == key.encode()
