"""One server for the whole run; a bucket for each test; 5,000 keys once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

from infra.local.credentials import Credentials
from tests.clients import content, wire
from tests.clients.program import Program
from tests.clients.server import Server

Connect = Callable[[Credentials], Any]
_numbers = itertools.count()
HEAL_LIMIT_S = 45.0  # census, heal and the rejoining of a drive take a few rounds of the background


@dataclass(frozen=True)
class Many:
    """A bucket that every client lists and none changes."""

    bucket: str
    bodies: dict[str, bytes]

    @property
    def keys(self) -> list[str]:
        """In the order of a listing: by their bytes."""
        return sorted(self.bodies, key=str.encode)


def healed(server: Server) -> dict[str, Any]:
    """What the doctor says; a drive that was late on a busy machine is given the time to be healed."""
    deadline_s = time.monotonic() + HEAL_LIMIT_S
    while (report := server.doctor())["exposed"] and time.monotonic() < deadline_s:
        time.sleep(1.0)
    return report


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server
        report = healed(server)
    finally:
        code = server.stop()
    assert code == 0, f"the server ended with {code}"
    assert not report["exposed"], {name: report[name] for name in ("exposures", "heal_queue", "drives")}
    assert not server.complaints()


@pytest.fixture(autouse=True)
def no_complaints(server: Server) -> Iterator[None]:
    """A client that tries again hides what the server's log shows."""
    yield
    found = server.complaints()
    assert not found, found


@pytest.fixture(scope="session")
def connect(server: Server) -> Connect:
    """A boto3 client of an account: path style, one attempt, nothing from this machine's files."""
    nothing = dict.fromkeys(("profile", "config_file", "credentials_file"), (None, None, None, None))

    def made(account: Credentials, **config: Any) -> Any:
        session = botocore.session.Session(session_vars=nothing)
        return boto3.Session(botocore_session=session).client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                proxies={},
                retries={"total_max_attempts": 1},
                max_pool_connections=20,
                **config,
            ),
        )

    return made


@pytest.fixture(scope="session")
def s3(server: Server, connect: Connect) -> Any:
    return connect(server.main)


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    """A new bucket, named after the client whose test this is."""
    client = request.module.__name__.rpartition("test_")[2]
    name = f"{client}-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def many(s3: Any) -> Many:
    bodies = content.many()
    s3.create_bucket(Bucket="many")

    def url(key: str) -> str:
        found: str = s3.generate_presigned_url("put_object", Params={"Bucket": "many", "Key": key})
        return found

    wire.put_all((url(key), body) for key, body in bodies.items())
    return Many("many", bodies)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Program]:
    """Make a client program with a home of its own."""

    def made(*command: str, **environment: str) -> Program:
        return Program(command, tmp_path_factory.mktemp(command[0]), environment)

    return made


@pytest.fixture
def big_file(tmp_path: Path) -> tuple[Path, str]:
    """A file for a multipart upload, and its digest."""
    path = tmp_path / "big"
    return path, content.make_file(path, content.OTHERS_BIG_BYTES, "big")
