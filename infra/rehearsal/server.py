"""The plugin's gRPC service, and the process that serves it on 127.0.0.1. Thin: what is answered lies in `provider`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn, Protocol

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from infra.rehearsal import calls
from infra.rehearsal.change import Act, Change
from infra.rehearsal.check import Failure
from infra.rehearsal.metadata import DEFAULT_PATH, Metadata, MetadataError
from infra.rehearsal.provider import Ask, Provider
from infra.rehearsal.refusal import HalfMade, Refusal
from infra.rehearsal.wire import Values, decode, encode, plain

FOLDER_VARIABLE: Final = "KAKERA_REHEARSAL_DIR"
METADATA_VARIABLE: Final = "KAKERA_REHEARSAL_METADATA"  # another data file, for tests
MAX_MESSAGE_BYTES: Final = 64 << 20  # a host's user data and a policy are far below; the engine's own limit is higher
MAX_WORKERS: Final = 16  # the engine's own default parallelism on a small machine
PARENT_CHECK_S: Final = 1.0
USAGE_EXIT: Final = 2
_DETAILS: Final = "grpc-status-details-bin"
_Kind = provider_pb2.PropertyDiff
_KINDS: Final = {
    (Act.ADD, False): _Kind.ADD,
    (Act.ADD, True): _Kind.ADD_REPLACE,
    (Act.DELETE, False): _Kind.DELETE,
    (Act.DELETE, True): _Kind.DELETE_REPLACE,
    (Act.UPDATE, False): _Kind.UPDATE,
    (Act.UPDATE, True): _Kind.UPDATE_REPLACE,
}


class _Request(Protocol):
    """What every call about a resource says."""

    @property
    def urn(self) -> str: ...
    @property
    def type(self) -> str: ...


class Service(provider_pb2_grpc.ResourceProviderServicer):
    """One provider instance of the engine."""

    def __init__(self, metadata: Metadata, folder: Path) -> None:
        self._version = metadata.version
        self._folder = folder
        self._provider = Provider(metadata, folder)

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        failures = self._provider.check_configuration(decode(request.news))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_told(failures))

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old, new = (plain(decode(side).get("region")) for side in (request.old_inputs or request.olds, request.news))
        if old == new:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        changed = provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=changed, replaces=["region"], diffs=["region"])

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        with self._answering("configure", Ask("", ""), context):
            self._provider.configure(decode(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        ask = _ask(request)
        with self._answering("check", ask, context):
            inputs, failures = self._provider.check(ask, decode(request.news))
        return provider_pb2.CheckResponse(inputs=encode(inputs), failures=_told(failures))

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        ask = _ask(request, request.id)
        with self._answering("diff", ask, context):
            planned = self._provider.diff(ask, _state(request.olds), decode(request.news), request.ignoreChanges)
        found = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(
            changes=found.DIFF_SOME if planned.changes else found.DIFF_NONE,
            diffs=_names(planned.changes),
            replaces=_names(change for change in planned.changes if change.replaces),
            deleteBeforeReplace=planned.delete_first,
            hasDetailedDiff=True,
            detailedDiff={
                change.path: provider_pb2.PropertyDiff(kind=_KINDS[change.act, change.replaces])
                for change in planned.changes
            },
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        ask = _ask(request)
        with self._answering("create", ask, context, preview=request.preview):
            identity, state = self._provider.create(ask, decode(request.properties), preview=request.preview)
        return provider_pb2.CreateResponse(id=identity, properties=_outputs(identity, state))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        ask = _ask(request, request.id)
        with self._answering("read", ask, context):
            seen = self._provider.read(ask, _state(request.properties), decode(request.inputs))
        if seen is None:
            return provider_pb2.ReadResponse()
        outputs = _outputs(request.id, seen.state)
        return provider_pb2.ReadResponse(id=request.id, properties=outputs, inputs=encode(seen.inputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        ask = _ask(request, request.id)
        with self._answering("update", ask, context, preview=request.preview):
            state = self._provider.update(ask, _state(request.olds), decode(request.news), preview=request.preview)
        return provider_pb2.UpdateResponse(properties=_outputs(request.id, state))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        ask = _ask(request, request.id)
        with self._answering("delete", ask, context):
            self._provider.delete(ask)
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        with self._answering("invoke", Ask(request.tok, ""), context):
            raise Refusal(f"{request.tok}: nothing calls the cloud at preview: take it from the Plan or an output")

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    @contextmanager
    def _answering(
        self, operation: str, ask: Ask, context: grpc.ServicerContext, *, preview: bool = False
    ) -> Iterator[None]:
        """Log the call; a refusal ends it."""
        outcome = "ok"
        try:
            yield
        except Refusal as refusal:
            outcome = str(refusal)
            _abort(context, refusal)
        except Exception as error:
            outcome = f"defect: {error!r}"
            raise
        finally:
            region = self._provider.region
            logged = calls.Logged(operation, ask.type, ask.name, region, ask.id, preview, outcome)
            calls.append(self._folder, logged)


def _ask(request: _Request, identity: str = "") -> Ask:
    # Engines of old send no type; it is the last word of the URN's third part.
    kind = request.type or request.urn.split("::")[2].rpartition("$")[2]
    return Ask(kind, request.urn, identity)


def _outputs(identity: str, state: Values) -> struct_pb2.Struct:
    """As the real provider's: the id is an output too, by which a program knows who made a state."""
    return encode({**state, "id": identity} if identity else state)


def _state(outputs: struct_pb2.Struct) -> Values:
    """What `_outputs` was given."""
    return {name: value for name, value in decode(outputs).items() if name != "id"}


def _told(failures: Iterable[Failure]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=failure.path, reason=failure.reason) for failure in failures]


def _names(found: Iterable[Change]) -> list[str]:
    return list(dict.fromkeys(change.name for change in found))


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    if isinstance(refusal, HalfMade):
        detail = provider_pb2.ErrorResourceInitFailed(
            id=refusal.identity,
            properties=_outputs(refusal.identity, refusal.state),
            inputs=encode(refusal.inputs),
            reasons=[str(refusal)],
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(refusal), details=[packed])
        context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
    raise AssertionError("abort raises")  # which its types do not say


def start(metadata: Metadata, folder: Path) -> tuple[grpc.Server, int]:
    """A started server and its port, on this machine's own address only."""
    options = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(max_workers=MAX_WORKERS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Service(metadata, folder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> int:
    """Serve until the engine ends. Exit code 2, and nothing on stdout, when this may not run."""
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return _refuse(f"this is the rehearsal's provider, no real one: it needs {FOLDER_VARIABLE} (infra/rehearsal)")
    folder = Path(named)
    if not folder.is_dir():
        return _refuse(f"{FOLDER_VARIABLE} names no folder: {folder}")
    try:
        metadata = Metadata.load(Path(os.environ.get(METADATA_VARIABLE) or DEFAULT_PATH))
    except MetadataError as error:
        return _refuse(str(error))
    engine = os.getppid()
    server, port = start(metadata, folder)
    sys.stdout.write(f"{port}\n")  # what the engine waits for; nothing else is ever written there
    sys.stdout.flush()
    while server.wait_for_termination(timeout=PARENT_CHECK_S):  # true: the time is over, and it still serves
        if os.getppid() != engine:  # killed, it could not say goodbye: what is not done yet is not done any more
            os._exit(0)
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"kakera rehearsal: {reason}\n")
    return USAGE_EXIT


