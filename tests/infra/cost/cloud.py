"""A small server that answers as the RPC interfaces of ECS and BSS do: for the real client, without a cloud."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ZONES = {"Zones": {"Zone": [{"ZoneId": "cn-hangzhou-j"}, {"ZoneId": "cn-hangzhou-z"}]}}
IMAGES = {
    "Images": {
        "Image": [
            {"ImageId": "debian_12_6_x64_20G_alibase_20240711.vhd", "CreationTime": "2024-07-11T00:00:00Z"},
            {"ImageId": "debian_12_6_x64_20G_alibase_20260101.vhd", "CreationTime": "2026-01-01T00:00:00Z"},
        ]
    }
}
TYPES = {
    "InstanceTypes": {
        "InstanceType": [
            {"InstanceTypeId": "ecs.g7.large", "CpuCoreCount": 2, "MemorySize": 8.0, "InstanceBandwidthRx": 2048000},
            {
                "InstanceTypeId": "ecs.d3s.2xlarge",
                "CpuCoreCount": 8,
                "MemorySize": 32.0,
                "LocalStorageAmount": 4,
                "LocalStorageCapacity": 11100,
                "LocalStorageCategory": "local_hdd_pro",
            },
        ]
    }
}


@dataclass
class Cloud:
    """`seen`: the parameters of each call. `refuses`: actions that are answered with an error."""

    port: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()

    def answer(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.seen.append(query)
        action = query.get("Action", "")
        if action in self.refuses:
            return 403, {"Code": "Forbidden.RAM", "Message": "not authorized", "RequestId": "r", "HostId": "h"}
        replies = {"DescribeZones": ZONES, "DescribeImages": IMAGES, "DescribeInstanceTypes": TYPES}
        if action in replies:
            return 200, {**replies[action], "RequestId": "r"}
        return 200, {**(_ecs_price(query) if action == "DescribePrice" else _bss_price(query)), "RequestId": "r"}


def _ecs_price(query: dict[str, str]) -> dict[str, Any]:
    if query["ResourceType"] == "disk":
        return {"PriceInfo": {"Price": {"OriginalPrice": 0.4096, "TradePrice": 0.3, "Currency": "USD"}}}
    amount = {"Hour": 0.1, "Month": 50, "Year": 420}[query["PriceUnit"]]
    details = [{"Resource": "instanceType", "OriginalPrice": amount}, {"Resource": "systemDisk", "OriginalPrice": 9}]
    price = {"OriginalPrice": amount + 9, "TradePrice": 1, "Currency": "USD", "DetailInfos": {"DetailInfo": details}}
    return {"PriceInfo": {"Price": price}}


def _bss_price(query: dict[str, str]) -> dict[str, Any]:
    if query["ProductCode"] == "rds" and query["SubscriptionType"] == "Subscription":
        return {"Success": False, "Code": "PRICE.PRICING_PLAN_RESULT_NOT_FOUND", "Message": "no such plan"}
    costs = {"InternetTrafficOut": 0.117, "InstanceRent": 0.005, "DBInstanceClass": 0.25}
    codes = [value for name, value in query.items() if name.endswith(".ModuleCode")]
    details = [{"ModuleCode": code, "OriginalCost": costs[code], "CostAfterDiscount": 0.001} for code in codes]
    data = {"Currency": "USD", "ModuleDetails": {"ModuleDetail": details}}
    return {"Success": True, "Code": "Success", "Data": data}


@contextmanager
def serving(cloud: Cloud) -> Iterator[Cloud]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            query = dict(parse_qsl(urlsplit(self.path).query) + parse_qsl(body))
            # The client signs by the newer scheme in headers, by the older in parameters.
            query.setdefault("Action", self.headers.get("x-acs-action") or "")
            query["Authorized"] = str("authorization" in self.headers or "Signature" in query)
            status, reply = cloud.answer(query)
            text = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cloud.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
