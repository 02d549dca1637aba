"""State outside of the project folder: in a store of our own, which speaks S3, and in PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.clients.server import Server
from tests.engine.small import ONE
from tests.engine.world import World
from tests.needs import require
from tests.rehearse.walk import Counts

BUCKET = "state"
LIMIT_S = 60  # of one program of PostgreSQL


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket of our own server, which the engine is told the key of by the usual variables."""
    folder = tmp_path / "store"
    folder.mkdir()
    server = Server(folder)
    server.start()
    try:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.main.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.main.secret_access_key)
        monkeypatch.setenv("AWS_REGION", server.region)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        _client(server).create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}?endpoint={server.host}&region={server.region}&s3ForcePathStyle=true&disableSSL=true"
        assert not server.complaints()
    finally:
        server.stop()


@pytest.mark.slow
def test_state_in_a_store_of_our_own(world: Callable[[str], World], store: str) -> None:
    found = world(ONE)
    found.init(options=("--backend", store))
    made = Counts.read(found.kakera("up", found.environment))
    assert made.created
    assert Counts.read(found.kakera("up", found.environment)).changed == 0
    assert not (found.project.environments / "state").exists()
    (stack,) = found.names().values()
    found.pulumi("up", "--stack", stack.name, "--yes", "--skip-preview", "--expect-no-changes")
    assert found.kakera("render", found.environment)
    found.kakera("destroy", found.environment, "--yes")
    assert not found.things()


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a cluster of its own, on a socket in its own folder. PostgreSQL does not run as root."""
    require("initdb", "pg_ctl", *(("runuser",) if os.geteuid() == 0 else ()))
    with tempfile.TemporaryDirectory(prefix="kakera-pg-") as name:  # short: a socket's path has 107 bytes
        folder = Path(name)
        who: tuple[str, ...] = ()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            who = ("runuser", "-u", "postgres", "--")

        def run(*words: str) -> None:
            # Its log is a file: a server that holds our pipe would never let us see its end.
            with (folder / "told").open("ab") as told:
                subprocess.run((*who, *words), check=True, stdout=told, stderr=told, timeout=LIMIT_S, cwd=folder)

        data = str(folder / "data")
        run("initdb", "--auth=trust", "--username=kakera", "--no-sync", "--encoding=UTF8", "--no-locale", data)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "--wait", "-D", data, "-l", str(folder / "data" / "log"), "-o", options, "start")
        try:
            yield f"postgres://kakera@/postgres?host={folder}&sslmode=disable"
        finally:
            run("pg_ctl", "--mode=immediate", "-D", data, "stop")


@pytest.mark.slow
def test_state_in_postgresql(world: Callable[[str], World], database: str) -> None:
    found = world(ONE)
    found.init(options=("--backend", database))
    assert Counts.read(found.kakera("up", found.environment)).created
    assert Counts.read(found.kakera("up", found.environment)).changed == 0
    found.kakera("destroy", found.environment, "--yes")
    assert not found.things()


def _client(server: Server) -> Any:
    return boto3.client(
        "s3", endpoint_url=f"http://{server.host}", region_name=server.region,
        aws_access_key_id=server.main.access_key_id, aws_secret_access_key=server.main.secret_access_key,
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
