"""The gRPC service through a real client, and the process that serves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from infra.rehearsal import calls
from infra.rehearsal.faults import Fault, FaultKind, Faults
from infra.rehearsal.metadata import Metadata
from infra.rehearsal.server import FOLDER_VARIABLE, METADATA_VARIABLE, USAGE_EXIT, start
from infra.rehearsal.wire import UNKNOWN, Secret, decode, encode
from tests.infra.rehearsal.data import ACCOUNT, NETWORK, RAW, SWITCH

PLUGIN = Path(__file__).resolve().parents[3] / "infra" / "rehearsal" / "plugin" / "pulumi-resource-alicloud"
Stub = provider_pb2_grpc.ResourceProviderStub


def urn(token: str, name: str = "x") -> str:
    return f"urn:pulumi:dev::kakera::kakera:cloud:Network${token}::{name}"


@pytest.fixture
def stub(metadata: Metadata, tmp_path: Path) -> Iterator[Stub]:
    server, port = start(metadata, tmp_path)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        made = Stub(channel)
        made.Handshake(provider_pb2.ProviderHandshakeRequest())
        made.Configure(provider_pb2.ConfigureRequest(args=encode({"region": "cn-hangzhou"}), acceptSecrets=True))
        yield made
    server.stop(grace=None).wait()


def create(stub: Stub, token: str, **inputs: Any) -> provider_pb2.CreateResponse:
    return stub.Create(provider_pb2.CreateRequest(urn=urn(token), type=token, properties=encode(inputs)))


def test_a_life(stub: Stub, tmp_path: Path) -> None:
    news = encode({"vpcName": Secret("a"), "description": None})
    checked = stub.Check(provider_pb2.CheckRequest(urn=urn(NETWORK), type=NETWORK, news=news))
    assert list(checked.failures) == []
    assert decode(checked.inputs) == {"vpcName": Secret("a")}
    preview = provider_pb2.CreateRequest(urn=urn(NETWORK), type=NETWORK, properties=checked.inputs, preview=True)
    assert decode(stub.Create(preview).properties)["status"] == UNKNOWN
    made = stub.Create(provider_pb2.CreateRequest(urn=urn(NETWORK), type=NETWORK, properties=checked.inputs))
    assert decode(made.properties)["vpcName"] == Secret("a")
    about = {"id": made.id, "urn": urn(NETWORK), "type": NETWORK}
    read = stub.Read(provider_pb2.ReadRequest(**about, properties=made.properties, inputs=checked.inputs))
    assert (read.id, read.properties, read.inputs) == (made.id, made.properties, checked.inputs)
    news = encode({"vpcName": "b", "tags": {"a": "b"}})
    diff = stub.Diff(provider_pb2.DiffRequest(**about, olds=made.properties, news=news))
    assert diff.changes == diff.DIFF_SOME
    assert {path: entry.kind for path, entry in diff.detailedDiff.items()} == {
        "vpcName": provider_pb2.PropertyDiff.UPDATE, "tags": provider_pb2.PropertyDiff.ADD
    }  # fmt: skip
    assert (list(diff.replaces), diff.deleteBeforeReplace) == ([], False)
    updated = stub.Update(provider_pb2.UpdateRequest(**about, olds=made.properties, news=news))
    assert decode(updated.properties)["tags"] == {"a": "b"}
    stub.Delete(provider_pb2.DeleteRequest(**about, properties=updated.properties))
    gone = stub.Read(provider_pb2.ReadRequest(**about, properties=updated.properties))
    assert gone == provider_pb2.ReadResponse()
    logged = [(call.operation, call.preview, call.outcome) for call in calls.read(tmp_path)]
    assert logged == [
        (operation, operation == "create" and at == 2, "ok")
        for at, operation in enumerate(
            ["configure", "check", "create", "create", "read", "diff", "update", "delete", "read"]
        )
    ]
    assert calls.read(tmp_path)[3].name == "x"


def test_a_replacement(stub: Stub) -> None:
    made = create(stub, SWITCH, vpcId="rehearsal-a", cidrBlock="10.0.0.0/24")
    news = encode({"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24", "vswitchName": "a"})
    about = {"id": made.id, "urn": urn(SWITCH), "type": SWITCH}
    diff = stub.Diff(provider_pb2.DiffRequest(**about, olds=made.properties, news=news))
    assert list(diff.replaces) == ["vpcId"]
    assert list(diff.diffs) == ["vpcId", "vswitchName"]
    assert diff.detailedDiff["vpcId"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    same = stub.Diff(provider_pb2.DiffRequest(**about, olds=made.properties, news=made.properties))
    assert (same.changes, list(same.diffs)) == (same.DIFF_NONE, [])


def test_failures_of_a_check(stub: Stub) -> None:
    found = stub.Check(provider_pb2.CheckRequest(urn=urn(NETWORK), type=NETWORK, news=encode({"vpcNam": "a"})))
    assert [(failure.property, failure.reason) for failure in found.failures] == [
        ("vpcNam", "unknown argument: did you mean vpcName?")
    ]


def test_the_type_is_found_in_the_urn(stub: Stub) -> None:
    found = stub.Check(provider_pb2.CheckRequest(urn=urn(NETWORK), news=encode({"x": "a"})))
    assert len(found.failures) == 1
    assert "data file" not in found.failures[0].reason


def test_a_partial_create_carries_id_and_state(stub: Stub, tmp_path: Path) -> None:
    Faults(tmp_path).add(Fault(FaultKind.PARTIAL))
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, NETWORK, vpcName="a")
    (packed,) = [value for key, value in caught.value.trailing_metadata() if key == "grpc-status-details-bin"]
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(detail)
    assert detail.id.startswith("rehearsal-")
    assert decode(detail.properties)["vpcName"] == "a"
    assert decode(detail.inputs) == {"vpcName": "a"}
    assert list(detail.reasons) == [caught.value.details()]
    assert calls.read(tmp_path)[-1].outcome == caught.value.details()


def test_a_data_source_is_refused(stub: Stub) -> None:
    with pytest.raises(grpc.RpcError, match="alicloud:index/getZones:getZones: nothing calls the cloud at preview"):
        stub.Invoke(provider_pb2.InvokeRequest(tok="alicloud:index/getZones:getZones"))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Call(provider_pb2.CallRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_providers_own_arguments(stub: Stub) -> None:
    missing = stub.CheckConfig(provider_pb2.CheckRequest(news=encode({})))
    assert [failure.property for failure in missing.failures] == ["region"]
    old, new = encode({"region": "a"}), encode({"region": "b"})
    moved = stub.DiffConfig(provider_pb2.DiffRequest(olds=old, old_inputs=old, news=new))
    assert list(moved.replaces) == ["region"]
    same = stub.DiffConfig(provider_pb2.DiffRequest(olds=old, old_inputs=old, news=old))
    assert same.changes == same.DIFF_NONE
    with pytest.raises(grpc.RpcError, match="needs `region`"):
        stub.Configure(provider_pb2.ConfigureRequest(args=encode({})))
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == "3.105.0"


def test_no_value_is_logged(stub: Stub, tmp_path: Path) -> None:
    create(stub, ACCOUNT, dbInstanceId="rehearsal-a", accountName="hush", accountPassword=Secret("hush"))
    assert "hush" not in (tmp_path / calls.FILE).read_text()


# --- the process ----------------------------------------------------------------------------------------------------
def environment(folder: Path | None, tmp_path: Path) -> dict[str, str]:
    data = tmp_path / "data.json"
    data.write_text(json.dumps(RAW))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {METADATA_VARIABLE: str(data), "PATH": path}
    return {**own, **({FOLDER_VARIABLE: str(folder)} if folder else {})}


def test_it_does_not_start_without_a_folder(tmp_path: Path) -> None:
    for folder, reason in ((None, FOLDER_VARIABLE), (tmp_path / "none", "no folder")):
        done = subprocess.run([PLUGIN], env=environment(folder, tmp_path), capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stdout) == (USAGE_EXIT, "")
        assert reason in done.stderr


def test_it_does_not_start_without_its_data_file(tmp_path: Path) -> None:
    variables = {**environment(tmp_path, tmp_path), METADATA_VARIABLE: str(tmp_path / "none.json")}
    done = subprocess.run([PLUGIN], env=variables, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (USAGE_EXIT, "")
    assert "generate it with tools/provider" in done.stderr


def test_it_prints_its_port_first_and_listens_on_this_machine_only(tmp_path: Path) -> None:
    variables = {**environment(tmp_path, tmp_path), "KAKERA_REHEARSAL_PYTHON": sys.executable}
    variables["PATH"] = os.environ["PATH"]
    process = subprocess.Popen([PLUGIN], env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert Stub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=10).version == "3.105.0"
        assert listening(port) <= {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, and as IPv6 writes it
        assert listening(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def listening(port: int) -> set[str]:
    """The addresses, as the kernel writes them, that listen on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                found.add(address.rpartition(":")[0])
    return found


def test_it_ends_when_the_engine_is_killed(tmp_path: Path) -> None:
    # A shell that plays the engine: it starts the plugin, says its process id, and is killed.
    (tmp_path / "port").touch()
    script = f'"{PLUGIN}" > "{tmp_path}/port" & echo $!; wait'
    variables = environment(tmp_path, tmp_path)
    engine = subprocess.Popen(["sh", "-c", script], env=variables, stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    plugin = int(engine.stdout.readline())
    wait_until(lambda: bool((tmp_path / "port").read_text()))
    engine.kill()
    engine.wait()
    wait_until(lambda: not running(plugin))


def running(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def wait_until(reached: Any, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)
