"""Requests that exclude each other, at the same time, against a real server with two workers: PUT and DeleteBucket, PUT
and PutBucketVersioning, UploadPart and CompleteMultipartUpload and AbortMultipartUpload."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fault.contest import (
    Upload,
    bucket,
    code,
    delete_keys,
    etag_of,
    for_a_while,
    keys,
    seed_of,
    set_versioning,
    together,
    upload_id,
    versions,
)
from tests.fault.leftovers import collect, orphans
from tests.fault.live import FULL, Answer, Live, settled

RACE_S = 60.0 if FULL else 2.5
UPLOADS = 400 if FULL else 30
SIZES = (100, 5000, 200_000)  # replicated; coded in the record; bulk
WRITERS = 5
PUT_PAUSE_S = 0.08  # so that a bucket is empty now and then


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("races"), workers=2, settings={"journal": {"resend_limit_s": 2}})
    server.format()
    server.start()
    yield server
    server.kill()


# --- DeleteBucket -----------------------------------------------------------------------------------------------------


class Bucket:
    """A bucket that is made, emptied and deleted again and again while others put into it. Every key is put once."""

    name = "race"

    def __init__(self, live: Live, seed: int) -> None:
        self.live, self.seed = live, seed
        self.lock = threading.Lock()
        self.bodies: dict[str, str] = {}  # key -> MD5, acknowledged
        self.refused: set[str] = set()
        self.removed: set[str] = set()  # by name, acknowledged
        self.heard: dict[str, int] = {}
        self.came_back: list[str] = []

    def count(self, what: str) -> None:
        with self.lock:
            self.heard[what] = self.heard.get(what, 0) + 1

    def putter(self, number: int) -> Any:
        client, chance = self.live.connect(), random.Random(f"{self.seed}/{number}")
        names = itertools.count()

        def turn() -> None:
            key = f"{number}-{next(names)}"
            body = chance.randbytes(chance.choice(SIZES))
            if number == 0:
                answer = self._upload(key, body)
            else:
                answer = client.ask("PUT", f"/{self.name}/{key}", body)
            said = code(answer)
            self.count(f"PUT {said}")
            if answer.status == 200:
                with self.lock:
                    self.bodies[key] = hashlib.md5(body).hexdigest()
            else:
                assert said in ("404 NoSuchBucket", "404 NoSuchUpload"), answer
                self.refused.add(key)
            time.sleep(chance.uniform(0, PUT_PAUSE_S))

        return for_a_while(RACE_S, turn)

    def _upload(self, key: str, body: bytes) -> Answer:
        client = self.live.connect()
        try:
            answer = client.ask("POST", f"/{self.name}/{key}", query={"uploads": ""})
            if answer.status != 200:
                return answer
            upload = Upload(f"/{self.name}/{key}", upload_id(answer))
            part = upload.part(client, 1, body)
            return part if part.status != 200 else upload.complete(client, {1: etag_of(part)})
        finally:
            client.close()

    def destroyer(self) -> Any:
        client, chance = self.live.connect(), random.Random(f"{self.seed}/destroyer")

        def turn() -> None:
            assert client.ask("PUT", f"/{self.name}").status == 200
            self._look(client)
            time.sleep(chance.uniform(0, 0.03))
            for _ in range(1000):
                answer = client.ask("DELETE", f"/{self.name}")
                self.count(f"DeleteBucket {code(answer)}")
                if answer.status == 204:
                    return
                assert code(answer) == "409 BucketNotEmpty", answer
                there = self._look(client)
                if there:
                    assert delete_keys(client, self.name, there) == 0
                    self.removed.update(there)
            raise AssertionError("the bucket cannot be deleted")

        return for_a_while(RACE_S, turn)

    def _look(self, client: Any) -> list[str]:
        """R13: what was removed, and what a bucket of this name was refused, is never seen again."""
        there = keys(client, self.name)
        self.came_back += [key for key in there if key in self.removed or key in self.refused]
        return there


def test_a_put_racing_delete_bucket_is_in_the_bucket_or_refused(live: Live) -> None:
    race = Bucket(live, seed_of("PUT and DeleteBucket"))
    together(race.destroyer(), *(race.putter(number) for number in range(WRITERS)))
    client = live.connect()
    client.ask("PUT", f"/{race.name}")
    there = set(keys(client, race.name))
    lost = race.bodies.keys() - race.removed - there
    wrong = []
    for key in there:
        found = client.ask("GET", f"/{race.name}/{key}")
        if found.status != 200 or hashlib.md5(found.body).hexdigest() != race.bodies.get(key):
            wrong.append(f"{key}: {code(found)}")
    print(f"race: acked {len(race.bodies)}, {race.heard}, lost {len(lost)}, wrong {len(wrong)}")
    assert (lost, wrong, race.came_back) == (set(), [], [])
    for said in ("PUT 200", "PUT 404 NoSuchBucket", "DeleteBucket 204", "DeleteBucket 409 BucketNotEmpty"):
        assert race.heard.get(said, 0) >= 3, f"no contest: {said}"
    delete_keys(client, race.name, sorted(there)) if there else None
    assert client.ask("DELETE", f"/{race.name}").status == 204
    assert client.ask("PUT", f"/{race.name}").status == 200
    assert (keys(client, race.name), versions(client, race.name)) == ([], [])


# --- PutBucketVersioning ----------------------------------------------------------------------------------------------


class Flips:
    """Writers of a few keys under a versioning that changes all the time."""

    name = "flips"

    def __init__(self, live: Live, seed: int) -> None:
        self.live, self.seed = live, seed
        self.changes: list[dict[str, Any]] = []  # of a key: what was asked, heard, and when
        self.states: list[tuple[float, float, str]] = []  # when each flip was asked for and heard

    def writer(self, number: int) -> Any:
        client, chance = self.live.connect(), random.Random(f"{self.seed}/{number}")

        def turn() -> None:
            key, gone = f"k{chance.randrange(3)}", chance.random() < 0.2
            body = chance.randbytes(chance.choice(SIZES[:2]))
            begun = time.monotonic()
            answer = client.ask("DELETE" if gone else "PUT", f"/{self.name}/{key}", b"" if gone else body)
            assert answer.status in (200, 204), answer
            self.changes.append(
                {
                    "key": key, "gone": gone, "etag": "" if gone else hashlib.md5(body).hexdigest(), "t0": begun,
                    "t1": time.monotonic(), "version": answer.headers.get("x-amz-version-id", "null"),
                    "marker": answer.headers.get("x-amz-delete-marker") == "true",
                }
            )  # fmt: skip

        return for_a_while(RACE_S, turn)

    def flipper(self) -> Any:
        client, chance = self.live.connect(), random.Random(f"{self.seed}/flipper")
        names = itertools.cycle(("Suspended", "Enabled"))

        def turn() -> None:
            begun, state = time.monotonic(), next(names)
            assert set_versioning(client, self.name, state).status == 200
            self.states.append((begun, time.monotonic(), state))
            time.sleep(chance.uniform(0, 0.05))

        return for_a_while(RACE_S, turn)

    def untrue(self) -> list[str]:
        """Answers that contradict the versioning that was certainly in force from before the request to its answer."""
        found = []
        for change in self.changes:
            heard = [state for state in self.states if state[1] < change["t0"]]
            under_way = [s for s in self.states if s[0] < change["t1"] and s[1] > change["t0"]]
            state = heard[-1][2] if heard else "Enabled"
            if not under_way and (change["version"] == "null") != (state == "Suspended"):
                found.append(f"{change} under {state}")
        return found


def test_puts_racing_put_bucket_versioning_tell_the_truth_about_their_version(live: Live) -> None:
    flips = Flips(live, seed_of("PUT and PutBucketVersioning"))
    bucket(live, flips.name, versioning="Enabled")
    together(flips.flipper(), *(flips.writer(number) for number in range(WRITERS)))
    listed = versions(live.connect(), flips.name)
    wrong = flips.untrue()
    named = [(line.key, line.version) for line in listed]
    assert len(named) == len(set(named)), "a version twice"
    there = {(line.key, line.version): line for line in listed if line.version != "null"}
    for change in flips.changes:
        if change["version"] == "null":
            continue
        line = there.pop((change["key"], change["version"]), None)
        if line is None or (line.etag, line.marker) != (change["etag"], change["gone"]):
            wrong.append(f"{change}: {line}")
        if change["marker"] != change["gone"]:
            wrong.append(f"{change}: is it a marker?")
    wrong += [f"{line}: nobody's" for line in there.values()]
    for line in listed:
        if line.version != "null":
            continue
        nulls = [change for change in flips.changes if change["key"] == line.key and change["version"] == "null"]
        newest = max(change["t0"] for change in nulls)
        if not any((c["etag"], c["gone"]) == (line.etag, line.marker) and c["t1"] >= newest for c in nulls):
            wrong.append(f"{line}: not the last null version that was written")
    _check_latest(live, flips, listed, wrong)
    kept = sum(change["version"] != "null" for change in flips.changes)
    print(f"flips: {len(flips.states)}, acked {len(flips.changes)}, of them with a version {kept}, wrong {len(wrong)}")
    assert wrong == []
    assert 20 < kept < len(flips.changes) - 20, "no contest"


def _check_latest(live: Live, flips: Flips, listed: list[Any], wrong: list[str]) -> None:
    """One latest of each key, and it is what a GET finds."""
    for key in sorted({change["key"] for change in flips.changes}):
        latest = [line for line in listed if line.key == key and line.latest]
        found = live.connect().ask("GET", f"/{flips.name}/{key}")
        if len(latest) != 1 or (found.status == 404) != latest[0].marker:
            wrong.append(f"{key}: {latest}, GET {found.status}")
        elif not latest[0].marker and hashlib.md5(found.body).hexdigest() != latest[0].etag:
            wrong.append(f"{key}: {latest}, GET finds other bytes")


# --- AbortMultipartUpload ---------------------------------------------------------------------------------------------


def test_an_upload_is_completed_or_aborted_never_both(live: Live) -> None:
    chance = random.Random(seed_of("UploadPart, Complete and Abort"))
    bucket(live, "uploads")
    client, others = live.connect(), [live.connect() for _ in range(3)]
    outcomes: dict[str, int] = {}
    wrong = []
    for number in range(UPLOADS):
        body, again = chance.randbytes(200_000), chance.randbytes(150_000)
        upload = Upload.open(client, f"/uploads/k{number}")
        etag = etag_of(upload.part(client, 1, body))
        replaced = chance.choice((1, 2))
        pauses = [chance.uniform(0, 0.006) for _ in range(3)]

        def part(upload: Upload = upload, replaced: int = replaced, again: bytes = again) -> Answer:
            return upload.part(others[0], replaced, again)

        def complete(upload: Upload = upload, etag: str = etag) -> Answer:
            return upload.complete(others[1], {1: etag})

        def abort(upload: Upload = upload) -> Answer:
            return upload.abort(others[2])

        def later(pause_s: float, job: Any) -> Any:
            return lambda: (time.sleep(pause_s), job())[1]

        heard = together(*(later(pause_s, job) for pause_s, job in zip(pauses, (part, complete, abort), strict=True)))
        put, completed, aborted = map(code, heard)
        outcomes[f"{put}, {completed}, {aborted}"] = outcomes.get(f"{put}, {completed}, {aborted}", 0) + 1
        found = client.ask("GET", f"/uploads/k{number}")
        if (completed == "200") == (aborted == "204") and completed != "400 InvalidPart":
            wrong.append(f"k{number}: both or neither: {heard}")
        if (completed, found.status, found.body) not in (("200", 200, body), (completed, 404, found.body)):
            wrong.append(f"k{number}: {completed}, then GET {code(found)}")
        if completed != "200" and found.status != 404:
            wrong.append(f"k{number}: aborted, then GET {code(found)}")
        if put not in ("200", "404 NoSuchUpload") or aborted not in ("204", "404 NoSuchUpload"):
            wrong.append(f"k{number}: {heard}")
        if completed not in ("200", "404 NoSuchUpload", "400 InvalidPart"):
            wrong.append(f"k{number}: {heard}")
    uploads = client.ask("GET", "/uploads", query={"uploads": ""})
    assert b"<Upload>" not in uploads.body, "an upload is left open"
    assert wrong == []
    ends = {" ".join(said.split(", ")[1:]) for said in outcomes}
    assert {"200 404 NoSuchUpload", "404 NoSuchUpload 204"} <= ends, f"no contest: {outcomes}"
    collect(live)
    left = orphans(live)
    print(f"uploads: {UPLOADS}, {outcomes}, wrong 0, orphans after gc {len(left)}")
    assert left == []
    for key in keys(live.connect(), "uploads"):
        assert settled(lambda key=key: live.connect().ask("GET", f"/uploads/{key}")).status == 200  # type: ignore[misc]


def test_completes_of_one_upload_with_different_parts_agree(live: Live) -> None:
    """The first decides; whoever comes with other parts is told of the object there is, or that its parts are not
    there."""
    chance = random.Random(seed_of("Complete and Complete"))
    bucket(live, "completes", versioning="Enabled")
    client, others = live.connect(), [live.connect() for _ in range(4)]
    agreed = 0
    for number in range(UPLOADS):
        upload = Upload.open(client, f"/completes/k{number}")
        bodies = [chance.randbytes(3000), chance.randbytes(2000)]
        etags = [etag_of(upload.part(client, n + 1, body)) for n, body in enumerate(bodies)]
        heard = together(
            *(lambda n=n: upload.complete(others[n], {n % 2 + 1: etags[n % 2]}) for n in range(4))  # type: ignore[misc]  # noqa: B023
        )
        there = client.ask("GET", f"/completes/k{number}")
        assert there.body in bodies
        told = {(etag_of(answer), answer.headers["x-amz-version-id"]) for answer in heard if answer.status == 200}
        assert told == {(etag_of(there), there.headers["x-amz-version-id"])}, (number, heard)
        assert {code(answer) for answer in heard} <= {"200", "400 InvalidPart"}, (number, heard)
        agreed += sum(answer.status == 200 for answer in heard)
    assert len(versions(client, "completes")) == UPLOADS
    print(f"completes: {UPLOADS} uploads, {agreed} of {4 * UPLOADS} answered 200, all of one upload alike")
