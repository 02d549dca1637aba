"""The log project of a region and its stores: kept as long as the Plan says, encrypted, searchable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedLogStore
from infra.components.ordering import after

PARTITIONS: Final = 2
MAX_PARTITIONS: Final = 64  # of a store that splits by itself: a bound on what a burst may cost
# Where words end: lines of flow logs and of balancers are numbers and paths between these.
TOKEN: Final = ", '\";=()[]{}?@&<>/:\n\t\r"


@dataclass(frozen=True)
class LogsArgs:
    project: str
    stores: tuple[PlannedLogStore, ...]


class Logs(pulumi.ComponentResource):
    """`stores` by the store's name; what uses one waits for its index. Raises: ValueError for a foreign store."""

    project: pulumi.Output[str]
    stores: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Logs", name, None, opts)
        if foreign := sorted({planned.project for planned in args.stores} - {args.project}):
            raise ValueError(f"{args.project}: stores of another project: {', '.join(foreign)}")
        self._opts = pulumi.ResourceOptions(parent=self)
        self.project = alicloud.log.Project(
            args.project, project_name=args.project, description="Logs of one region", opts=self._opts
        ).project_name
        self.stores = {planned.store: self._store(planned) for planned in args.stores}
        self.register_outputs({"project": self.project, "stores": self.stores})

    def _store(self, planned: PlannedLogStore) -> pulumi.Output[str]:
        name = f"{planned.project}-{planned.store}"
        store = alicloud.log.Store(
            name,
            project_name=self.project,
            logstore_name=planned.store,
            retention_period=planned.retention_days,
            shard_count=PARTITIONS,
            auto_split=True,
            max_split_shard_count=MAX_PARTITIONS,
            append_meta=True,
            enable_web_tracking=False,
            # The service's own key: a key of ours would need a role that logging may take.
            encrypt_conf=alicloud.log.StoreEncryptConfArgs(enable=True, encrypt_type="default"),
            opts=self._opts,
        )
        index = alicloud.log.StoreIndex(
            f"{name}-index",
            project=self.project,
            logstore=store.logstore_name,
            full_text=alicloud.log.StoreIndexFullTextArgs(case_sensitive=False, include_chinese=False, token=TOKEN),
            opts=self._opts,
        )
        return after(store.logstore_name, [index])
