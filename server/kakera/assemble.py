"""The composition root: from a Config to the parts of each process. Nothing else knows how the rooms are put together.

Imports of what only one process needs are inside its function: the committer loads no HTTP, the background process no
Falcon.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kakera.base import clock, errors, kernel, limits
from kakera.base.ids import new_id
from kakera.config import Config
from kakera.observe.log import get_logger

if TYPE_CHECKING:
    from kakera.core.copying import Running
    from kakera.core.store import Store
    from kakera.dialects.http import Request, Response
    from kakera.edge.server import EdgeServer
    from kakera.index.interface import Rows
    from kakera.index.sqlite import SqliteIndex
    from kakera.journal.client import JournalClient, State
    from kakera.journal.commands import StatusReply
    from kakera.journal.committer import Committer
    from kakera.segments.bulk import BulkWriter
    from kakera.segments.identity import Drives
    from kakera.segments.pins import Pins
    from kakera.segments.reader import Reader

log = get_logger("assemble")


class Paths(NamedTuple):
    """Where the state of one server lies; all of it can be made again from the drives."""

    state: Path
    database: Path
    run: Path
    socket: Path
    lock: Path
    metrics: Path
    drain_mark: Path
    jobs: Path

    @classmethod
    def of(cls, config: Config) -> Paths:
        state = Path(config.server.state_dir)
        run = state / "run"
        return cls(
            state,
            state / "index.sqlite3",
            run,
            run / "journal.sock",
            run / "committer.lock",
            run / "metrics",
            run / "draining",
            state / "jobs",
        )

    def make_private(self) -> None:
        """The folders that hold the sockets, the lock, the pins and the index: for their owner alone."""
        kernel.private_folder(self.state)
        kernel.private_folder(self.run)


def stand_by(reason: str) -> int:
    """Nothing is opened, formatted or written, until SIGTERM. Returns the exit code."""
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    log.error("standing by", reason=reason)
    signal.sigwait(signals)
    return 0


# --- committer --------------------------------------------------------------------------------------------------------


def committer_services(config: Config) -> Committer:
    """The committer over its drives and its index. An index that cannot be used is made anew: it is a view (R4).

    Raises: NotReady when neither the state folder nor a drive says which cluster this is."""
    from kakera.index import sqlite
    from kakera.index.file import discard
    from kakera.index.interface import Unusable
    from kakera.journal.chain import Settings
    from kakera.journal.committer import Committer
    from kakera.journal.members import Members
    from kakera.segments.identity import open_drives
    from kakera.segments.reserve import Reserve
    from kakera.segments.suspects import Suspects

    paths = Paths.of(config)
    paths.make_private()
    Reserve(paths.state).ease()  # a successor makes a socket and a WAL before it can free anything
    drives = open_drives(config)
    try:
        index = sqlite.SqliteIndex(str(paths.database))
    except Unusable as error:
        log.warning("index made anew", reason=str(error))
        discard(str(paths.database))
        index = sqlite.SqliteIndex(str(paths.database))
    settings = Settings(
        cluster=drives.cluster,
        k=config.profile.k,
        m=config.profile.m,
        segment_bytes=config.journal.segment_bytes,
        laggard_limit_s=config.journal.laggard_limit_ms / 1000,
        reserve_bytes=config.space.reserve_bytes,
        resend_limit_s=config.journal.resend_limit_s,
        state=Reserve(paths.state),
    )
    return Committer(Members(drives, Suspects.of(config).add), index, settings)


def run_committer(config: Config) -> int:
    """The committer process: until SIGTERM. Returns its exit code."""
    from kakera.journal.service import serve

    if config.out_of_reach:
        return stand_by(config.out_of_reach)
    paths = Paths.of(config)
    return serve(lambda: committer_services(config), paths.socket, paths.lock)


# --- http -------------------------------------------------------------------------------------------------------------


class _NoIndexYet:
    """Rows before the committer has made the index: everything is "not yet", nothing is "not there"."""

    def get(self, table: Any, key: Any) -> Any:
        raise errors.NotReady("the index is not there yet")

    def scan(self, table: Any, low: Any, high: Any, *, limit: int, reverse: bool = False) -> Any:
        raise errors.NotReady("the index is not there yet")

    def mark(self) -> Any:
        raise errors.NotReady("the index is not there yet")


class IndexView:
    """The index file as readers see it: it may not be there yet, and it may be made anew under them."""

    def __init__(self, path: Path, state: State) -> None:
        self._path = path
        self._state = state
        self._changed_at_s: float | None = None  # another file was met: read it after a later "ready" (R15)
        self._index: SqliteIndex | None = None
        self._retired: list[tuple[float, SqliteIndex]] = []

    def fresh(self) -> Rows:
        """The index as it is now. Requests under way may hold an older one for as long as they run: it is closed
        later."""
        from kakera.index.sqlite import SqliteIndex

        now_s = clock.monotonic_s()
        while self._retired and self._retired[0][0] < now_s:
            self._retired.pop(0)[1].close()
        if self._index is not None and not self._index.replaced():
            return self._index
        if self._index is not None:
            self._retired.append((now_s + limits.DRAIN_LIMIT_S, self._index))
            self._index = None
            self._changed_at_s = now_s
        if self._changed_at_s is not None and self._state.ready_asked_at_s <= self._changed_at_s:
            return _NoIndexYet()  # a rebuild shows what was deleted and hides what was put until it is done
        self._changed_at_s = None
        try:
            self._index = SqliteIndex(str(self._path), read_only=True)
        except (errors.KakeraError, OSError):
            return _NoIndexYet()
        return self._index


class HttpServices:
    """What one HTTP worker works with: edge.app.EdgeServices, and the Services of the dialects."""

    def __init__(self, config: Config) -> None:
        from kakera.config import load_accounts
        from kakera.core import buckets, listing, multipart, objects
        from kakera.core.store import check_readable
        from kakera.dialects import dispatch
        from kakera.dialects.s3.core_api import Core
        from kakera.edge.health import Readiness
        from kakera.journal.client import JournalClient
        from kakera.observe.ledger import Ledger
        from kakera.observe.metrics import RequestMetrics

        self._config = config
        self._paths = Paths.of(config)
        self._dispatch = dispatch.handle
        accounts = load_accounts(config)
        self.keys: Mapping[str, Any] = {account.access_key_id: account for account in accounts}
        self.names: Mapping[str, str] = {account.account_id: account.display_name for account in accounts}
        self.region = config.server.region
        self.base_domains = config.server.base_domains
        self.refuses_changes = refuses_changes(config)
        self.now = clock.wall_s
        self.core = Core(buckets, objects, multipart, listing, check_readable)
        self.ledger = Ledger(RequestMetrics())
        self.journal = JournalClient(self._paths.socket, resend_limit_s=config.journal.resend_limit_s)
        self.readiness = Readiness(self._ask_status, drain_mark=self._paths.drain_mark)
        self._index = IndexView(self._paths.database, self.journal.state)
        self._watcher: asyncio.Task[None] | None = None
        self._settled = False
        self._bulk_seen = (0, clock.monotonic_s())  # bytes accepted, and since when no more
        self.store: Store = make_store(config, self.journal, _NoIndexYet())

    async def open(self) -> None:
        """In the worker's loop. Waits for nobody: a worker whose committer or drives are away answers 503 with the
        reason."""
        self.ledger.start()
        await self.journal.open()
        self._use_fresh_index()
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        await self.journal.close()
        self.store.bulk.close()
        self.store.reader.close()
        self.ledger.close()

    async def handle(self, request: Request) -> Response:
        if not self._settled:
            # This worker has just begun: its first requests wait for the committer's first word rather than be refused.
            await self._settle()
        return await self._dispatch(request, self)

    async def _ask_status(self) -> StatusReply:
        status: StatusReply = await ask_status(self.journal)
        self.journal.state.heard(status)  # who is told "ready" here must not be refused here
        return status

    async def _settle(self) -> None:
        """Wait, within a bound, until the committer was heard and, if it is past its recovery, the index is open. Then
        never again."""
        state = self.journal.state
        began_s = clock.monotonic_s()
        while clock.monotonic_s() - began_s < limits.READY_WAIT_S:
            self._use_fresh_index()
            if state.status is not None and not state.readable:
                return  # it said why: 503 at once
            if state.status is not None and not isinstance(self.store.index, _NoIndexYet):
                self._settled = True
                return
            await asyncio.sleep(limits.RECONNECT_S)

    async def metrics_text(self) -> bytes:
        from kakera.edge.health import gauges
        from kakera.observe.metrics import exposition

        await self.readiness.ask()
        return await asyncio.to_thread(exposition, gauges(self.readiness.last))

    async def _watch(self) -> None:
        """What a worker looks after beside its requests. A failing drive or state folder does not end it."""
        while True:
            await asyncio.sleep(limits.INDEX_WATCH_S)
            try:
                await self._look_after()
            except (errors.KakeraError, OSError) as error:
                log.warning("worker could not look after its drives", error=str(error))

    async def _look_after(self) -> None:
        """An index that appeared or was made anew, an idle bulk segment, strands that are gone, free memory."""
        self._use_fresh_index()
        if not self.journal.state.readable:
            # the end of a recovery or the return of a drive is noticed at once, not at the next routine question
            await self.readiness.ask()
        bulk = self.store.bulk
        accepted, since_s = self._bulk_seen
        if bulk.accepted_bytes != accepted:
            self._bulk_seen = (bulk.accepted_bytes, clock.monotonic_s())
        elif clock.monotonic_s() - since_s > limits.BULK_IDLE_S:
            bulk.seal()
        self.store.reader.sweep()
        await asyncio.to_thread(kernel.give_back_free_memory)

    def _use_fresh_index(self) -> None:
        index = self._index.fresh()
        if index is not self.store.index and not (
            isinstance(index, _NoIndexYet) and isinstance(self.store.index, _NoIndexYet)
        ):
            self.store = replace(self.store, index=index)


class Segments(NamedTuple):
    """One process's access to the drives."""

    drives: Drives
    pins: Pins
    reader: Reader
    bulk: BulkWriter


def make_segments(config: Config, journal: JournalClient) -> Segments:
    """Reader and bulk writer over the drives; damage goes to the heal queue, segment ids come from the committer."""
    from kakera.journal.commands import OpenBulk
    from kakera.segments.bulk import BulkWriter
    from kakera.segments.identity import open_drives
    from kakera.segments.map import SegmentMap
    from kakera.segments.pins import Pins
    from kakera.segments.reader import Reader
    from kakera.workers.queue import HealQueue

    paths = Paths.of(config)
    drives = open_drives(config)
    pins = Pins(paths.run)
    queue = HealQueue(paths.jobs)

    async def grant() -> int:
        return (await journal.submit(OpenBulk(id=new_id()))).value

    reader = Reader(SegmentMap(drives), on_damage=queue.report)
    bulk = BulkWriter(drives, grant, pins=pins, config=config, on_damage=queue.report)
    return Segments(drives, pins, reader, bulk)


def make_store(config: Config, journal: JournalClient, index: Rows) -> Store:
    """The core's Store of this process."""
    from kakera.core.store import Profile, Store
    from kakera.segments.codec import codec

    parts = make_segments(config, journal)
    profile = config.profile
    return Store(
        index=index,
        journal=journal,
        reader=parts.reader,
        bulk=parts.bulk,
        pins=parts.pins,
        codec=codec(profile.k, profile.m),
        profile=Profile(profile.k, profile.m, profile.chunk_bytes),
        region=config.server.region,
        digest=running_digest,
    )


def running_digest(algorithm: str) -> Running:
    """A new running digest of a copy's checksum algorithm."""
    from kakera.dialects.s3.checksums import ALGORITHMS

    return ALGORITHMS[algorithm].start()


async def ask_status(journal: JournalClient) -> Any:
    """The committer's StatusReply. Raises Unavailable, or waits: give it a limit."""
    from kakera.journal.commands import Status, StatusReply

    reply = await journal.submit(Status(id=new_id()))
    return msgspec.msgpack.decode(reply.body, type=StatusReply)


def http_services(config: Config) -> EdgeServer:
    """Gunicorn's arbiter, whose workers make their own HttpServices after the fork."""
    from kakera.edge.app import create_app
    from kakera.edge.server import EdgeServer
    from kakera.edge.standby import StandbyServices
    from kakera.edge.tls import server_context

    tls, reason = config.tls, config.out_of_reach
    return EdgeServer(
        lambda: create_app(StandbyServices(reason) if reason else HttpServices(config)),
        listen=config.server.listen,
        workers=config.server.workers,
        level=config.log.level,
        preload=_preload,
        health_listen=config.server.health_listen,
        http=config.http,
        make_tls=(lambda: server_context(tls)) if tls is not None else None,
    )


def refuses_changes(config: Config) -> str:
    """What the clients of a read-only server are told, "" of one that takes writes."""
    if not config.server.read_only:
        return ""
    primary = f" Send them to {config.server.primary}." if config.server.primary else ""
    return f"This store is a read-only copy: it takes no changes.{primary}"


def _preload() -> None:
    """What every worker imports, imported once before the fork: shared pages instead of copies. Nothing here starts a
    thread."""
    import kakera.core
    import kakera.dialects.dispatch
    import kakera.edge.worker
    import kakera.index.sqlite
    import kakera.journal.client
    import kakera.segments.bulk
    import kakera.segments.reader  # noqa: F401


def run_http(config: Config) -> int:
    """The HTTP process: Gunicorn's arbiter, until SIGTERM. Returns its exit code."""
    from kakera.observe import metrics

    paths = Paths.of(config)
    paths.make_private()
    metrics.prepare(paths.metrics)
    try:
        http_services(config).run()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


# --- background -------------------------------------------------------------------------------------------------------


def run_background(config: Config) -> int:
    """The background process: until SIGTERM. Returns its exit code."""
    from kakera.workers.service import all_loops, serve

    if config.out_of_reach:
        return stand_by(config.out_of_reach)

    async def run() -> int:
        services = BackgroundServices(config)
        await services.open()
        try:
            return await serve(all_loops(services.work), services.progress)
        finally:
            await services.close()

    return asyncio.run(run())


class BackgroundServices:
    """What the loops work with, in the background process or in a command."""

    def __init__(self, config: Config) -> None:
        from kakera.journal.client import JournalClient
        from kakera.segments.compact import Quiet
        from kakera.segments.walk import Throttle
        from kakera.workers.context import Work
        from kakera.workers.queue import HealQueue

        paths = Paths.of(config)
        self.progress = paths.jobs / "progress.json"
        self.journal = JournalClient(paths.socket, resend_limit_s=config.journal.resend_limit_s)
        self._index = IndexView(paths.database, self.journal.state)
        # Compaction writes before it frees: it may use the half of the reserve that clients' bodies leave alone (R7).
        room = msgspec.structs.replace(config.space, reserve_bytes=config.space.reserve_bytes // 2)
        parts = make_segments(msgspec.structs.replace(config, space=room), self.journal)
        self.work = Work(
            config=config,
            drives=parts.drives,
            pins=parts.pins,
            quiet=Quiet(parts.pins, 2.0 * config.journal.resend_limit_s),
            reader=parts.reader,
            bulk=parts.bulk,
            journal=self.journal,
            queue=HealQueue(paths.jobs),
            throttle=Throttle(config.background.rate_bytes_per_s),
            jobs=paths.jobs,
            rows=self._index.fresh,
        )

    async def open(self) -> None:
        await self.journal.open()

    async def close(self) -> None:
        self.work.bulk.close()
        self.work.reader.close()
        await self.journal.close()
