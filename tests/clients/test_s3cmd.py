"""s3cmd: a client of its own making, with signature V4 written by hand and the first version of the listing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import content
from tests.clients.conftest import Many
from tests.clients.content import MIB, ODD_KEYS, OTHERS_BIG_BYTES, TAME_ODD_KEYS, body, etag
from tests.clients.program import Program
from tests.clients.server import Server

pytestmark = pytest.mark.needs("s3cmd")


@pytest.fixture(scope="module")
def s3cmd(server: Server, program: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> Program:
    settings = {
        "access_key": server.main.access_key_id,
        "secret_key": server.main.secret_access_key,
        "host_base": server.host,
        "host_bucket": server.host,  # without the bucket's name in it: path style
        "bucket_location": server.region,
        "use_https": "False",
        "signature_v2": "False",
        "multipart_chunk_size_mb": "5",
        "progress_meter": "False",
        "stop_on_error": "True",
    }
    config = tmp_path_factory.mktemp("s3cmd") / "config"
    config.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return program("s3cmd", "--config", str(config))


def test_a_bucket_a_file_and_a_resumed_get(s3cmd: Program, tmp_path: Path, server: Server) -> None:
    data = body(300_000)
    (tmp_path / "up").write_bytes(data)
    s3cmd("mb", "s3://s3cmd-own")
    s3cmd("put", "--mime-type", "x/y", "--add-header", "x-amz-meta-who: me", tmp_path / "up", "s3://s3cmd-own/ü +/x")
    info = s3cmd.text("info", "s3://s3cmd-own/ü +/x")
    assert "x/y" in info and etag(data) in info and "x-amz-meta-who: me" in info
    s3cmd("get", "s3://s3cmd-own/ü +/x", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data
    (tmp_path / "half").write_bytes(data[:99_999])
    mark = server.mark()
    s3cmd("get", "--continue", "s3://s3cmd-own/ü +/x", tmp_path / "half")
    assert (tmp_path / "half").read_bytes() == data
    # A line may be later than its answer: whoever asks by operation sees the one before the mark too.
    server.sent(mark, "s3cmd-own", status=206, sent_bytes=len(data) - 99_999)
    assert s3cmd.attempt("rb", "s3://s3cmd-own").returncode != 0
    s3cmd("rb", "--recursive", "--force", "s3://s3cmd-own")
    assert s3cmd.attempt("ls", "s3://s3cmd-own").returncode != 0


def test_a_tree_is_synced(s3cmd: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    wanted = content.make_tree(files, {"a": 10, "d/e/f": 300_000, "g": 6 * MIB} | dict.fromkeys(TAME_ODD_KEYS, 99))
    s3cmd("sync", f"{files}/", f"s3://{bucket}/a tree/")
    wanted |= content.make_tree(files, {"d/e/f": 300_000, "new": 5}, "other")
    (files / "g").unlink()
    del wanted["g"]
    s3cmd("sync", "--delete-removed", f"{files}/", f"s3://{bucket}/a tree/")
    s3cmd("sync", f"s3://{bucket}/a tree/", f"{tmp_path / 'back'}/")
    assert content.tree(tmp_path / "back") == wanted
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == len(wanted)


def test_list_of_5000(s3cmd: Program, many: Many) -> None:
    lines = s3cmd.text("ls", "--recursive", "--list-md5", f"s3://{many.bucket}").splitlines()
    found = []
    for line in lines:
        _, _, size, md5, url = line.split(maxsplit=4)
        found.append((url, int(size), md5))
    assert found == [(f"s3://{many.bucket}/{key}", len(many.bodies[key]), etag(many.bodies[key])) for key in many.keys]
    folders = s3cmd.text("ls", f"s3://{many.bucket}/").split()[1::2]
    assert folders == [f"s3://{many.bucket}/{number:02d}/" for number in range(50)]


def test_multipart_and_copy(
    s3cmd: Program, s3: Any, bucket: str, big_file: tuple[Path, str], tmp_path: Path, server: Server
) -> None:
    path, digest = big_file
    mark = server.mark()
    s3cmd("put", path, f"s3://{bucket}/big")
    server.operations(mark, bucket, lambda done: done["UploadPart"] == OTHERS_BIG_BYTES // (5 * MIB))
    s3cmd("get", f"s3://{bucket}/big", tmp_path / "down")
    assert content.file_digest(tmp_path / "down") == digest
    data = body(300_000)
    s3.put_object(Bucket=bucket, Key="von ü+", Body=data, Metadata={"who": "me"})
    mark = server.mark()
    s3cmd("cp", f"s3://{bucket}/von ü+", f"s3://{bucket}/copy")
    s3cmd("mv", f"s3://{bucket}/von ü+", f"s3://{bucket}/moved")
    server.operations(mark, bucket, lambda done: done["CopyObject"] == 2 and done["DeleteObject"] == 1)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["big", "copy", "moved"]
    for key in ("copy", "moved"):
        got = s3.get_object(Bucket=bucket, Key=key)
        assert (got["Metadata"]["who"], got["Body"].read()) == ("me", data)


def test_odd_keys(s3cmd: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    """Those it can write it writes; it lists and deletes the rest too."""
    names = ("with space and + plus", "percent %2F %zz", "käse/日本語/\N{GRINNING FACE}.txt", "quote'\"&<>;=?#")
    keys = ("../x", "a//b", "a", *names)
    for key in keys:
        (tmp_path / "up").write_text(key)
        s3cmd("put", tmp_path / "up", f"s3://{bucket}/{key}")
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    for key in set(ODD_KEYS) - set(keys):
        s3.put_object(Bucket=bucket, Key=key, Body=key)
    listed = s3cmd.text("ls", "--recursive", f"s3://{bucket}").splitlines()
    assert [line.split(maxsplit=3)[3] for line in listed] == [
        f"s3://{bucket}/{key}" for key in sorted(ODD_KEYS, key=str.encode)
    ]
    for key in ("a//b", "../x", "a"):
        s3cmd("get", "--force", f"s3://{bucket}/{key}", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == key.encode()
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/a/")
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == sorted((key for key in ODD_KEYS if not key.startswith("a/")), key=str.encode)
