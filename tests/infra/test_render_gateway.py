"""What a host of the gateways' group runs by itself, against a cloud that is a few lines of this file."""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra import render

PROGRAM = Path(render.__file__).parent / "templates" / "gateway.py"
WHEEL = b"a wheel"
AT = datetime.datetime(2026, 11, 27, 2, 3, 4, tzinfo=datetime.UTC)


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gateway_under_test", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Cloud:
    """Metadata, the bucket and the scaling API; counts who was let in without a token or a right signature."""

    def __init__(self, gateway: ModuleType) -> None:
        self.gateway = gateway
        self.objects: dict[str, bytes] = {}
        self.states = ["InService", "InService", "Removing:Wait"]
        self.asked: list[dict[str, str]] = []
        self.wrong: list[str] = []
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self._answer(b"TOKEN" if self.headers["X-aliyun-ecs-metadata-token-ttl-seconds"] == "60" else None)

            def do_GET(self) -> None:
                self._answer(cloud.get(self.path, dict(self.headers.items())))

            def do_POST(self) -> None:
                self._answer(cloud.post(self.path, dict(self.headers.items())))

            def _answer(self, body: bytes | None) -> None:
                self.send_response(403 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def get(self, path: str, headers: dict[str, str]) -> bytes | None:
        headers = {name.lower(): value for name, value in headers.items()}
        if path.startswith("/latest/meta-data/"):
            if headers.get("x-aliyun-ecs-metadata-token") != "TOKEN":
                return None
            keys = {"AccessKeyId": "AK", "AccessKeySecret": "SECRET", "SecurityToken": "STS", "Code": "Success"}
            return {"instance-id": b"i-me", "ram/security-credentials/role": json.dumps(keys).encode()}[path[18:]]
        name = urllib.parse.unquote(path.removeprefix("/objects/"))
        at = datetime.datetime.strptime(headers["x-oss-date"], "%Y%m%dT%H%M%SZ")
        signed = self.gateway.sign_oss(("AK", "SECRET", "STS"), "cn-x", "bucket", name, at=at)
        if headers["authorization"] != signed["Authorization"]:
            self.wrong.append(path)
        return self.objects.get(name)

    def post(self, path: str, headers: dict[str, str]) -> bytes | None:
        headers = {name.lower(): value for name, value in headers.items()}
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        action = headers["x-acs-action"]
        self.asked.append({"action": action, **query})
        at = datetime.datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ")
        nonce = headers["x-acs-signature-nonce"]
        _, signed = self.gateway.sign_api(
            ("AK", "SECRET", "STS"), headers["host"], action, "2022-02-22", query, at=at, nonce=nonce
        )
        if headers["authorization"] != signed["Authorization"]:
            self.wrong.append(action)
        return json.dumps(self._reply(action, query)).encode()

    def _reply(self, action: str, query: dict[str, str]) -> dict[str, Any]:
        match action:
            case "DescribeScalingInstances":
                state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                return {"ScalingInstances": [{"LifecycleState": state, "ScalingGroupId": "asg-1"}]}
            case "DescribeScalingActivities":
                return {"ScalingActivities": [{"ScalingActivityId": "asa-1"}, {"ScalingActivityId": "asa-2"}]}
            case "DescribeLifecycleActions" if query["ScalingActivityId"] == "asa-2":
                actions = [
                    {"LifecycleHookId": "ash-other", "LifecycleActionToken": "t1", "InstanceIds": ["i-other"]},
                    {"LifecycleHookId": "ash-mine", "LifecycleActionToken": "t2", "InstanceIds": ["i-other", "i-me"]},
                ]
                return {"LifecycleActions": actions}
            case _:
                return {"LifecycleActions": []}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = program()
    module.commands = []
    monkeypatch.setattr(module, "run", lambda *words, **_: module.commands.append([str(word) for word in words]))
    monkeypatch.setattr(module, "POLL_S", 0.01)
    return module


@pytest.fixture
def cloud(gateway: ModuleType) -> Iterator[Cloud]:
    made = Cloud(gateway)
    yield made
    made.server.shutdown()
    made.server.server_close()
    assert made.wrong == []


@pytest.fixture
def settings(cloud: Cloud, tmp_path: Path) -> dict[str, Any]:
    cloud.objects["kakera-0.1.0+x.whl"] = WHEEL
    cloud.objects["settings.json"] = json.dumps({"server.toml": "[server]", "secrets/main.json": "{}"}).encode()
    return {
        "bucket": "bucket", "drain_s": 30, "leave_unit": "leave.service", "metadata": f"{cloud.url}/latest",
        "notice_s": 0, "objects": f"{cloud.url}/objects", "program": str(tmp_path / "program"), "region": "cn-x",
        "role": "role", "root": str(tmp_path / "root"), "scaling": cloud.url, "settings_file": "/f",
        "settings_folder": str(tmp_path / "etc"), "settings_object": "settings.json", "unit": "kakera.service",
        "user": "root", "wheel": "kakera-0.1.0+x.whl", "wheel_sha256": hashlib.sha256(WHEEL).hexdigest(),
    }  # fmt: skip


@pytest.mark.needs("root")
def test_install_places_all_and_starts(gateway: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    for _ in range(2):  # it may be repeated
        gateway.commands.clear()
        gateway.install(settings)
    secret = tmp_path / "root" / "secrets" / "main.json"
    assert secret.read_text() == "{}" and secret.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "etc" / "server.toml").read_text() == "[server]"
    assert (tmp_path / "program" / "kakera-0.1.0+x.whl").read_bytes() == WHEEL
    assert (tmp_path / "program" / "bin").readlink() == Path("next/bin")
    assert gateway.commands[-2][-1].endswith("kakera-0.1.0+x.whl[server]")
    assert gateway.commands[-1] == ["systemctl", "enable", "--now", "kakera.service", "leave.service"]


@pytest.mark.needs("root")
def test_a_lock_makes_every_package_checked(gateway: Any, cloud: Cloud, settings: dict[str, Any]) -> None:
    cloud.objects["settings.json"] = json.dumps({"server.toml": "", "requirements.lock": "falcon==4.4.0"}).encode()
    gateway.install(settings)
    assert "--require-hashes" in gateway.commands[1] and "--no-deps" in gateway.commands[2]


def test_a_wheel_of_another_digest_is_not_installed(gateway: Any, cloud: Cloud, settings: dict[str, Any]) -> None:
    cloud.objects["kakera-0.1.0+x.whl"] = WHEEL + b"!"
    with pytest.raises(SystemExit, match="wanted"):
        gateway.install(settings)
    assert gateway.commands == [] and not Path(settings["program"]).exists()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "secrets/../../x", "secrets/", "secrets/.x", "server.toml/x"])
def test_settings_write_nothing_elsewhere(gateway: Any, cloud: Cloud, settings: dict[str, Any], name: str) -> None:
    cloud.objects["settings.json"] = json.dumps({"server.toml": "", name: "x"}).encode()
    with pytest.raises(SystemExit, match="the settings hold"):
        gateway.install(settings)
    assert gateway.commands == [] and not Path(settings["root"]).exists()


def test_watch_drains_stops_and_completes_its_own_hook_alone(
    gateway: Any, cloud: Cloud, settings: dict[str, Any]
) -> None:
    gateway.watch(settings)
    assert [command[:2] for command in gateway.commands] == [
        [f"{settings['program']}/bin/kakera", "admin"], ["systemctl", "stop"],
    ]  # fmt: skip
    completed = [asked for asked in cloud.asked if asked["action"] == "CompleteLifecycleAction"]
    told = [(one["LifecycleHookId"], one["LifecycleActionToken"], one["LifecycleActionResult"]) for one in completed]
    assert told == [("ash-mine", "t2", "CONTINUE")]
    assert cloud.asked[0]["InstanceIds.1"] == "i-me"
    assert sum(asked["action"] == "DescribeScalingInstances" for asked in cloud.asked) == 3


def test_a_server_that_does_not_stop_does_not_hold_the_hook(
    gateway: Any, cloud: Cloud, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*words: object, **_: object) -> None:
        raise gateway.subprocess.TimeoutExpired([str(word) for word in words], 1)

    monkeypatch.setattr(gateway, "run", fails)
    gateway.watch(settings)
    assert cloud.asked[-1]["action"] == "CompleteLifecycleAction"


def test_signatures() -> None:
    """The example of "V3 request body and signature" of the API reference; the SDK's (alibabacloud-oss-v2 1.4.1) own
    answer for the same GET."""
    gateway: Any = program()
    example = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    _, headers = gateway.sign_api(
        ("YourAccessKeyId", "YourAccessKeySecret", ""), "ecs.cn-shanghai.aliyuncs.com", "RunInstances", "2014-05-26",
        example, at=datetime.datetime(2023, 10, 26, 10, 22, 32), nonce="3156853299f313e23d1673dc12e1703d",
    )  # fmt: skip
    assert headers["Authorization"].endswith("06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")
    signed = gateway.sign_oss(("AK", "SECRET", "TOKEN"), "cn-hangzhou", "bucket", "dir/kakera-0.1.0+x y.whl", at=AT)
    assert signed["Authorization"].endswith("f34bac3647f1f7c45ff015b4306249f9313b974acd2e16edf01449f3cb3a1837")
