"""A bucket under a name of the architect's: proof, certificate, and the record that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_alicloud import dns, oss

from infra.blueprint.cloud import PlannedOssPath
from infra.components.ordering import after

PROOF: Final = "_dnsauth"  # where OSS looks for the token, below the domain


@dataclass(frozen=True)
class CustomDomainArgs:
    """`bucket`: its name, once it is closed; `region`: where it lies."""

    plan: PlannedOssPath
    bucket: pulumi.Input[str]
    region: str


class CustomDomain(pulumi.ComponentResource):
    """`domain`: who uses it waits until the bucket answers to it. Raises: ValueError when the Plan lacks a part."""

    domain: pulumi.Output[str]

    def __init__(self, name: str, args: CustomDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:CustomDomain", name, None, opts)
        plan = args.plan
        if plan.domain is None or plan.zone is None or plan.certificate is None:
            raise ValueError(f"{plan.name}: a custom domain needs a domain, a zone that holds it, and a certificate")
        self._plan = plan
        label = plan.domain.removesuffix(f".{plan.zone}")
        token = oss.BucketCnameToken(
            f"{plan.name}-token", bucket=args.bucket, domain=plan.domain, opts=pulumi.ResourceOptions(parent=self)
        )
        # A token holds for days, and OSS asks for it once: a newer one in its place changes nothing.
        proof = self._record("proof", f"{PROOF}.{label}", ("TXT", token.token), ignore=["value"])
        bound = oss.BucketCname(
            f"{plan.name}-cname",
            bucket=args.bucket,
            domain=after(pulumi.Output.from_input(plan.domain), [proof]),
            certificate=oss.BucketCnameCertificateArgs(cert_id=plan.certificate),
            force=True,  # a renewed certificate takes the place of the one before
            opts=pulumi.ResourceOptions(parent=self),
        )
        lead = self._record("lead", label, ("CNAME", f"{plan.bucket}.oss-{args.region}.aliyuncs.com"))
        self.domain = after(pulumi.Output.from_input(plan.domain), [bound, lead])
        self.register_outputs({"domain": self.domain})

    def _record(
        self, word: str, label: str, content: tuple[str, pulumi.Input[str]], ignore: list[str] | None = None
    ) -> dns.AlidnsRecord:
        return dns.AlidnsRecord(
            f"{self._plan.name}-{word}",
            domain_name=self._plan.zone,
            rr=label,
            type=content[0],
            value=content[1],
            ttl=self._plan.ttl_s,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=ignore),
        )
