"""A data file of seven types, in the generated one's format, with a case of everything that is judged."""

from __future__ import annotations

from typing import Any, Final

NETWORK: Final = "alicloud:vpc/network:Network"
SWITCH: Final = "alicloud:vpc/switch:Switch"
BUCKET: Final = "alicloud:oss/bucket:Bucket"
INSTANCE: Final = "alicloud:ecs/instance:Instance"
ACCOUNT: Final = "alicloud:rds/rdsAccount:RdsAccount"
BALANCER: Final = "alicloud:nlb/loadBalancer:LoadBalancer"
STORE: Final = "alicloud:log/store:Store"


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", "optional": True, **more}


_COMPUTED: Final = {"type": "string", "computed": True}
_TAGS: Final = {"type": "map", "optional": True, "element": {"type": "string"}}
_NUMBER: Final = {"type": "int", "optional": True}
_REPLACING: Final = {"type": "bool", "optional": True, "replaces": True}
_MAPPING: Final = {
    "type": "object",
    "fields": {
        "vswitchId": {"type": "string", "required": True},
        "zoneId": {"type": "string", "required": True},
        "allocationId": _text(computed=True),
        "eniId": _COMPUTED,
    },
}
RAW: Final[dict[str, Any]] = {
    "format": 1,
    "provider": "aliyun/alicloud",
    "version": "1.285.0",
    "bridge": "pulumi-alicloud 3.105.0",
    "configuration": {"properties": {"region": _text(), "accountType": _text()}},
    "resources": {
        NETWORK: {
            "terraform": "alicloud_vpc",
            "properties": {
                "cidrBlock": _text(computed=True),
                "vpcName": _text(conflicts=["name"]),
                "name": _text(deprecated="use vpcName", computed=True, conflicts=["vpcName"]),
                "description": _text(),
                "enableIpv6": {"type": "bool", "optional": True},
                "status": _COMPUTED,
                "routeTableId": _COMPUTED,
                "tags": _TAGS,
            },
        },
        SWITCH: {
            "terraform": "alicloud_vswitch",
            "properties": {
                "vpcId": {"type": "string", "required": True, "replaces": True},
                "cidrBlock": {"type": "string", "required": True, "replaces": True},
                "zoneId": _text(computed=True, replaces=True),
                "vswitchName": _text(),
                "status": _COMPUTED,
                "tags": _TAGS,
            },
        },
        BUCKET: {
            "terraform": "alicloud_oss_bucket",
            "properties": {
                "bucket": _text(replaces=True),
                "storageClass": _text(values=["Standard", "IA", "Archive"], default="Standard", replaces=True),
                "redundancyType": _text(values=["LRS", "ZRS"], default="LRS", replaces=True),
                "lifecycleRules": {
                    "type": "list",
                    "optional": True,
                    "element": {
                        "type": "object",
                        "fields": {
                            "enabled": {"type": "bool", "required": True},
                            "prefix": _text(),
                            "expirations": {
                                "type": "set",
                                "optional": True,
                                "element": {"type": "object", "fields": {"days": {"type": "int", "optional": True}}},
                            },
                        },
                    },
                },
                "forceDestroy": {"type": "bool", "optional": True},
                "intranetEndpoint": _COMPUTED,
                "extranetEndpoint": _COMPUTED,
                "owner": _COMPUTED,
                "tags": _TAGS,
            },
        },
        INSTANCE: {
            "terraform": "alicloud_instance",
            "properties": {
                "instanceType": _text(),
                "instanceName": _text(),
                "imageId": _text(),
                "vswitchId": _text(replaces=True),
                "privateIp": _text(computed=True),
                "securityGroups": {"type": "set", "optional": True, "computed": True, "element": {"type": "string"}},
                "deletionProtection": {"type": "bool", "optional": True, "default": False},
                "instanceChargeType": _text(computed=True, values=["PrePaid", "PostPaid"]),
                "dataDisks": {
                    "type": "list",
                    "optional": True,
                    "element": {
                        "type": "object",
                        "fields": {
                            "size": {"type": "int", "required": True, "replaces": True},
                            "category": _text(values=["cloud_essd", "cloud_auto"], replaces=True),
                        },
                    },
                },
                "status": _text(computed=True, values=["Running", "Stopped"]),
                "primaryIpAddress": _COMPUTED,
            },
        },
        ACCOUNT: {
            "terraform": "alicloud_rds_account",
            "properties": {
                "dbInstanceId": {"type": "string", "required": True, "replaces": True},
                "accountName": {"type": "string", "required": True, "replaces": True},
                "accountPassword": _text(sensitive=True),
            },
        },
        STORE: {
            "terraform": "alicloud_log_store",
            "properties": {
                "projectName": _text(one_of=["project"]),
                "project": _text(deprecated="use projectName"),
                "logstoreName": _text(),
                "mode": _text(any_of=["telemetryType", "ranges"]),
                "telemetryType": _text(),
                "retentionPeriod": {**_NUMBER, "range": [1, 3650]},
                "appendMeta": _REPLACING,
                "hotTtl": {**_NUMBER, "with": ["coldTtl"]},
                "coldTtl": {**_NUMBER, "with": ["hotTtl"]},
                "userCmk": _text(),
                "encryptConf": {  # replaced when it comes or goes, and for one thing inside
                    "type": "object",
                    "optional": True,
                    "replaces": True,
                    "fields": {
                        "enable": {"type": "bool", "optional": True},
                        "encryptType": _text(replaces=True),
                        "arn": _text(conflicts=["userCmk"]),
                    },
                },
                "ranges": {
                    "type": "list",
                    "optional": True,
                    "replaces": True,
                    "element": {
                        "type": "object",
                        "fields": {"beginKey": _text(), "id": {**_NUMBER, "range": [0, 9], "replaces": True}},
                    },
                },
                "zones": {
                    "type": "set",
                    "optional": True,
                    "replaces": True,
                    "element": {"type": "object", "fields": {"zoneId": _text(), "first": _REPLACING}},
                },
                "keys": {"type": "list", "optional": True, "replaces": True, "element": {"type": "string"}},
                "labels": {"type": "map", "optional": True, "replaces": True, "element": {"type": "string"}},
            },
        },
        BALANCER: {
            "terraform": "alicloud_nlb_load_balancer",
            "properties": {
                "loadBalancerName": _text(),
                "vpcId": {"type": "string", "required": True, "replaces": True},
                "zoneMappings": {"type": "set", "required": True, "element": _MAPPING},
                "deletionProtectionEnabled": {"type": "bool", "optional": True},
                "dnsName": _COMPUTED,
            },
        },
    },
}
