"""What every table of a run needs: windows beside their baseline, buckets, fills and spot checks.

A fast wrong answer is not a figure: what was written in a window is sampled and read back, what was deleted must be
gone.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import loader
from tests.bench.baseline import BareServer
from tests.bench.client import ClientError, ClientResult, Job, measure
from tests.bench.exchange import Answer, Connection
from tests.bench.lister import Lister
from tests.bench.loader import Outcome, Request
from tests.bench.presign import Presigner
from tests.bench.processes import Watch
from tests.bench.results import Row, Table, Window
from tests.bench.target import Target

KIB, MIB = 1 << 10, 1 << 20
LARGE_SIZE_BYTES = 10 * MIB
"""From here on `large_clients` apply."""
FILL_CLIENTS = 32
SPOT_CHECKS = 16
"""Objects read back after a window of writes, or before one of reads."""
SURELY_ANSWERED = 0.9
"""Requests are sent in order but answered out of order: spot checks stay within this share of those answered."""


class RunError(Exception):
    """The run cannot go on: the server refuses what every figure needs."""


@dataclass(frozen=True)
class Settings:
    window_s: float = 4.0
    warm_up_s: float = 1.0
    rounds: int = 1
    sizes_bytes: tuple[int, ...] = (4 * KIB, 64 * KIB, MIB, 10 * MIB)
    clients: tuple[int, ...] = (1, 16, 64)
    large_clients: tuple[int, ...] = (1, 4, 16)
    list_clients: tuple[int, ...] = (1, 4, 16)
    delete_clients: tuple[int, ...] = (16, 64)
    list_keys: int = 100_000
    seeded_bytes: int = 256 * MIB
    space_bytes: int = 64 * MIB
    bulk_client: str = "sockets"
    touched_bytes: int = 14 << 30
    """Of memory used once before the first window, see machine.touch_memory: more than a round writes."""

    def window_s_for(self, size_bytes: int) -> float:
        """Twice as long for large bodies: what is under way at the end is not counted, and they are long under way."""
        return self.window_s * (2 if size_bytes >= LARGE_SIZE_BYTES else 1)

    def clients_for(self, size_bytes: int) -> tuple[int, ...]:
        return self.large_clients if size_bytes >= LARGE_SIZE_BYTES else self.clients


Say = Callable[[str], None]


class Bench:
    """One server, one baseline server, and the ways to use them. Failures of windows end up in their rows; RunError
    is for setting up."""

    def __init__(self, settings: Settings, target: Target, bare: BareServer, raw_folder: Path, say: Say) -> None:
        self.settings = settings
        self.target = target
        self.raw_folder = raw_folder
        self.say = say
        self.presigner = Presigner(target.credentials, f"{target.host}:{target.port}")
        self._bare = bare
        self._mark = secrets.token_hex(4)
        self._buckets: list[str] = []

    def create_bucket(self, purpose: str) -> str:
        """A new bucket whose name no earlier run used."""
        name = f"kakera-bench-{self._mark}-{purpose}"
        self.fill([Request("PUT", self.presigner.target("PUT", f"/{name}"))], f"bucket for {purpose}")
        self._buckets.append(name)
        return name

    def fill(self, requests: Sequence[Request], what: str) -> Outcome:
        """Send each of these once; raises RunError if one was not answered with 2xx in the end."""
        outcome = loader.run(self.target.host, self.target.port, requests, clients=min(FILL_CLIENTS, len(requests)))
        if outcome.failed:
            examples = "; ".join(outcome.examples)
            raise RunError(f"{what}: {outcome.failed} of {len(requests)} requests failed: {examples}")
        return outcome

    def puts(self, paths: Sequence[str], body: bytes) -> list[Request]:
        return [Request("PUT", target, body) for target in self.presigner.targets("PUT", paths)]

    def job(self, method: str, targets: Sequence[str], clients: int, size_bytes: int = 0) -> Job:
        """A window against the server, for bodies of this size."""
        window_s = self.settings.window_s_for(size_bytes)
        return Job(method, self.target.host, self.target.port, targets, clients, window_s)

    def pair(
        self,
        row: Row,
        job: Job,
        *,
        bare_targets: Sequence[str] | None = None,
        warm_up_targets: Sequence[str] | None = None,
    ) -> None:
        """One round: baseline and server next to each other; which of them comes first changes from round to round."""
        its_job = self._on_bare(job, bare_targets)
        turns = [
            (its_job, its_job.targets if bare_targets else warm_up_targets, None, row.bare),
            (job, warm_up_targets, self.target.pid, row.server),
        ]
        for turn, warm_up, pid, windows in turns if len(row.server) % 2 == 0 else reversed(turns):
            if self.settings.warm_up_s:
                targets = warm_up if warm_up is not None else turn.targets
                self._measure(dataclasses.replace(turn, targets=targets, window_s=self.settings.warm_up_s))
            windows.append(self._window(turn, pid, row.units_per_request))

    def on_bare(self, row: Row, job: Job, bare_targets: Sequence[str]) -> None:
        """A window of the baseline alone, for operations that have a client of their own."""
        row.bare.append(self._window(self._on_bare(job, bare_targets), None, row.units_per_request))

    def wrong_bodies(self, paths: Sequence[str], body: bytes) -> list[str]:
        """Reads some of these objects back; what is wrong, in words."""

        def check(_request: Request, answer: Answer) -> str | None:
            if answer.status != 200:
                return f"status {answer.status} on reading back: {answer.body[:200]!r}"
            return (
                None if answer.body == body else f"wrong body: {len(answer.body)} bytes read back, {len(body)} written"
            )

        return self._spot_check("GET", paths, check)

    def still_there(self, paths: Sequence[str]) -> list[str]:
        """Asks for some of these deleted objects; what is wrong, in words."""

        def check(_request: Request, answer: Answer) -> str | None:
            return None if answer.status == 404 else f"status {answer.status} after the DELETE was acknowledged"

        return self._spot_check("HEAD", paths, check)

    def add(self, table: Table, row: Row) -> None:
        table.rows.append(row)
        per_s = row.per_s
        result = f"{per_s:,.0f} {row.unit}/s" if per_s else "–"
        self.say(f"{row.key}: " + ("FAILED " + "; ".join(row.failures) if row.failures else result))

    def clean_up(self) -> None:
        """Delete what the run put into a server that is not its own. Raises RunError when something stays."""
        for bucket in self._buckets:
            with Connection(self.target.host, self.target.port) as connection:
                keys = Lister(connection, self.presigner, bucket).all_keys()
            targets = self.presigner.targets("DELETE", [f"/{bucket}/{key}" for key in keys])
            if targets:
                self.fill([Request("DELETE", target) for target in targets], f"cleaning {bucket}")
            self.fill([Request("DELETE", self.presigner.target("DELETE", f"/{bucket}"))], f"cleaning {bucket}")
        self._buckets.clear()

    def _on_bare(self, job: Job, targets: Sequence[str] | None) -> Job:
        """The same requests for the bare app: it reads the size of an answer out of the path, whatever the bucket."""
        return dataclasses.replace(job, host=self._bare.host, port=self._bare.port, targets=targets or job.targets)

    def _window(self, job: Job, pid: int | None, units_per_request: float) -> Window:
        watch = Watch(pid)
        with watch:
            seen = self._measure(job)
        if seen.errors and not job.once:
            seen = dataclasses.replace(seen, errors={**seen.errors, **_explained(job)})
        return Window(seen, watch.usage, units_per_request)

    def _measure(self, job: Job) -> ClientResult:
        """A client that fails makes a failed window; the other tables of the run are still worth having."""
        try:
            return measure(job, self.settings.bulk_client)
        except ClientError as error:
            return ClientResult.failed(str(error), job.window_s)

    def _spot_check(self, method: str, paths: Sequence[str], check: loader.Check) -> list[str]:
        step = max(1, len(paths) // SPOT_CHECKS)
        targets = self.presigner.targets(method, list(paths[::step][:SPOT_CHECKS]))
        requests = [Request(method, target) for target in targets]
        return loader.run(self.target.host, self.target.port, requests, clients=1, check=check, retries=1).examples


def surely_answered(row: Row, paths: Sequence[str]) -> list[str]:
    """Those of `paths`, used in order, that were certainly answered in the row's last window; none if it failed."""
    last = row.server[-1]
    if not last.clean:
        return []
    return list(paths[: max(1, int(last.seen.requests * SURELY_ANSWERED) - row.clients)])


def spread_names(count: int, salt: str) -> list[str]:
    """`count` different key endings in an order that jumps over the whole range, the same in every run."""
    return [f"{(number * 2654435761) % (1 << 32):08x}-{salt}-{number:06d}" for number in range(count)]


def _explained(job: Job) -> dict[str, int]:
    """One of the failed requests once more, so that the report can say what the server says."""
    outcome = loader.run(job.host, job.port, [Request(job.method, job.targets[0], job.body)], clients=1, retries=0)
    return {f"(once more: {example})": 1 for example in outcome.examples}
