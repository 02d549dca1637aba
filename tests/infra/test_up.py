"""`up` and `down` of the laptop blueprint against a stand-in server: started once, stopped whole."""

from __future__ import annotations

import io
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from infra.blueprint.expand import expand, override
from infra.blueprint.load import load
from infra.local import process
from infra.local import up as local
from infra.local.credentials import CredentialsError
from infra.local.hello import HelloError
from infra.local.places import Places
from infra.local.report import Reporter

ROOT = Path(__file__).parents[2]
FAKE = (sys.executable, str(Path(__file__).parent / "fake_kakera.py"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Bench:
    places: Places
    port: int
    screen: io.StringIO

    def reporter(self) -> Reporter:
        return Reporter(Console(file=self.screen, width=200, soft_wrap=True))

    def up(self, *, port: int | None = None, workers: int = 2) -> local.Running:
        plan = expand(override(load(ROOT / "blueprints/laptop.yaml"), port=port or self.port, workers=workers))
        running = local.up(plan, self.places, kakera=FAKE, reporter=self.reporter())
        self.reporter().running(running, self.places)
        return running

    def down(self) -> bool:
        return local.down(self.places, reporter=self.reporter())

    def temper(self, mood: str) -> None:
        (self.places.data / "state").mkdir(parents=True, exist_ok=True)
        (self.places.data / "state" / "temper").write_text(mood)

    def starts(self) -> int:
        return len((self.places.data / "state" / "starts").read_text().splitlines())

    def pid(self) -> int:
        return int(self.places.pid.read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(Places(build=tmp_path / "build", data=tmp_path / "data"), free_port(), io.StringIO())
    yield made
    process.stop(made.places, within_s=0.1, on_force=lambda: None)


def test_up_writes_reads_and_tells(bench: Bench) -> None:
    running = bench.up()
    assert running.status == "ready"
    assert running.greeting.written
    assert running.greeting.size_bytes > 128 * 1024
    shown = bench.screen.getvalue()
    secret = running.accounts["main"].secret_access_key
    for wanted in (running.endpoint, "aws s3 ls", "signature_version='s3v4'", "rclone lsl", secret):
        assert wanted in shown
    lines = dict(line.split("=", 1) for line in bench.places.credentials_env.read_text().splitlines())
    assert stat.S_IMODE(bench.places.credentials_env.stat().st_mode) == 0o600
    assert lines["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{bench.port}"
    assert lines["AWS_REGION"] == "us-east-1"
    assert lines["AWS_ACCESS_KEY_ID"] == running.accounts["main"].account_id
    assert lines["ALT_ACCESS_KEY_ID"] == running.accounts["alt"].access_key_id
    assert lines["ALT_SECRET_ACCESS_KEY"] != lines["AWS_SECRET_ACCESS_KEY"]
    for account in ("main", "alt"):
        assert stat.S_IMODE((bench.places.data / "secrets" / f"{account}.json").stat().st_mode) == 0o600


def test_up_again_is_harmless_and_verifies(bench: Bench) -> None:
    first = bench.up()
    pid = bench.pid()
    second = bench.up()
    assert (bench.pid(), bench.starts()) == (pid, 1)
    assert second.accounts == first.accounts
    assert second.greeting.written
    assert "already running" in bench.screen.getvalue()


def test_changed_settings_restart(bench: Bench) -> None:
    bench.up()
    pid = bench.pid()
    other = free_port()
    assert bench.up(port=other, workers=3).endpoint.endswith(str(other))
    assert bench.pid() != pid
    assert bench.starts() == 2
    assert process.port_problem("127.0.0.1", bench.port) is None


def test_another_data_root_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.up()
    first, bench.places = bench.places, Places(build=bench.places.build, data=tmp_path / "other")
    bench.up()
    assert f"the last start had DATA={first.data}" in bench.screen.getvalue()
    assert bench.starts() == 1
    assert (first.data / "secrets" / "main.json").exists()


def test_replaced_credentials_restart(bench: Bench) -> None:
    bench.up()
    (bench.places.data / "secrets" / "alt.json").unlink()
    bench.up()
    assert bench.starts() == 2
    assert "made new credentials for alt" in bench.screen.getvalue()


def test_down_ends_the_whole_session_and_keeps_data(bench: Bench) -> None:
    first = bench.up()
    worker = int((bench.places.data / "state" / "worker.pid").read_text())
    assert bench.down()
    assert not bench.down()
    assert not _runs(worker)
    assert not bench.places.pid.exists()
    assert bench.up().accounts == first.accounts


def test_down_after_the_build_folder_was_made_anew_keeps_credentials(bench: Bench) -> None:
    first = bench.up()
    bench.down()
    for file in bench.places.build.iterdir():
        file.unlink()
    assert bench.up().accounts == first.accounts
    assert "new credentials" not in bench.screen.getvalue()


def test_a_killed_supervisor_leaves_nothing_behind(bench: Bench) -> None:
    bench.up()
    worker = int((bench.places.data / "state" / "worker.pid").read_text())
    os.kill(bench.pid(), 9)
    os.waitpid(bench.pid(), 0)
    assert _runs(worker)
    bench.up()
    assert not _runs(worker)
    assert bench.starts() == 2


def test_one_that_ignores_sigterm_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "STOP_LIMIT_S", 0.3)
    bench.temper("stubborn")
    bench.up()
    pid = bench.pid()
    assert bench.down()
    assert not _runs(pid)
    assert "killing" in bench.screen.getvalue()


def test_a_pid_given_to_another_process_is_left_alone(bench: Bench) -> None:
    bench.up()
    bench.down()
    mine = os.getpid()
    bench.places.process.write_text(
        f'{{"pid": {mine}, "started_ticks": 1, "boot_id": "{process._boot_id()}", "digest": "", "port": 1, "data": ""}}'
    )
    assert not bench.down()  # had it signalled, this test would have ended here


def test_port_in_use_by_something_else(bench: Bench) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", bench.port))
        other.listen()
        with pytest.raises(local.UpError, match=rf"port {bench.port}.*PORT="):
            bench.up()
    assert bench.up().status == "ready"


def test_read_only_says_why_and_writes_nothing(bench: Bench) -> None:
    bench.up()
    bench.temper("read-only")
    running = bench.up()
    assert (running.status, running.greeting.written) == ("read-only", False)
    assert running.greeting.size_bytes > 0
    assert "read-only: 2 of 6 drives are away" in bench.screen.getvalue()


def test_read_only_from_the_first_start(bench: Bench) -> None:
    bench.temper("read-only")
    assert bench.up().greeting.size_bytes == 0


def test_never_ready_is_bounded_and_left_running(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "READY_LIMIT_S", 0.5)
    bench.temper("starting")
    with pytest.raises(local.UpError, match="not ready after.*starting 2 of 6 drives are away"):
        bench.up()
    assert _runs(bench.pid())


def test_one_that_dies_at_once_shows_its_last_words(bench: Bench) -> None:
    bench.temper("dies")
    with pytest.raises(local.UpError, match="(?s)exit code 7.*cannot go on: a reason"):
        bench.up()
    assert not bench.places.pid.exists()


def test_refused_format_is_shown(bench: Bench) -> None:
    bench.temper("foreign")
    with pytest.raises(local.UpError, match="belongs to another cluster"):
        bench.up()


def test_wrong_bytes_are_noticed(bench: Bench) -> None:
    bench.temper("liar")
    with pytest.raises(HelloError, match="others came back"):
        bench.up()


def test_an_absent_drive_folder_is_not_made_again(bench: Bench) -> None:
    bench.up()
    (bench.places.data / "drive-1" / "kakera.json").touch()
    (bench.places.data / "drive-3").rmdir()
    bench.down()
    bench.up()
    assert not (bench.places.data / "drive-3").exists()


def test_folders_half_made_are_completed(bench: Bench) -> None:
    (bench.places.data / "drive-1").mkdir(parents=True)
    bench.up()
    assert (bench.places.data / "drive-6").is_dir()


def test_broken_credentials_are_never_overwritten(bench: Bench) -> None:
    path = bench.places.data / "secrets" / "main.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(CredentialsError, match="holds no credentials"):
        bench.up()
    assert path.read_text() == "{}"


def test_two_at_once_start_one(bench: Bench) -> None:
    found: list[object] = []

    def one() -> None:
        try:
            found.append(bench.up().status)
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["ready"] * 3
    assert bench.starts() == 1


def _runs(pid: int) -> bool:
    until = time.monotonic() + 2
    while time.monotonic() < until:  # a killed process is gone when its parent, or init, has collected it
        found = process._stat(pid)
        if found is None or found.state in "ZX":
            return False
        time.sleep(0.02)
    return True
