"""The tables of a run: PUT, GET, LIST, STAT, DELETE, and the space that objects take."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.baseline import write_raw
from tests.bench.client import ClientError, ClientResult, result_of, run_process
from tests.bench.exchange import Connection
from tests.bench.lister import PAGE_KEYS, digest_of
from tests.bench.processes import Watch
from tests.bench.results import Footprint, Row, Table, Window, size_name
from tests.bench.windows import KIB, MIB, Bench, RunError, spread_names, surely_answered

FRESH_KEYS_PER_S = {4 * KIB: 20_000, 64 * KIB: 8_000, MIB: 2_000, 10 * MIB: 300}
"""Keys made ready for a second of PUTs: more than any server writes here, so that nothing is written twice."""
FRESH_KEYS_PER_S_OTHERWISE = 2_000
SEEDED_OBJECTS = 4_000
"""Objects that a window of GETs goes round, fewer where Settings.seeded_bytes says so: too many for luck, few enough
to fill quickly."""
SPACE_SIZES_BYTES = (1, 100, KIB, 4 * KIB, 64 * KIB, 128 * KIB, MIB, 10 * MIB)
SPACE_OBJECTS = 2_000
"""Objects of each size at most; fewer where Settings.space_bytes says so, at least 4."""


def put_table(bench: Bench) -> Table:
    table = Table("put", "PUT: new objects, bodies that do not compress")
    bucket = bench.create_bucket("put")
    for size_bytes in bench.settings.sizes_bytes:
        body = os.urandom(size_bytes)
        for clients in bench.settings.clients_for(size_bytes):
            row = Row("PUT", size_bytes, clients)
            for number in range(bench.settings.rounds):
                _put_round(bench, row, body, f"/{bucket}/{size_bytes}", number)
            bench.add(table, row)
    return table


def _put_round(bench: Bench, row: Row, body: bytes, folder: str, number: int) -> None:
    per_s = FRESH_KEYS_PER_S.get(row.size_bytes, FRESH_KEYS_PER_S_OTHERWISE)
    window_s = bench.settings.window_s_for(row.size_bytes)
    names = spread_names(round(per_s * max(1.0, window_s)), f"{row.clients}-{number}")
    warm_names = spread_names(round(per_s * max(1.0, bench.settings.warm_up_s)), f"w{row.clients}-{number}")
    paths = [f"{folder}/{name}" for name in names]
    job = dataclasses.replace(
        bench.job("PUT", bench.presigner.targets("PUT", paths), row.clients, row.size_bytes), body=body
    )
    bench.pair(row, job, warm_up_targets=bench.presigner.targets("PUT", [f"{folder}/{name}" for name in warm_names]))
    raw = write_raw(
        bench.raw_folder,
        body_size_bytes=row.size_bytes,
        k=bench.target.k,
        m=bench.target.m,
        clients=row.clients,
        window_s=window_s,
    )
    row.raw.append(raw)
    row.wrong += bench.wrong_bodies(surely_answered(row, paths), body)


def get_table(bench: Bench) -> Table:
    table = Table("get", "GET: whole objects")
    bucket = bench.create_bucket("get")
    for size_bytes in bench.settings.sizes_bytes:
        body = os.urandom(size_bytes)
        count = min(SEEDED_OBJECTS, max(4, bench.settings.seeded_bytes // size_bytes))
        paths = [f"/{bucket}/{size_bytes}/{name}" for name in spread_names(count, "get")]
        bench.fill(bench.puts(paths, body), f"GET {size_name(size_bytes)}")
        wrong = bench.wrong_bodies(paths, body)
        targets = bench.presigner.targets("GET", paths)
        for clients in bench.settings.clients_for(size_bytes):
            row = Row("GET", size_bytes, clients, wrong=list(wrong))
            job = dataclasses.replace(bench.job("GET", targets, clients, size_bytes), answer_size_bytes=size_bytes)
            for _ in range(bench.settings.rounds):
                bench.pair(row, job)
            bench.add(table, row)
    return table


class ManyKeys:
    """One bucket of many empty objects, filled once for LIST and STAT and used up by DELETE."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.keys = [f"list/{number:08d}" for number in range(bench.settings.list_keys)]
        self._bucket: str | None = None

    def bucket(self) -> str:
        if self._bucket is None:
            bench = self._bench
            bucket = bench.create_bucket("list")
            bench.say(f"filling a bucket with {len(self.keys):,} keys …")
            outcome = bench.fill(bench.puts([f"/{bucket}/{key}" for key in self.shuffled(0)], b""), "LIST")
            bench.say(f"… done in {outcome.seconds:.0f} s, {outcome.retried} requests sent again")
            self._bucket = bucket
        return self._bucket

    def shuffled(self, seed: int) -> list[str]:
        return random.Random(seed).sample(self.keys, len(self.keys))

    def used_up(self) -> None:
        self._bucket = None


def list_table(bench: Bench, many: ManyKeys) -> Table:
    table = Table("list", f"LIST of {len(many.keys):,} keys, {PAGE_KEYS:,} a page; rates are keys listed a second")
    bucket = many.bucket()
    pages = -(-len(many.keys) // PAGE_KEYS)
    page_size_bytes = _page_size_bytes(bench, bucket)
    bare_targets = [f"/{bucket}/{page_size_bytes}/page"]
    row = Row("LIST in order", 0, 1, unit="keys", units_per_request=len(many.keys) / pages)
    for _ in range(bench.settings.rounds):
        bench.on_bare(row, bench.job("GET", [], 1), bare_targets)
        row.server.append(_listing(bench, row, bucket, many.keys))
    bench.add(table, row)
    starts = ["", *(many.keys[page * PAGE_KEYS - 1] for page in range(1, pages))]
    targets = [_page_target(bench, bucket, start) for start in starts]
    for clients in bench.settings.list_clients:
        row = Row("LIST pages at once", 0, clients, unit="keys", units_per_request=len(many.keys) / pages)
        for _ in range(bench.settings.rounds):
            bench.pair(row, bench.job("GET", targets, clients), bare_targets=bare_targets)
        bench.add(table, row)
    table.notes.append(
        '"In order": one client follows continuation tokens through the whole bucket, and order and completeness are '
        'checked. "At once": pages by start-after. The baseline answers one fixed body of a page\'s size.'
    )
    return table


def _page_target(bench: Bench, bucket: str, start_after: str) -> str:
    query = {"list-type": "2", "max-keys": str(PAGE_KEYS), **({"start-after": start_after} if start_after else {})}
    return bench.presigner.target("GET", f"/{bucket}", query)


def _page_size_bytes(bench: Bench, bucket: str) -> int:
    with Connection(bench.target.host, bench.target.port) as connection:
        answer = connection.request("GET", _page_target(bench, bucket, ""))
    if answer.status != 200:
        raise RunError(f"LIST: status {answer.status}: {answer.body[:300]!r}")
    return answer.body_size_bytes


def _listing(bench: Bench, row: Row, bucket: str, keys: Sequence[str]) -> Window:
    order = {
        "host": bench.target.host,
        "port": bench.target.port,
        "credentials": dataclasses.asdict(bench.target.credentials),
        "bucket": bucket,
        "window_s": bench.settings.window_s,
        "expected_keys": len(keys),
        "expected_digest": digest_of(key.encode() for key in keys),
    }
    watch = Watch(bench.target.pid)
    with watch:
        try:
            command = [sys.executable, "-m", "tests.bench.lister"]
            cpu_s, said = run_process(command, json.dumps(order).encode(), bench.settings.window_s)
            seen = result_of("lister", said, bench.job("GET", [], 1), cpu_s)
        except ClientError as error:
            seen = ClientResult.failed(str(error), bench.settings.window_s)
    return Window(seen, watch.usage, row.units_per_request)


def stat_table(bench: Bench, many: ManyKeys) -> Table:
    table = Table("stat", "STAT: HEAD of objects")
    bucket = many.bucket()
    targets = bench.presigner.targets("HEAD", [f"/{bucket}/{key}" for key in many.shuffled(1)])
    for clients in bench.settings.clients:
        row = Row("STAT", 0, clients)
        for _ in range(bench.settings.rounds):
            bench.pair(row, bench.job("HEAD", targets, clients))
        bench.add(table, row)
    table.notes.append(
        "The objects are empty: wrk waits for a body when the answer to a HEAD says Content-Length: 4096."
    )
    return table


def delete_table(bench: Bench, many: ManyKeys) -> Table:
    """Uses up the bucket of many keys: each key is deleted at most once."""
    table = Table("delete", "DELETE: each key once")
    bucket = many.bucket()
    many.used_up()
    paths = [f"/{bucket}/{key}" for key in many.shuffled(2)]
    rounds = bench.settings.rounds
    parts = len(bench.settings.delete_clients) * rounds
    for index, clients in enumerate(bench.settings.delete_clients):
        row = Row("DELETE", 0, clients)
        for number in range(rounds):
            mine = paths[index * rounds + number :: parts]
            warm_up, measured = mine[: len(mine) // 10], mine[len(mine) // 10 :]
            job = dataclasses.replace(
                bench.job("DELETE", bench.presigner.targets("DELETE", measured), clients), once=True
            )
            bench.pair(row, job, warm_up_targets=bench.presigner.targets("DELETE", warm_up))
            row.wrong += bench.still_there(surely_answered(row, measured))
        bench.add(table, row)
    table.notes.append("Empty objects of the bucket that was listed.")
    return table


def measure_space(bench: Bench) -> list[Footprint]:
    """Allocated bytes on the drives per byte accepted. Empty when the drives are not known."""
    if not bench.target.drives:
        return []
    bucket = bench.create_bucket("space")
    found = []
    for size_bytes in SPACE_SIZES_BYTES:
        objects = max(4, min(SPACE_OBJECTS, bench.settings.space_bytes // size_bytes))
        before_bytes = allocated_bytes(bench.target.drives)
        body = os.urandom(size_bytes)
        bench.fill(
            bench.puts([f"/{bucket}/{size_bytes}/{name}" for name in spread_names(objects, "space")], body), "space"
        )
        found.append(Footprint(size_bytes, objects, allocated_bytes(bench.target.drives) - before_bytes))
        bench.say(
            f"space of {size_name(size_bytes)}: {found[-1].stored_per_accepted:,.2f} bytes stored per byte accepted"
        )
    return found


def allocated_bytes(folders: Sequence[Path]) -> int:
    """What `du` says: blocks allocated to all files below the folders (files that vanish count as nothing)."""
    total_bytes = 0
    for folder in folders:
        for parent, _, files in os.walk(folder):
            for name in files:
                try:
                    total_bytes += os.stat(os.path.join(parent, name), follow_symlinks=False).st_blocks * 512
                except FileNotFoundError:
                    continue
    return total_bytes
