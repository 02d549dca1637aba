"""Threads that ask the real server for things that exclude each other, and the few S3 requests they ask for."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from tests.fault.live import FULL, Answer, Client, Live, settled

JOIN_S = 90.0


def seed_of(name: str) -> int:
    """Printed, so that the run can be repeated; another one each time in the full runs."""
    seed = random.randrange(1 << 30) if FULL else 20261123
    print(f"\n{name}: seed {seed}")
    return seed


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run all at once, each in a thread, from one starting shot; their results. Raises the first failure."""
    shot = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)
    failed: list[BaseException] = []

    def run(number: int, job: Callable[[], Any]) -> None:
        try:
            shot.wait(JOIN_S)
            results[number] = job()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)
        assert not thread.is_alive(), "a client hangs"
    if failed:
        raise failed[0]
    return results


def for_a_while(seconds: float, turn: Callable[[], None]) -> Callable[[], None]:
    """A job that takes turns until the time is over."""

    def job() -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            turn()

    return job


def code(answer: Answer) -> str:
    """What the answer says it is: the status, and the error's code."""
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    return f"{answer.status} {found[1].decode()}" if found else str(answer.status)


# --- multipart --------------------------------------------------------------------------------------------------------


class Upload(NamedTuple):
    """A multipart upload of one key, as a client holds it."""

    path: str
    id: str

    @classmethod
    def open(cls, client: Client, path: str) -> Upload:
        answer = client.ask("POST", path, query={"uploads": ""})
        assert answer.status == 200, answer
        return cls(path, upload_id(answer))

    def part(self, client: Client, number: int, body: bytes) -> Answer:
        return client.ask("PUT", self.path, body, query={"partNumber": str(number), "uploadId": self.id})

    def complete(self, client: Client, etags: dict[int, str]) -> Answer:
        return client.ask("POST", self.path, complete_document(etags), query={"uploadId": self.id})

    def abort(self, client: Client) -> Answer:
        return client.ask("DELETE", self.path, query={"uploadId": self.id})


def upload_id(answer: Answer) -> str:
    """Of the answer to CreateMultipartUpload."""
    found = re.search(rb"<UploadId>(\w+)</UploadId>", answer.body)
    assert found is not None, answer
    return found[1].decode()


def complete_document(etags: dict[int, str]) -> bytes:
    parts = [f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in sorted(etags.items())]
    return f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()


def etag_of(answer: Answer) -> str:
    """Without quotes; of a PUT from its head, of a Complete from its document."""
    if "etag" in answer.headers:
        return answer.headers["etag"].strip('"')
    found = re.search(rb"<ETag>(?:&quot;|\")?([0-9a-f-]+)", answer.body)
    assert found is not None, answer
    return found[1].decode()


# --- buckets ----------------------------------------------------------------------------------------------------------


def bucket(live: Live, name: str, *, versioning: str = "") -> None:
    client = live.connect()
    assert settled(lambda: client.ask("PUT", f"/{name}")).status == 200
    if versioning:
        assert set_versioning(client, name, versioning).status == 200


def set_versioning(client: Client, name: str, state: str) -> Answer:
    document = f"<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>".encode()
    return client.ask("PUT", f"/{name}", document, query={"versioning": ""})


def delete_keys(client: Client, name: str, keys: Sequence[str]) -> int:
    """One multi-delete of up to 1,000 keys; how many errors it tells."""
    lines = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    document = f"<Delete>{lines}</Delete>".encode()
    md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
    answer = client.ask("POST", f"/{name}", document, query={"delete": ""}, headers={"Content-MD5": md5})
    assert answer.status == 200, answer
    return answer.body.count(b"<Error>")


class Listed(NamedTuple):
    """A line of ListObjectVersions."""

    key: str
    version: str
    etag: str  # "" of a delete marker
    latest: bool
    marker: bool


def versions(client: Client, name: str) -> list[Listed]:
    """Every version and delete marker of a bucket, page after page, as listed."""
    found: list[Listed] = []
    query = {"versions": ""}
    while True:
        answer = settled(lambda query=query: client.ask("GET", f"/{name}", query=query))  # type: ignore[misc]
        assert answer.status == 200, answer
        tree = ElementTree.fromstring(answer.body)
        for line in tree:
            kind = line.tag.rpartition("}")[2]
            if kind in ("Version", "DeleteMarker"):
                text = {child.tag.rpartition("}")[2]: child.text or "" for child in line}
                etag = text.get("ETag", "").strip('"')
                latest = text["IsLatest"] == "true"
                found.append(Listed(text["Key"], text["VersionId"], etag, latest, kind == "DeleteMarker"))
        if tree.findtext("{*}IsTruncated") != "true":
            return found
        query = {
            "versions": "",
            "key-marker": tree.findtext("{*}NextKeyMarker") or "",
            "version-id-marker": tree.findtext("{*}NextVersionIdMarker") or "",
        }


def keys(client: Client, name: str) -> list[str]:
    """The keys on the first page of a bucket's listing."""
    answer = client.ask("GET", f"/{name}", query={"list-type": "2"})
    if answer.status == 404:
        return []
    assert answer.status == 200, answer
    return [str(line.text) for line in ElementTree.fromstring(answer.body).iterfind("{*}Contents/{*}Key")]
