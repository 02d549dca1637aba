"""The one part of the framework that asks the cloud for prices: by Alibaba Cloud's own client, imported when needed.

Only `kakera-infra catalogue refresh` comes here. Nothing is made, changed or bought: every action is a query.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal

from infra.blueprint.prices import Price, PriceFile, Source
from infra.cost import questions
from infra.cost.questions import Facts, Question, Reply, ReplyError, Service

VERSIONS: Final[Mapping[Service, str]] = {"ecs": "2014-05-26", "bss": "2017-12-14"}
PACKAGE: Final = "alibabacloud-tea-openapi"
READ_TIMEOUT_MS: Final = 20_000
CONNECT_TIMEOUT_MS: Final = 5_000
SITE: Final = "https://api.aliyun.com/"  # where the interfaces are described


class AskError(Exception):
    """Nothing can be asked: no package, no credentials, or nobody answers. The message has the remedy."""


@dataclass(frozen=True)
class Endpoints:
    """Where the interfaces answer; `bss` differs between the site of China and the international one."""

    ecs: str
    bss: str
    protocol: Literal["https", "http"] = "https"

    @staticmethod
    def of(region: str, *, site: Literal["china", "international"]) -> Endpoints:
        bss = "business.aliyuncs.com" if site == "china" else "business.ap-southeast-1.aliyuncs.com"
        return Endpoints(f"ecs.{region}.aliyuncs.com", bss)

    def host(self, service: Service) -> str:
        return self.ecs if service == "ecs" else self.bss


@dataclass(frozen=True)
class Answers:
    """`file` holds what was stated; `refused`: what the cloud did not answer, each with its reason."""

    file: PriceFile
    facts: Facts
    refused: tuple[str, ...]


Call = Callable[[Question], Reply]


def client(endpoints: Endpoints) -> Call:
    """Something that can be asked. Raises: AskError without the package or without credentials."""
    # Unless a role is named, the client would look for one at an address that answers only inside the cloud. It reads
    # this when it is imported.
    if "ALIBABA_CLOUD_ECS_METADATA" not in os.environ:
        os.environ.setdefault("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    try:
        from alibabacloud_credentials.client import Client as Credentials
        from alibabacloud_tea_openapi import models
        from alibabacloud_tea_openapi.client import Client
        from darabonba.runtime import RuntimeOptions
    except ImportError as error:
        raise AskError(f"{PACKAGE} is not installed: pip install 'kakera[catalogue]'") from error
    credentials = _credentials(Credentials)
    clients = {
        service: Client(
            models.Config(credential=credentials, endpoint=endpoints.host(service), protocol=endpoints.protocol)
        )
        for service in VERSIONS
    }
    runtime = RuntimeOptions(
        read_timeout=READ_TIMEOUT_MS, connect_timeout=CONNECT_TIMEOUT_MS, autoretry=True, max_attempts=2
    )

    def call(question: Question) -> Reply:
        return _called(clients[question.service], models, runtime, question, protocol=endpoints.protocol)

    return call


def _credentials(kind: Any) -> Any:
    """Of the client's own chain: environment, profile, OIDC, and the role of an ECS instance where one is named."""
    try:
        found = kind()
        found.get_credential()
    except Exception as error:  # the package has no error of its own for this, and any means the same here
        raise AskError(
            "no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or a profile of the "
            "aliyun command; a RAM user with AliyunECSReadOnlyAccess and AliyunBSSReadOnlyAccess is enough"
        ) from error
    return found


def _called(client: Any, models: ModuleType, runtime: Any, question: Question, *, protocol: str) -> Reply:
    """Raises: ReplyError for what the cloud refuses; AskError when nobody answers."""
    params = models.Params(
        action=question.action,
        version=VERSIONS[question.service],
        protocol=protocol.upper(),
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    try:
        reply = client.call_api(params, models.OpenApiRequest(query=dict(question.query)), runtime)
    except Exception as error:
        code = getattr(error, "code", None)
        status = getattr(error, "status_code", None) or getattr(error, "statusCode", None)
        if status is None and not (isinstance(code, str) and code):
            raise AskError(f"{question.action}: nobody answers: {error}") from error
        raise ReplyError(f"{code}: {getattr(error, 'message', error)}") from error
    body = reply.get("body")
    if not isinstance(body, Mapping):
        raise ReplyError("the reply is no object")
    return body


def ask(
    call: Call,
    region: str,
    types: tuple[str, ...],
    *,
    today: datetime.date,
    told: Callable[[str], None] = lambda step: None,
) -> Answers:
    """All questions, one after the other; a refusal is noted and the rest asked. Raises: AskError: nobody answers."""
    name = f"asked-{region}"
    found: list[Price] = []
    refused: list[str] = []
    replies: dict[str, Reply] = {}
    hosts = tuple(name for name in types if name.startswith("ecs."))
    for question in (*questions.facts(region), questions.type_facts(region, hosts)):
        told(question.action)
        try:
            replies[question.action] = call(question)
        except ReplyError as error:
            refused.append(f"{question.action}: {error}")
    for question in questions.prices(region, types):
        names = ", ".join(" ".join(filter(None, (one.item, one.sku, one.charge))) for _, one in question.prices)
        told(names)
        try:
            prices = questions.read_prices(question, call(question), region=region, source=name)
        except ReplyError as error:
            refused.append(f"{names}: {error}")
            continue
        found += prices
        if len(prices) < len(question.prices):
            refused.append(f"{names}: not all of it is priced in the reply")
    source = Source(title=f"Alibaba Cloud, asked for its list prices in {region}", at=SITE, date=today)
    file = PriceFile(sources={name: source}, prices=tuple(found))
    return Answers(file, questions.read_facts(replies), tuple(refused))
