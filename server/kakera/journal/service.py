"""The committer as a process: one thread, one epoll, a Unix socket. Everything that arrived while the last batch was
being synced is the next batch (group commit)."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from kakera.base import clock, errors, faults, kernel, limits
from kakera.index.interface import TransactionFailed, Unusable, distrusted
from kakera.journal import wire
from kakera.journal.commands import Command, Put, PutPart, Reply, Rewrite
from kakera.journal.committer import Committer, IndexFailed
from kakera.observe.log import get_logger

log = get_logger("journal")


class _Peer:
    """One worker's connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.unpacker = wire.commands_unpacker()
        self.out = bytearray()
        self.open = True


class Service:
    """Accepts workers, forms batches, sends replies."""

    def __init__(self, committer: Committer, path: Path) -> None:
        self._committer = committer
        self._path = path
        self._selector = selectors.DefaultSelector()
        self._pending: deque[tuple[_Peer, int, Command]] = deque()
        self._pending_bytes = 0
        self._looked_at_s = 0.0
        self._trimmed_at_s = 0.0
        self._stopping = False
        self._listener = _listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ, None)

    def stop(self) -> None:
        """Finish the batch under way, then return from `run`."""
        self._stopping = True

    def run(self) -> None:
        """Until `stop`. Raises IndexFailed, Unusable, TransactionFailed when the process must end."""
        while not self._stopping:
            self._collect(0.0 if self._pending else limits.COMMITTER_IDLE_S)
            if self._pending:
                self._turn()
            self._committer.tick()
            self._look_at_index()
            if not self._pending:
                self._give_back_memory()
        self._path.unlink(missing_ok=True)

    def _look_at_index(self) -> None:
        """A reader may have met damage that no command here would meet; and a recovery that did must not go on."""
        now_s = clock.monotonic_s()
        if now_s - self._looked_at_s >= limits.DRIVE_PROBE_S:
            self._looked_at_s = now_s
            if reason := distrusted(self._committer.index):
                raise Unusable(reason)

    def _give_back_memory(self) -> None:
        """What bodies took that have passed; while nobody waits, because it takes some milliseconds."""
        now_s = clock.monotonic_s()
        if now_s - self._trimmed_at_s >= limits.TRIM_PAUSE_S:
            self._trimmed_at_s = now_s
            kernel.give_back_free_memory()

    # --- in -----------------------------------------------------------------------------------------------------------

    def _collect(self, timeout_s: float) -> None:
        for key, events in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
                continue
            peer: _Peer = key.data
            if events & selectors.EVENT_WRITE:
                self._flush(peer)
            if events & selectors.EVENT_READ and not self._has_enough():
                self._receive(peer)

    def _has_enough(self) -> bool:
        """What comes above it waits in the sockets, and then with the workers."""
        return len(self._pending) >= limits.MAX_PENDING_COMMANDS or self._pending_bytes >= limits.MAX_PENDING_BYTES

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.settimeout(0.0)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, limits.JOURNAL_SOCKET_BYTES)
        peer = _Peer(connection)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _receive(self, peer: _Peer) -> None:
        try:
            data = peer.connection.recv(limits.JOURNAL_SOCKET_BYTES)
            if not data:
                self._close(peer)
                return
            for number, command in peer.unpacker.feed(data):
                self._pending.append((peer, number, command))
                self._pending_bytes += wire.held_bytes(command)
        except BlockingIOError:
            return
        except (OSError, msgspec.DecodeError, wire.FrameTooLarge) as error:
            log.warning("journal.peer_dropped", reason=str(error))
            self._close(peer)

    def _close(self, peer: _Peer) -> None:
        if peer.open:
            peer.open = False
            self._selector.unregister(peer.connection)
            peer.connection.close()

    # --- a turn -------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        turn: list[tuple[_Peer, int, Command]] = []
        size = 0
        while self._pending and len(turn) < limits.MAX_BATCH_COMMANDS and size < limits.MAX_BATCH_BYTES:
            item = self._pending.popleft()
            turn.append(item)
            size += weight(item[2])
            self._pending_bytes -= wire.held_bytes(item[2])

        def deliver(replies: list[Reply]) -> None:
            out: dict[_Peer, list[tuple[int, Reply]]] = {}
            for (peer, number, _), reply in zip(turn, replies, strict=True):
                out.setdefault(peer, []).append((number, reply))
            for peer, items in out.items():
                if peer.open:
                    peer.out += wire.pack(items)
                    self._flush(peer)

        self._committer.process([command for _, _, command in turn], deliver)

    def _flush(self, peer: _Peer) -> None:
        try:
            while peer.out:
                sent = peer.connection.send(peer.out)
                del peer.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._close(peer)
            return
        if len(peer.out) > limits.MAX_FRAME_BYTES:
            log.warning("journal.peer_dropped", reason="does not read its replies")
            self._close(peer)
        elif peer.open:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.out else 0)
            if self._selector.get_key(peer.connection).events != wanted:
                self._selector.modify(peer.connection, wanted, peer)


def weight(command: Command) -> int:
    """Bytes a command will put on one strand, about."""
    if isinstance(command, Put | PutPart | Rewrite):
        fragments = command.body.fragments
        return len(command.meta) + (len(fragments[0]) if fragments else 0)
    return 256


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    os.chmod(path, 0o600)
    listener.listen(limits.MAX_WORKERS)
    listener.settimeout(0.0)
    return listener


def lock(path: Path) -> int:
    """The one committer of the partition (R15). Raises Busy when another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise errors.Busy(f"another committer holds {path}") from error
    return fd


def serve(build: Callable[[], Committer], socket_path: Path, lock_path: Path) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 clean, 3 the index failed, 4 locked by another.

    `build` is called under the lock: it may discard an index, which no other committer can then be at work on (R15)."""
    faults.from_environment()
    try:
        fd = lock(lock_path)
    except errors.Busy as error:
        log.error("journal.locked", reason=error.message)
        return 4
    try:
        committer = build()
        service = Service(committer, socket_path)
    except (errors.Unavailable, OSError) as error:
        log.error("journal.not_opened", reason=str(error))
        os.close(fd)
        return 3
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    try:
        committer.start()
        service.run()
    except (IndexFailed, Unusable, TransactionFailed) as error:
        log.error("index.failed", reason=str(error))
        sys.stderr.flush()
        os._exit(3)
    committer.close()
    os.close(fd)
    return 0
