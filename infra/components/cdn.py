"""The edge: a domain that reads through to the store, caches, and speaks TLS alone. Its log goes to SLS at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import pulumi
import pulumi_alicloud as alicloud

from infra.blueprint.cloud import PlannedCdn

HTTPS_PORT: Final = 443
HSTS_AGE_S: Final = 31_536_000
RULES_LIMIT: Final = 99  # weights of cache rules: 1 to 99, the heavier wins


@dataclass(frozen=True)
class CdnLog:
    """Where the edge's log goes: a logstore that is there, and its region."""

    project: pulumi.Input[str]
    store: pulumi.Input[str]
    region: str


@dataclass(frozen=True)
class CdnArgs:
    """`origin` is a name, an address or a bucket, as `origin_type` says. `host`: the name the store is asked for; None:
    the edge's own. `certificate_region`: where certificates lie, `cn-hangzhou` or `ap-southeast-1`."""

    plan: PlannedCdn
    origin: pulumi.Input[str]
    origin_type: Literal["domain", "ipaddr", "oss"] = "domain"
    host: str | None = None
    log: CdnLog | None = None
    certificate_region: str = "cn-hangzhou"


class Cdn(pulumi.ComponentResource):
    """`cname`: what the domain's record points to. Raises: ValueError for more cache rules than there are weights."""

    cname: pulumi.Output[str]

    def __init__(self, name: str, args: CdnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kakera:cloud:Cdn", name, None, opts)
        if len(args.plan.cache) > RULES_LIMIT:
            raise ValueError(f"{args.plan.domain}: {len(args.plan.cache)} cache rules; the edge weighs {RULES_LIMIT}")
        self._name = name
        domain = alicloud.cdn.DomainNew(name, domain_args(args), opts=pulumi.ResourceOptions(parent=self))
        for word, (function, given) in functions(args).items():
            self._configure(domain, word, function, given)
        if args.log is not None:
            alicloud.cdn.RealTimeLogDelivery(
                f"{name}-log",
                domain=domain.domain_name,
                project=args.log.project,
                logstore=args.log.store,
                sls_region=args.log.region,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.cname = domain.cname
        self.register_outputs({"cname": self.cname})

    def _configure(self, domain: alicloud.cdn.DomainNew, word: str, function: str, given: Mapping[str, str]) -> None:
        alicloud.cdn.DomainConfig(
            word if function == "path_based_ttl_set" else f"{self._name}-{word}",
            domain_name=domain.domain_name,
            function_name=function,
            function_args=[
                alicloud.cdn.DomainConfigFunctionArgArgs(arg_name=key, arg_value=value) for key, value in given.items()
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )


def domain_args(args: CdnArgs) -> alicloud.cdn.DomainNewArgs:
    plan = args.plan
    certificate = None
    if plan.certificate is not None:
        certificate = alicloud.cdn.DomainNewCertificateConfigArgs(
            cert_type="cas",
            cert_id=plan.certificate,
            cert_region=args.certificate_region,
            server_certificate_status="on",
        )
    return alicloud.cdn.DomainNewArgs(
        domain_name=plan.domain,
        cdn_type="web",
        scope=plan.scope,
        sources=[
            alicloud.cdn.DomainNewSourceArgs(
                type=args.origin_type, content=args.origin, port=plan.origin_port, priority=20, weight=10
            )
        ],
        certificate_config=certificate,
    )


def functions(args: CdnArgs) -> dict[str, tuple[str, Mapping[str, str]]]:
    """What the edge does: a word for its name -> CDN's function and its arguments.

    Alibaba Cloud CDN, "Parameters for configuring features for domain names". HTTPS needs a certificate, and so do
    the three functions that insist on it.
    """
    plan, host = args.plan, args.host or args.plan.domain
    found: dict[str, tuple[str, Mapping[str, str]]] = {
        "host": ("set_req_host_header", {"domain_name": host}),
        "range": ("range", {"enable": "on"}),  # a part of an object is fetched as a part
    }
    if plan.origin_port == HTTPS_PORT:
        found["scheme"] = ("forward_scheme", {"enable": "on", "scheme_origin": "https"})
        found["sni"] = ("https_origin_sni", {"enabled": "on", "https_origin_sni": host})
    if plan.certificate is not None:
        found["https"] = ("https_force", {"enable": "on"})
        found["tls"] = ("https_tls_version", {"tls10": "off", "tls11": "off", "tls12": "on", "tls13": "on"})
        found["hsts"] = ("HSTS", {"enabled": "on", "https_hsts_max_age": str(HSTS_AGE_S)})
    for rank, rule in enumerate(plan.cache):
        ttl = {"path": rule.path, "ttl": str(rule.ttl_s), "weight": str(RULES_LIMIT - rank)}
        found[rule.name] = ("path_based_ttl_set", ttl)
    return found
