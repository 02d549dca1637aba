"""The settings object: a secret as a whole, encrypted as its bucket is, there before the first gateway."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.components.artifacts import Artifacts, ArtifactsArgs
from tests.infra.components.house import children
from tests.infra.components.recorder import Recorded, named, only, record


def built(**other: Any) -> tuple[list[Recorded], list[Artifacts]]:
    made: list[Artifacts] = []
    given: dict[str, Any] = {"encryption": "KMS", "key_id": "key-1", "settings": str, **other}

    def build(opts: pulumi.ResourceOptions) -> None:
        # Outputs belong to the loop that they are made in.
        settings = given["settings"]("{}")
        args = ArtifactsArgs(
            name="gateways-settings", bucket="b-artifacts", key="settings.json", **{**given, "settings": settings}
        )
        made.append(Artifacts("artifacts", args, opts))

    return record(build), made


def test_the_object() -> None:
    found, made = built()
    sent = only(children(found, "Artifacts"), "BucketObject")
    assert sent.inputs == {
        "bucket": "b-artifacts",
        "key": "settings.json",
        "content": "{}",
        "contentType": "application/json",
        "serverSideEncryption": "KMS",
        "kmsKeyId": "key-1",
    }
    assert not sent.protect, "it holds secrets: destroy takes it away"
    assert [len(one.made) for one in made] == [1]
    assert named(found, "artifacts").outputs == {"key": "settings.json"}


@pytest.mark.parametrize("settings", [str, pulumi.Output.from_input, pulumi.Output.secret])
def test_its_text_is_a_secret_whatever_was_given(settings: Any) -> None:
    assert only(built(settings=settings)[0], "BucketObject").secrets == {"content"}


@pytest.mark.parametrize(
    ("encryption", "key_id", "sent"),
    [("KMS", None, ("KMS", None)), ("AES256", "key-1", ("AES256", None)), ("KMS", "k", ("KMS", "k"))],
)
def test_it_is_encrypted_as_its_bucket_is(encryption: Any, key_id: str | None, sent: tuple[str, str | None]) -> None:
    inputs = only(children(built(encryption=encryption, key_id=key_id)[0], "Artifacts"), "BucketObject").inputs
    assert (inputs["serverSideEncryption"], inputs.get("kmsKeyId")) == sent
