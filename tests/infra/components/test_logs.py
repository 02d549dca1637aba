"""Logs: kept as long as planned, encrypted, searchable."""

from __future__ import annotations

import pytest

from infra.blueprint.cloud import PlannedLogStore
from infra.components.logs import Logs, LogsArgs
from tests.infra.components.house import children, types
from tests.infra.components.recorder import Recorded, named, of_type, only, record


def planned(store: str, days: int = 365, project: str = "k-logs") -> PlannedLogStore:
    return PlannedLogStore(project=project, store=store, retention_days=days)


def built(*stores: PlannedLogStore) -> list[Recorded]:
    return record(lambda opts: Logs("logs", LogsArgs("k-logs", stores), opts))


def test_a_project_and_its_stores() -> None:
    found = built(planned("flows"), planned("balancer", days=400))
    assert types(children(found, "Logs")) == ["Project", "Store", "Store", "StoreIndex", "StoreIndex"]
    assert only(found, "Project").inputs["projectName"] == "k-logs"
    assert {one.inputs["logstoreName"]: one.inputs["retentionPeriod"] for one in of_type(found, "Store")} == {
        "flows": 365,
        "balancer": 400,
    }
    for one in of_type(found, "Store"):
        assert one.inputs["projectName"] == "k-logs"
        assert one.inputs["encryptConf"] == {"enable": True, "encryptType": "default"}
        assert one.inputs["enableWebTracking"] is False
    assert named(found, "logs").outputs == {"project": "k-logs", "stores": {"flows": "flows", "balancer": "balancer"}}


def test_every_store_can_be_searched() -> None:
    indexes = of_type(built(planned("flows"), planned("balancer")), "StoreIndex")
    assert [(one.inputs["project"], one.inputs["logstore"]) for one in indexes] == [
        ("k-logs", "balancer"),
        ("k-logs", "flows"),
    ]
    assert all(one.inputs["fullText"]["token"] for one in indexes)


def test_no_stores_no_cost() -> None:
    assert types(children(built(), "Logs")) == ["Project"]


def test_a_store_of_another_project_is_refused() -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        built(planned("flows", project="elsewhere"))
