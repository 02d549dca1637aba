"""A host of the gateways' group by itself: `install` at its first start, `watch` for the end of its life.

Standard library alone: it runs before anything is installed. Keys come from the instance's RAM role.
"""

import datetime
import hashlib
import hmac
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from typing import Any

TIMEOUT_S = 20
POLL_S = 15
MAX_BYTES = 64 << 20  # of an object: a wheel has less than one MiB
ALLOWED = re.compile(r"server\.toml|requirements\.lock|secrets/[A-Za-z0-9_][A-Za-z0-9._-]*")
LEAVING = "Removing:Wait"
log = logging.getLogger()
Settings = dict[str, Any]
Keys = tuple[str, str, str]  # access key id, secret, token


def call(method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        data: bytes = answer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SystemExit(f"{urllib.parse.urlsplit(url).path} is larger than {MAX_BYTES} bytes")
    return data


def metadata(settings: Settings, path: str) -> bytes:
    token = call("PUT", f"{settings['metadata']}/api/token", {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"})
    return call("GET", f"{settings['metadata']}/meta-data/{path}", {"X-aliyun-ecs-metadata-token": token.decode()})


def role_keys(settings: Settings) -> Keys:
    found = json.loads(metadata(settings, f"ram/security-credentials/{settings['role']}"))
    return found["AccessKeyId"], found["AccessKeySecret"], found["SecurityToken"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sign_oss(keys: Keys, region: str, bucket: str, name: str, *, at: datetime.datetime) -> dict[str, str]:
    """Headers of a GET with OSS's signature V4."""
    key, secret, token = keys
    stamp, scope = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}/{region}/oss/aliyun_v4_request"
    headers = {"x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": stamp, "x-oss-security-token": token}
    lines = "".join(f"{header}:{headers[header]}\n" for header in sorted(headers))
    request = f"GET\n/{bucket}/{urllib.parse.quote(name)}\n\n{lines}\n\nUNSIGNED-PAYLOAD"
    text = f"OSS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(request.encode())}"
    signing = b"aliyun_v4" + secret.encode()
    for word in scope.split("/"):
        signing = mac(signing, word)
    signature = mac(signing, text).hex()
    return headers | {"Authorization": f"OSS4-HMAC-SHA256 Credential={key}/{scope},Signature={signature}"}


def sign_api(
    keys: Keys, host: str, action: str, version: str, parameters: dict[str, str], *, at: datetime.datetime, nonce: str
) -> tuple[str, dict[str, str]]:
    """Query and headers of a POST with the signature of the cloud's RPC APIs (ACS3)."""
    key, secret, token = keys
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(parameters.items()))
    headers = {"host": host, "x-acs-action": action, "x-acs-content-sha256": sha256(b""), "x-acs-version": version}
    headers |= {"x-acs-date": f"{at:%Y-%m-%dT%H:%M:%SZ}", "x-acs-signature-nonce": nonce}
    headers |= {"x-acs-security-token": token} if token else {}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n{query}\n{lines}\n{names}\n{sha256(b'')}"
    signature = mac(secret.encode(), f"ACS3-HMAC-SHA256\n{sha256(request.encode())}").hex()
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={names},Signature={signature}"
    return query, headers


def quote(value: str) -> str:
    return urllib.parse.quote(value, safe="-_.~")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def fetch(settings: Settings, keys: Keys, name: str) -> bytes:
    bucket = settings["bucket"]
    url = f"{settings['objects'].format(bucket=bucket)}/{urllib.parse.quote(name)}"
    return call("GET", url, sign_oss(keys, settings["region"], bucket, name, at=now()))


def ask(settings: Settings, action: str, **parameters: str) -> Any:
    host = urllib.parse.urlsplit(settings["scaling"]).netloc
    parameters = {name.replace("__", "."): value for name, value in parameters.items()}
    parameters["RegionId"] = settings["region"]
    keys, nonce = role_keys(settings), uuid.uuid4().hex
    query, headers = sign_api(keys, host, action, "2022-02-22", parameters, at=now(), nonce=nonce)
    return json.loads(call("POST", f"{settings['scaling']}/?{query}", headers, b""))


def install(settings: Settings) -> None:
    """The wheel if its digest is right, the settings, then the server. May be repeated."""
    keys = role_keys(settings)
    wheel = fetch(settings, keys, settings["wheel"])
    if not hmac.compare_digest(sha256(wheel), settings["wheel_sha256"]):
        raise SystemExit(f"{settings['wheel']} has digest {sha256(wheel)}, wanted {settings['wheel_sha256']}")
    files = json.loads(fetch(settings, keys, settings["settings_object"]))
    if wrong := [name for name in files if not ALLOWED.fullmatch(name)]:
        raise SystemExit(f"the settings hold {wrong[0]!r}: server.toml, requirements.lock and secrets/NAME alone")
    place(settings, files)
    program = pathlib.Path(settings["program"])
    program.mkdir(parents=True, exist_ok=True)
    path = program / settings["wheel"]
    path.write_bytes(wheel)
    run(sys.executable, "-m", "venv", "--clear", program / "next")
    pip = (program / "next" / "bin" / "python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    if "requirements.lock" in files:
        run(*pip, "--require-hashes", "-r", program / "requirements.lock")
        run(*pip, "--no-deps", path)
    else:
        run(*pip, f"{path}[server]")
    for name in ("bin", "lib"):  # a start finds all of the program or none of it
        link(program / name, pathlib.Path("next") / name)
    run("systemctl", "enable", "--now", settings["unit"], settings["leave_unit"])


def place(settings: Settings, files: dict[str, str]) -> None:
    """Each file whole, for its reader alone."""
    for name, text in files.items():
        folders = {"server.toml": settings["settings_folder"], "requirements.lock": settings["program"]}
        path = pathlib.Path(str(folders.get(name) or settings["root"]), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)
        if name != "requirements.lock":
            shutil.chown(new, settings["user"], settings["user"])
        new.replace(path)


def link(path: pathlib.Path, target: pathlib.Path) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)


def run(*command: str | pathlib.Path, timeout_s: float = 600) -> None:
    subprocess.run([str(word) for word in command], check=True, timeout=timeout_s)


def watch(settings: Settings) -> None:
    """Until the group wants this host gone; then drain, stop, and say so. The hook's own limit ends it in any case."""
    me = metadata(settings, "instance-id").decode()
    while True:
        try:
            found = ask(settings, "DescribeScalingInstances", InstanceIds__1=me).get("ScalingInstances", [])
        except (OSError, ValueError) as error:
            log.warning("the group does not answer: %s", error)
            found = []
        if found and found[0]["LifecycleState"] == LEAVING:
            leave(settings)
            complete(settings, found[0]["ScalingGroupId"], me)
            return
        time.sleep(POLL_S)


def leave(settings: Settings) -> None:
    """Balancers look elsewhere, requests under way end, all within drain_s."""
    until = time.monotonic() + settings["drain_s"]
    try:
        run(f"{settings['program']}/bin/kakera", "admin", "drain", "--config", settings["settings_file"], timeout_s=20)
        time.sleep(settings["notice_s"])
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("no notice to the balancer: %s", error)
    try:
        run("systemctl", "stop", settings["unit"], timeout_s=max(5, until - time.monotonic()))
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("not stopped in time: %s", error)


def complete(settings: Settings, group: str, me: str) -> None:
    """Every hook that waits for this host."""
    active = ask(settings, "DescribeScalingActivities", ScalingGroupId=group, StatusCode="InProgress")
    for activity in active.get("ScalingActivities", []):
        number = activity["ScalingActivityId"]
        waiting = ask(settings, "DescribeLifecycleActions", ScalingActivityId=number, LifecycleActionStatus="Pending")
        for action in waiting.get("LifecycleActions", []):
            if me in action.get("InstanceIds", []):
                ask(
                    settings,
                    "CompleteLifecycleAction",
                    LifecycleHookId=action["LifecycleHookId"],
                    LifecycleActionToken=action["LifecycleActionToken"],
                    LifecycleActionResult="CONTINUE",
                )
                log.warning("hook %s completed", action["LifecycleHookId"])


if __name__ == "__main__":
    {"install": install, "watch": watch}[sys.argv[1]](json.loads(pathlib.Path(sys.argv[2]).read_text()))
