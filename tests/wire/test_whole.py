"""The server as it is run: processes that die and come back, drives that go and return, background work, the
commands."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.wire.whole import Whole

MIB = 1 << 20


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    server = Whole(tmp_path)
    assert server.command("admin", "format").returncode == 0
    yield server
    if server.process is not None and server.process.poll() is None:
        assert server.stop() == 0, server.log()[-3000:]


class Objects:
    """What was acknowledged, and is compared."""

    def __init__(self, whole: Whole) -> None:
        self.client: Any = whole.client()
        self.client.create_bucket(Bucket="bucket")
        self.there: dict[str, bytes] = {}

    def put(self, *sizes: int) -> None:
        for size in sizes:
            key, body = f"k{len(self.there)}-{size}", os.urandom(size)
            self.client.put_object(Bucket="bucket", Key=key, Body=body)
            self.there[key] = body

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket="bucket", Key=key)
        del self.there[key]

    def check(self) -> None:
        for key, body in self.there.items():
            assert self.client.get_object(Bucket="bucket", Key=key)["Body"].read() == body
        listed = self.client.list_objects_v2(Bucket="bucket").get("Contents", [])
        assert sorted(line["Key"] for line in listed) == sorted(self.there)


def eventually(what: Callable[[], bool], within_s: float = 40.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.5)


def strands(whole: Whole, kind: str) -> set[str]:
    return {path.name for slot in range(6) for path in (whole.drive(slot) / kind).glob("*")}


def test_draining_is_said_while_requests_are_served(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100)
    assert whole.command("admin", "drain").returncode == 0
    whole.wait_until("draining")
    objects.put(200)
    objects.check()
    listened = whole.log().count("Listening at")
    os.kill(whole.children()["http"], signal.SIGKILL)  # who is started again in its place goes on draining
    eventually(lambda: whole.log().count("Listening at") > listened)
    time.sleep(0.5)  # the worker of before is gone
    whole.wait_until("draining")
    assert whole.command("admin", "drain", "--undo").returncode == 0
    whole.wait_until("ready")
    assert whole.command("admin", "drain").returncode == 0
    assert whole.stop() == 0
    whole.start()  # ready: who is started is meant to serve


def test_every_process_may_die(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100, 5000, 2 * MIB)
    for name in ("committer", "background", "http"):
        listened = whole.log().count("Listening at")
        os.kill(whole.children()[name], signal.SIGKILL)
        if name == "committer":
            objects.put(200)  # held by the worker until the successor answers (R16)
        if name == "http":  # the old worker may still answer while it drains
            eventually(lambda listened=listened: whole.log().count("Listening at") > listened)  # type: ignore[misc]
        whole.wait_until("ready")
        objects.check()
    objects.put(300)
    assert whole.stop() == 0
    whole.start()
    objects.client = whole.client()
    objects.check()


def test_refusals_of_the_command_line(whole: Whole, tmp_path: Path) -> None:
    assert whole.command("admin", "format").stdout.strip() == "formatted already"
    assert whole.command("admin", "status").returncode == 1
    assert "not running" in whole.command("admin", "status").stderr
    whole.start()
    assert whole.command("admin", "status").returncode == 0
    taken = whole.command("serve")
    assert (taken.returncode, "cannot listen" in taken.stderr) == (1, True)
    busy = whole.command("repair", "rebuild-index")
    assert (busy.returncode, "stop the server first" in busy.stderr) == (1, True)
    assert "numbered 0 to 5" in whole.command("repair", "replace-drive", "9").stderr
    whole.config.write_text("[server]\nnam = 1\n")
    wrong = whole.command("doctor")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)


def test_drives_that_hold_something_else_are_not_formatted(tmp_path: Path) -> None:
    server = Whole(tmp_path)
    (server.drive(3) / "photos").mkdir()
    refused = server.command("admin", "format")
    assert (refused.returncode, "not formatted" in refused.stderr) == (1, True)
    assert not list(server.drive(0).iterdir())


def test_index_is_made_again_from_the_journal(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(0, 100, 5000, 200_000)
    assert whole.stop() == 0
    assert whole.command("repair", "rebuild-index").returncode == 0
    assert not (whole.folder / "state" / "index.sqlite3").exists()
    whole.start()
    objects.client = whole.client()
    objects.check()


def test_damage_is_read_around_and_healed(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(*(2 * MIB for _ in range(8)), *(5000 for _ in range(20)))
    assert whole.doctor("--deep")["exposed"] is False
    assert whole.stop() == 0
    bulk = sorted((whole.drive(1) / "bulk").glob("*"))
    data = bytearray(bulk[0].read_bytes())
    data[300_000] ^= 1
    bulk[0].write_bytes(data)
    bulk[-1].unlink()
    for strand in (whole.drive(4) / "journal").glob("*"):
        strand.unlink()
    whole.start()
    objects.client = whole.client()
    objects.check()
    assert whole.doctor("--deep")["exposed"] is True
    healed = whole.command("repair", "heal", "--now")
    assert healed.returncode == 0, healed.stderr
    report = whole.doctor("--deep")
    assert report["exposed"] is False, report
    objects.check()


def test_a_drive_that_was_away_is_healed_when_it_returns(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100, 5000, 2 * MIB)
    whole.away(2)
    objects.put(100, 5000, 2 * MIB)
    objects.delete("k0-100")
    objects.check()
    report = whole.doctor()
    assert report["exposed"] is True
    assert report["drives"]["2"] != "ok"
    whole.back(2)
    eventually(lambda: whole.doctor()["exposed"] is False, 60)
    assert whole.doctor("--deep")["exposed"] is False
    objects.check()


def test_a_replaced_drive_is_filled(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100, 5000, 2 * MIB)
    assert whole.stop() == 0
    whole.away(5)
    whole.drive(5).mkdir()
    whole.start()
    objects.client = whole.client()
    objects.check()
    assert "5" in {slot for slot, state in whole.doctor()["drives"].items() if state != "ok"}
    assert whole.command("repair", "replace-drive", "5").returncode == 0
    eventually(lambda: whole.doctor()["exposed"] is False, 60)
    objects.check()


def test_two_drives_gone_is_read_only_and_three_is_unavailable(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100, 5000, 2 * MIB)
    assert whole.stop() == 0
    whole.away(0)
    whole.away(3)
    whole.start(until="read-only")
    objects.client = whole.client()
    objects.check()
    with pytest.raises(ClientError) as refused:
        objects.client.put_object(Bucket="bucket", Key="x", Body=b"x")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert whole.stop() == 0
    whole.away(5)
    whole.start(until="unavailable")
    with pytest.raises(ClientError) as refused:
        whole.client().get_object(Bucket="bucket", Key="k0-100")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    for slot in (0, 3, 5):
        whole.back(slot)
    whole.wait_until("ready")
    objects.check()


def test_space_of_the_dead_is_given_back(whole: Whole) -> None:
    """Deleted bodies, uploads given up and clients gone in mid-body: no strand holds them after gc."""
    whole.start()
    objects = Objects(whole)
    objects.put(*(2 * MIB for _ in range(12)))
    for key in list(objects.there):
        if not key.startswith(("k3-", "k7-")):
            objects.delete(key)
    upload = objects.client.create_multipart_upload(Bucket="bucket", Key="given-up")["UploadId"]
    objects.client.upload_part(Bucket="bucket", Key="given-up", UploadId=upload, PartNumber=1, Body=os.urandom(5 * MIB))
    objects.client.abort_multipart_upload(Bucket="bucket", Key="given-up", UploadId=upload)
    before = strands(whole, "bulk")
    assert whole.stop() == 0  # the worker's open segment is sealed by its end
    whole.start()
    objects.client = whole.client()
    began_s = time.monotonic()
    hurried = whole.command("admin", "gc", "--now", "--limit-s", "0.5")
    assert hurried.returncode == 1 and "within the limit" in hurried.stderr, (hurried.stdout, hurried.stderr)
    assert time.monotonic() - began_s < 10
    done = whole.command("admin", "gc", "--now")
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["punch", "compact", "gc", "clean"]
    eventually(lambda: not before & strands(whole, "bulk"), 30)
    stored = sum(path.stat().st_size for path in whole.drive(0).glob("bulk/*"))
    assert stored <= 2 * 2 * MIB // 4 + 64 * 1024
    objects.check()
    assert whole.doctor("--deep")["exposed"] is False


def test_dead_data_among_the_living_is_punched(whole: Whole) -> None:
    """Too much lives in the segment for a copy to pay: the dead give their space back where they lie, over a crash of
    everything, and neither healing nor `doctor` takes a hole for damage."""
    whole.start()
    objects = Objects(whole)
    objects.put(*(MIB for _ in range(20)))
    assert whole.stop() == 0  # the worker's open segment is sealed by its end
    whole.start()
    objects.client = whole.client()
    (segment,) = strands(whole, "bulk")

    def blocks(slot: int) -> int:
        return (whole.drive(slot) / "bulk" / segment).stat().st_blocks

    before = [blocks(slot) for slot in range(6)]
    for key in list(objects.there)[2:14:2]:
        objects.delete(key)
    eventually(lambda: all(blocks(slot) < before[slot] * 0.8 for slot in range(6)))
    assert strands(whole, "bulk") == {segment}, "nothing was copied"
    objects.check()
    assert whole.process is not None
    whole.process.kill()
    whole.process.wait()
    eventually(lambda: whole.status() == "silent")
    whole.start()
    objects.client = whole.client()
    objects.check()
    report = whole.doctor("--deep")
    assert not report["exposed"], report["exposures"]
    assert report["orphan_bytes"] > 0
    (whole.drive(2) / "bulk" / segment).unlink()
    assert whole.command("repair", "heal", "--now").returncode == 0  # what the next census would find
    assert not whole.doctor()["exposed"]
    assert blocks(2) < before[2] * 0.8, "the strand that was made again has the holes of the others"
    objects.check()


def test_what_is_lost_is_named_and_what_is_dead_is_not_missed(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(*(MIB for _ in range(10)))
    assert whole.stop() == 0
    whole.start()
    objects.client = whole.client()
    (segment,) = strands(whole, "bulk")
    dead, lost, *_ = objects.there
    paths = [whole.drive(slot) / "bulk" / segment for slot in range(3)]
    for at in (4096 + 1000, 3 * MIB // 8 + 8192):  # within the fragments of the first object, and of the second
        for path in paths:
            with path.open("r+b") as strand:
                strand.seek(at)
                byte = strand.read(1)[0]
                strand.seek(at)
                strand.write(bytes([byte ^ 1]))
    objects.delete(dead)
    report = whole.doctor("--deep")
    (line,) = report["exposures"]
    assert line["segment"] == f"bulk {segment}" and line["reason"].endswith(f"lost: bucket/{lost}"), line
    objects.delete(lost)
    heal = whole.folder / "state/jobs/heal"
    heal.mkdir(parents=True, exist_ok=True)
    (heal / f"bulk-{segment}").write_text("as a reader reports it")  # nothing that counts is damaged any more
    eventually(lambda: not whole.doctor()["heal_queue"])
    assert not whole.doctor("--deep")["exposed"]
    objects.check()


def test_access_lines_name_what_was_asked(whole: Whole) -> None:
    whole.start()
    objects = Objects(whole)
    objects.put(100)
    time.sleep(0.5)
    lines = [json.loads(line) for line in whole.log().splitlines()]
    put = next(line for line in lines if line.get("operation") == "PutObject")
    assert (put["principal"], put["bucket"], put["key"], put["status"]) == ("AK", "bucket", "k0-100", 200)
    assert "SECRETSECRET" not in whole.log()
    assert "Signature" not in whole.log()


def test_nobody_else_reaches_the_sockets_and_the_bodies(whole: Whole) -> None:
    """While it runs: every folder of state and drives is closed to others, or lies in one that is; no socket and no
    file is open to them by its own mode either, but metrics, which hold no secret."""
    whole.start()
    Objects(whole).put(100, 2 * MIB)
    tops = [whole.folder / "state", whole.folder / "state" / "run", *(whole.drive(slot) for slot in range(6))]
    assert [path.name for path in tops if path.stat().st_mode & 0o077] == []
    for drive in range(6):
        assert [str(path) for path in whole.drive(drive).rglob("*") if path.stat().st_mode & 0o077] == []
    assert not any(
        path.stat().st_mode & 0o077 for path in (whole.folder / "state" / "run").iterdir() if path.is_socket()
    )
