"""What gateways fetch at their first start: the settings object. The wheel beside it is the architect's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_alicloud import oss

JSON = "application/json"


@dataclass(frozen=True)
class ArtifactsArgs:
    """`key`: the object's name; `settings`: its text, which holds secrets. `encryption` and `key_id` are the bucket's:
    an object that does not name them gets OSS's own."""

    name: str
    bucket: pulumi.Input[str]
    key: str
    settings: pulumi.Input[str]
    encryption: Literal["KMS", "AES256"]
    key_id: pulumi.Input[str] | None


class Artifacts(pulumi.ComponentResource):
    """`made`: what has to be there before the first gateway starts.

    The text is a secret in state; of the cloud's answers none repeats it. `destroy` takes the object away.
    """

    made: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: ArtifactsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Artifacts", name, None, opts)
        settings = oss.BucketObject(
            args.name,
            bucket=args.bucket,
            key=args.key,
            content=pulumi.Output.secret(args.settings),
            content_type=JSON,
            server_side_encryption=args.encryption,
            kms_key_id=args.key_id if args.encryption == "KMS" else None,
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["content"]),
        )
        self.made = (settings,)
        self.register_outputs({"key": settings.key})
