"""One server with the real limits for the whole suite; one with short times for the tests of deadlines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wire.wire import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("hasty"),
        HEADER_TIMEOUT_S=1.0,
        KEEP_ALIVE_S=1.0,
        BODY_STALL_S=1.0,
        WRITE_STALL_S=1.0,
        SWEEP_S=0.1,
        LINGER_S=0.5,
        MAX_REQUESTS_AT_ONCE=4,
        MAX_CONNECTIONS=40,
    )
    yield running
    running.stop()
