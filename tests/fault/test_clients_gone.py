"""Uploads of 10 MiB that end badly, after some of their chunks are in bulk: the S3 error where somebody hears it,
nothing visible, and after a collection nothing left."""

from __future__ import annotations

import base64
import contextlib
import random
import socket
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kakera.dialects.s3.auth import authenticate
from tests.fault.contest import Upload, bucket, code, keys, seed_of
from tests.fault.leftovers import collect, orphans
from tests.fault.live import FULL, Answer, Live
from tests.unit.dialects.wire import REGION, Key, aws_chunks, sign, trailer_signature
from tests.wire.wire import Wire

MIB = 1 << 20
BODY_BYTES = 10 * MIB
PIECE_BYTES = 256 * 1024  # of aws-chunked framing
KEY = Key("AK", "SECRETSECRET", "a", "a")
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ROUNDS = 5 if FULL else 1


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("gone"), workers=2)
    server.format()
    server.start()
    bucket(server, "gone")
    yield server
    server.kill()


def framed(live: Live, path: str, body: bytes, payload: str, trailer: bytes = b"") -> tuple[bytes, list[bytes]]:
    """The head and the frames of a PUT in aws-chunks, signed as `payload` says. trailer: its line."""
    fields = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body))}
    fields["host"] = f"127.0.0.1:{live.port}"
    if trailer:
        fields["x-amz-trailer"] = trailer.partition(b":")[0].decode()
    now = datetime.now(UTC)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    asked = sign("PUT", path.encode(), headers=fields, payload=payload, stamp=stamp, key=KEY)
    identity = authenticate(asked, {KEY.access_key_id: KEY}, now=now.timestamp(), region=REGION)
    frames = aws_chunks(body, PIECE_BYTES, identity if payload != UNSIGNED_TRAILER else None)
    if trailer:
        frames.append(trailer + b"\r\n")
        if payload == SIGNED_TRAILER:
            signature = trailer_signature(body, PIECE_BYTES, identity, trailer + b"\n")
            frames.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
    frames.append(b"\r\n")
    return head_of("PUT", path, dict(asked.headers) | {"content-length": str(sum(map(len, frames)))}), frames


def head_of(method: str, target: str, fields: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()


def plain(live: Live, path: str, body: bytes, **more: str) -> bytes:
    """The head of a pre-signed PUT."""
    target = live.connect().target("PUT", path, None)
    fields = {"host": f"127.0.0.1:{live.port}", "content-length": str(len(body))}
    return head_of("PUT", target, fields | {name.replace("_", "-"): value for name, value in more.items()})


def spoiled(frame: bytes) -> bytes:
    """One bit of the frame's last byte but two, which is of its data or its signature."""
    return frame[:-3] + bytes((frame[-3] ^ 1,)) + frame[-2:]


# --- bodies that are not what they promise ----------------------------------------------------------------------------


def bad_chunk_signature(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    head, frames = framed(live, path, body, SIGNED)
    middle = 3 * len(frames) // 4
    line, _, data = frames[middle].partition(b"\r\n")
    frames[middle] = line[:-1] + (b"0" if line[-1:] != b"0" else b"1") + b"\r\n" + data
    return head, frames, "403 SignatureDoesNotMatch"


def changed_chunk(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    head, frames = framed(live, path, body, SIGNED)
    frames[3 * len(frames) // 4] = spoiled(frames[3 * len(frames) // 4])
    return head, frames, "403 SignatureDoesNotMatch"


def bad_trailer(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    trailer = b"x-amz-checksum-crc32:" + base64.b64encode((zlib.crc32(body) ^ 1).to_bytes(4, "big"))
    return *framed(live, path, body, UNSIGNED_TRAILER, trailer), "400 BadDigest"


def bad_signed_trailer(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    trailer = b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    head, frames = framed(live, path, body, SIGNED_TRAILER, trailer)
    frames[-2] = spoiled(frames[-2])
    return head, frames, "403 SignatureDoesNotMatch"


def no_trailer(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    """Announced, and not there."""
    trailer = b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    head, frames = framed(live, path, body, UNSIGNED_TRAILER, trailer)
    del frames[-2]
    lacking = head.replace(
        f"content-length: {sum(map(len, frames)) + len(trailer) + 2}".encode(),
        f"content-length: {sum(map(len, frames))}".encode(),
    )
    assert lacking != head
    return lacking, frames, "400 MalformedTrailerError"


def bad_md5(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    return plain(live, path, body, content_md5=base64.b64encode(bytes(16)).decode()), [body], "400 BadDigest"


def bad_framing(live: Live, path: str, body: bytes) -> tuple[bytes, list[bytes], str]:
    """A chunk that says it is longer than the next one's line allows."""
    trailer = b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    head, frames = framed(live, path, body, UNSIGNED_TRAILER, trailer)
    middle = 3 * len(frames) // 4
    line, _, data = frames[middle].partition(b"\r\n")
    frames[middle] = f"{int(line, 16) - 1:x}".encode() + b"\r\n" + data
    return head, frames, "400"


REFUSED = (bad_chunk_signature, changed_chunk, bad_trailer, bad_signed_trailer, no_trailer, bad_md5, bad_framing)


# --- clients that do not end their request ----------------------------------------------------------------------------


def gone(live: Live, head: bytes, body: bytes, share: float, how: str) -> bytes:
    """Send a share of the body and leave: "reset" or "close" the connection, or "short": say that this was all. What
    was heard."""
    wire = Wire(live.port, timeout_s=30.0)
    wire.say(head)
    sent = int(len(body) * share)
    for start in range(0, sent, PIECE_BYTES):
        wire.say(body[start : min(start + PIECE_BYTES, sent)])
    heard = b""
    if how == "short":
        wire.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while data := wire.socket.recv(1 << 16):
                heard += data
    elif how == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    return heard


def refusal(live: Live, head: bytes, frames: list[bytes]) -> str:
    """The error of a request that is sent whole."""
    wire = Wire(live.port, timeout_s=30.0)
    with contextlib.suppress(OSError):  # refused before its end, and the connection closed
        wire.say(head)
        for frame in frames:
            wire.say(frame)
    answer = wire.hear()
    wire.close()
    return code(Answer(answer.status, answer.headers, answer.body))


def test_uploads_that_end_badly_leave_nothing(live: Live) -> None:
    chance = random.Random(seed_of("uploads that end badly"))
    client, old = live.connect(), chance.randbytes(3000)
    heard: dict[str, int] = {}
    upload = Upload.open(client, "/gone/parts")
    for turn in range(ROUNDS):
        body = chance.randbytes(BODY_BYTES)
        for n, make in enumerate(REFUSED):
            path = f"/gone/{make.__name__}-{turn}"
            if n % 2:
                assert client.ask("PUT", path, old).status == 200
            head, frames, error = make(live, path, body)
            said = refusal(live, head, frames)
            assert said.startswith(error), (make.__name__, said)
            heard[f"{make.__name__}: {said}"] = heard.get(f"{make.__name__}: {said}", 0) + 1
            found = client.ask("GET", path)
            assert (found.status, found.body == old) == ((200, True) if n % 2 else (404, False)), make.__name__
            if n % 2:
                assert client.ask("DELETE", path).status == 204
        for how in ("reset", "close", "short"):
            path, share = f"/gone/{how}-{turn}", chance.uniform(0.5, 0.99)
            said = gone(live, plain(live, path, body), body, share, how)
            assert not said.startswith(b"HTTP/1.1 2"), said
            target = client.target("PUT", upload.path, {"partNumber": "1", "uploadId": upload.id})
            fields = {"host": f"127.0.0.1:{live.port}", "content-length": str(len(body))}
            said = gone(live, head_of("PUT", target, fields), body, share, how)
            assert not said.startswith(b"HTTP/1.1 2"), said
            heard[f"{how}: {said.partition(b' ')[2][:3].decode() or 'nothing'}"] = 1
    parts = client.ask("GET", upload.path, query={"uploadId": upload.id})
    assert (parts.status, b"<Part>" in parts.body) == (200, False), "a part that never came whole"
    assert upload.abort(client).status == 204
    assert keys(client, "gone") == []
    # The control: the same framings, when nothing is wrong with them.
    trailer = b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    for payload, line in ((SIGNED, b""), (SIGNED_TRAILER, trailer), (UNSIGNED_TRAILER, trailer)):
        assert refusal(live, *framed(live, "/gone/well", body, payload, line)) == "200"
        assert client.ask("GET", "/gone/well").body == body
    assert orphans(live), "nothing of these uploads came to the drives: the test shows nothing"
    collect(live)
    left = orphans(live)
    print(f"gone: {ROUNDS * (len(REFUSED) + 6)} uploads of {BODY_BYTES} bytes, {heard}, visible 0, orphans {len(left)}")
    assert left == []
    assert live.connect().ask("GET", "/gone/well").body == body
