"""What the provider answers, without the wire: checks, plans, and the cloud's own acts with their faults."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.rehearsal import computed, rules
from infra.rehearsal.change import Change, changes
from infra.rehearsal.check import Failure, check, normalise, unknown
from infra.rehearsal.cloud import Birth, Cloud, Thing
from infra.rehearsal.computed import PREFIX, Subject
from infra.rehearsal.faults import Call, Fault, FaultKind, Faults
from infra.rehearsal.metadata import Kind, Metadata, Property, Resource
from infra.rehearsal.refusal import HalfMade, Refusal
from infra.rehearsal.sealed import seal, unseal
from infra.rehearsal.wire import Secret, Value, Values, has_unknown, plain

WAIT_S: Final = 15.0  # time enough to kill an engine, and short enough to wait for
_ENGINES_OWN: Final = frozenset({"version", "pluginDownloadURL"})
_BEFORE: Final = {
    FaultKind.QUOTA: "Code: QuotaExceeded. The quota of {type} in {region} is used up",
    FaultKind.THROTTLED: "Code: Throttling.User. Request was denied due to user flow control",
    FaultKind.TIMEOUT: "timeout while waiting for {operation} of {type}",
}


@dataclass(frozen=True)
class Ask:
    """Which resource a call is about. `id` is empty until there is one."""

    type: str
    urn: str
    id: str = ""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Planned:
    """What an update would do."""

    changes: tuple[Change, ...]
    delete_first: bool


@dataclass(frozen=True)
class Seen:
    """A resource as the cloud has it."""

    state: Values
    inputs: Values


class Provider:
    """One region's provider. Raises: Refusal wherever the real one would fail."""

    def __init__(self, metadata: Metadata, folder: Path) -> None:
        self._metadata = metadata
        self._cloud = Cloud(folder)
        self._faults = Faults(folder)
        self.region = ""

    def configure(self, settings: Mapping[str, Value]) -> None:
        region = plain(settings.get("region"))
        if not isinstance(region, str) or not region:
            raise Refusal("the provider needs `region`: give each stack its explicit regional provider")
        self.region = region

    def check_configuration(self, settings: Mapping[str, Value]) -> tuple[Failure, ...]:
        """What is wrong with the provider's own arguments; they come as text, so only their names are judged."""
        found: list[Failure] = []
        if plain(settings.get("region")) in (None, ""):
            found.append(Failure("region", "missing: give each stack its explicit regional provider"))
        if known := self._metadata.configuration:
            found += [unknown(name, name, known) for name in sorted({*settings} - known - _ENGINES_OWN)]
        return tuple(found)

    def check(self, ask: Ask, inputs: Mapping[str, Value]) -> tuple[Values, tuple[Failure, ...]]:
        """Normalised inputs, and everything wrong with them."""
        found = self._metadata.resource(ask.type)
        if found is None:
            return dict(inputs), (Failure("", _missing(ask.type)),)
        return normalise(found, inputs), check(found, inputs)

    def diff(
        self, ask: Ask, state: Mapping[str, Value], inputs: Mapping[str, Value], ignored: Sequence[str] = ()
    ) -> Planned:
        _refuse_real(ask)
        resource = self._resource(ask)
        found = changes(resource, state, inputs, ignored)
        return Planned(found, rules.frees_name_first(ask.type, state, inputs))

    def create(self, ask: Ask, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Id and state; at preview no id, and unknown where only the cloud can tell."""
        resource = self._resource(ask)
        if preview:
            return "", normalise(resource, computed.created(resource, self._subject(ask, inputs)))
        _refuse_unknown(inputs)
        fault = self._reach("create", ask)
        made: Values = {}

        def fill(identity: str) -> dict[str, object]:
            subject = self._subject(Ask(ask.type, ask.urn, identity), inputs)
            made.update(normalise(resource, computed.created(resource, subject)))
            return seal(made)

        thing = self._cloud.create(Birth(self.region, ask.type, ask.name, ask.urn), seal(inputs), fill)
        _spoil(fault, thing.id, made, inputs)
        return thing.id, made

    def read(self, ask: Ask, state: Mapping[str, Value], inputs: Mapping[str, Value]) -> Seen | None:
        """As the cloud has it now, or None when it is gone. Without `inputs` (an import) they come from the cloud."""
        _refuse_real(ask)
        resource = self._resource(ask)
        fault = self._reach("read", ask)
        thing = self._cloud.read(self.region, ask.id)
        if thing is None:
            return None
        _refuse_other_type(ask, thing)
        now = normalise(resource, unseal(thing.state, state))
        if inputs:
            block = Property(kind=Kind.OBJECT, fields=resource.properties)
            asked = _as_inputs(block, now, dict(inputs))
            assert isinstance(asked, dict)  # a block stays one
        else:
            asked = normalise(resource, unseal(thing.inputs, {}))
        _spoil(fault, thing.id, now, asked)
        return Seen(now, asked)

    def update(self, ask: Ask, state: Mapping[str, Value], inputs: Values, *, preview: bool) -> Values:
        """The state after it."""
        _refuse_real(ask)
        resource = self._resource(ask)
        after = normalise(resource, computed.updated(resource, self._subject(ask, inputs), state))
        if preview:
            return after
        _refuse_unknown(inputs)
        fault = self._reach("update", ask)
        changed = {name: value for name, value in after.items() if plain(value) != plain(state.get(name))}
        gone: dict[str, None] = {name: None for name in state if name not in after}
        thing = self._cloud.update(self.region, ask.id, {**seal(changed), **gone}, seal(inputs))
        now = normalise(resource, unseal(thing.state, after))
        _spoil(fault, ask.id, now, inputs)
        return now

    def delete(self, ask: Ask) -> None:
        _refuse_real(ask)
        fault = self._reach("delete", ask)
        self._cloud.delete(self.region, ask.id)
        _spoil(fault, ask.id, {}, {})

    def _resource(self, ask: Ask) -> Resource:
        found = self._metadata.resource(ask.type)
        if found is None:
            raise Refusal(_missing(ask.type))
        return found

    def _subject(self, ask: Ask, inputs: Mapping[str, Value]) -> Subject:
        return Subject(self.region, ask.type, ask.id, inputs)

    def _reach(self, operation: str, ask: Ask) -> Fault | None:
        """Go to the region's cloud; the fault that awaits the answer. Raises: Refusal for one on the way."""
        if not self.region:
            raise Refusal("the provider is not configured")
        if self.region in self._faults.weather().off:
            raise Refusal(f"dial tcp: {self.region}: connection refused (this rehearsal has the region switched off)")
        fault = self._faults.take(Call(operation, ask.type, ask.name, self.region))
        if fault is not None and fault.kind in _BEFORE:
            raise Refusal(_BEFORE[fault.kind].format(type=ask.type, region=self.region, operation=operation))
        if fault is not None and fault.kind is FaultKind.SLOW:
            time.sleep(WAIT_S)
            return None
        return fault


def _spoil(fault: Fault | None, identity: str, state: Values, inputs: Values) -> None:
    if fault is None:
        return
    if fault.kind is FaultKind.LATE:
        time.sleep(WAIT_S)
        return
    if fault.kind is FaultKind.PARTIAL and state:
        raise HalfMade(f"{identity} is there, but did not become ready in time", identity, state, inputs)
    raise Refusal("unexpected EOF: the connection broke before the answer came")


def _missing(token: str) -> str:
    return f"{token} is not in the rehearsal's data file (infra/rehearsal/metadata.json): add it with tools/provider"


def _refuse_real(ask: Ask) -> None:
    """P7: what a real run made is never touched."""
    if not ask.id.startswith(PREFIX):
        raise Refusal(
            f"{ask.id!r} is no rehearsal's: this stack was made by the real provider. "
            "Unset KAKERA_REHEARSAL_DIR and take infra/rehearsal/plugin off PATH"
        )


def _refuse_other_type(ask: Ask, thing: Thing) -> None:
    if thing.type != ask.type:
        raise Refusal(f"{thing.id} is a {thing.type}, not a {ask.type}")


def _refuse_unknown(inputs: Values) -> None:
    if open_ones := [name for name, value in inputs.items() if has_unknown(value)]:
        raise Refusal(f"not known although this is no preview: {', '.join(sorted(open_ones))}")


def _as_inputs(known: Property | None, now: Value, asked: Value) -> Value:
    """What the program would have to say to get this state: of a block, what it said before and what it could say."""
    if isinstance(now, Secret) or known is None:
        return now
    asked = plain(asked) if isinstance(asked, Secret) else asked
    if isinstance(now, dict) and known.kind is Kind.OBJECT:
        before = asked if isinstance(asked, dict) else {}
        return {
            name: _as_inputs(known.fields.get(name), value, before.get(name))
            for name, value in now.items()
            if name in before
        }
    if isinstance(now, list):
        beside = asked if isinstance(asked, list) else []
        return [
            _as_inputs(known.element, element, beside[at] if at < len(beside) else now[at])
            for at, element in enumerate(now)
        ]
    return now


