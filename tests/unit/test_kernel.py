"""What is asked of the kernel, by asking it."""

from __future__ import annotations

import socket
import time

from kakera.base.kernel import unsent_bytes


def test_what_the_other_side_has_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sender = socket.create_connection(listening.getsockname())
        taker, _ = listening.accept()
    with sender, taker:
        assert unsent_bytes(sender.fileno()) == 0
        sender.setblocking(False)
        sent = sum(sender.send(bytes(1 << 20)) for _ in range(2))
        while True:
            try:
                sent += sender.send(bytes(1 << 20))
            except BlockingIOError:
                break
        assert 0 < unsent_bytes(sender.fileno()) <= sent
        taker.settimeout(10)
        while sent:
            sent -= len(taker.recv(1 << 20))
        deadline = time.monotonic() + 5
        while unsent_bytes(sender.fileno()):
            assert time.monotonic() < deadline
    assert unsent_bytes(sender.fileno()) == 0, "a connection that is gone"
