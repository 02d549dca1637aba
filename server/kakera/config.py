"""Frozen settings of one server, from one TOML file: the contract between the deployment framework and the store.

The file is rendered by `infra/render` and edited by nobody (docs/adr/0001). It names secrets, it never holds them: an
`[[accounts]]` entry points to a JSON file of mode 0600 that `load_accounts` reads.

`load(path) -> Config` reads, checks and freezes; every problem of the file is reported at once in one `ConfigError`,
each line naming the field and the remedy. Sizes are in bytes, times in the unit that ends the field's name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from kakera.base import limits

LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class ConfigError(Exception):
    """The settings cannot be used. `problems` holds one line for each finding: where, what, remedy."""

    def __init__(self, source: Path, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who this server is, where it listens and where it keeps what can be rebuilt from the drives."""

    name: str
    listen: str  # HOST:PORT, [HOST]:PORT for IPv6
    state_dir: str  # index, sockets, pins, metrics
    workers: int = 2
    region: str = "us-east-1"
    base_domains: tuple[str, ...] = ()  # BUCKET.<base domain> is the virtual-hosted style

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Erasure coding: k data and m parity fragments of a chunk."""

    k: int
    m: int
    chunk_bytes: int = limits.CHUNK_BYTES


class Drive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One drive of this server; drives that fail together share a domain."""

    path: str
    domain: str


class AccountEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account by reference: the file that holds its credentials."""

    name: str
    credentials_file: str


class Journal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    laggard_limit_ms: int = 2000  # R2
    segment_bytes: int = 64 * limits.MIB
    resend_limit_s: int = 30  # R16


class Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    segment_bytes: int = 256 * limits.MIB


class Space(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    reserve_bytes: int = 64 * limits.MIB  # on each drive, for cleaning and DELETE (R7)


class Background(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    rate_bytes_per_s: int = 64 * limits.MIB  # the one throttle number (R14)
    interval_s: int = 5


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    level: str = "info"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One server's settings; equal files give equal values."""

    server: Server
    profile: Profile
    drives: tuple[Drive, ...]
    accounts: tuple[AccountEntry, ...]
    journal: Journal = Journal()
    bulk: Bulk = Bulk()
    space: Space = Space()
    background: Background = Background()
    log: Log = Log()


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs requests: the entry's name and what its credentials file holds."""

    account_id: str
    display_name: str
    access_key_id: str
    secret_access_key: str
    name: str

    def __repr__(self) -> str:
        # A secret in a traceback is a secret in a log.
        return f"Account(name={self.name!r}, access_key_id={self.access_key_id!r})"


_LISTS: Final[dict[str, Any]] = {"drives": Drive, "accounts": AccountEntry}  # what [[...]] holds

# (section, field) -> lowest, highest, why not beyond. The highest values catch a unit mistaken for another.
_RANGES: Final[dict[tuple[str, str], tuple[int, int, str]]] = {
    ("server", "workers"): (1, limits.MAX_WORKERS, "one or two a core"),
    ("profile", "k"): (limits.MIN_K, limits.MAX_K, "profiles go from 2+1 to 12+4"),
    ("profile", "m"): (limits.MIN_M, limits.MAX_M, "profiles go from 2+1 to 12+4"),
    ("profile", "chunk_bytes"): (limits.CRC_BLOCK_BYTES, limits.CHUNK_BYTES, "a request holds a few chunks in memory"),
    ("journal", "laggard_limit_ms"): (10, 60_000, "every ack may wait this long for the slowest drive"),
    ("journal", "segment_bytes"): (limits.CRC_BLOCK_BYTES, 4 * limits.GIB, "recovery reads all of a segment"),
    ("journal", "resend_limit_s"): (1, 600, "a client waits no longer"),
    ("bulk", "segment_bytes"): (limits.CRC_BLOCK_BYTES, 64 * limits.GIB, "compaction rewrites a segment at a time"),
    ("space", "reserve_bytes"): (limits.MIB, 1024 * limits.GIB, "cleaning needs room to write before it frees any"),
    ("background", "rate_bytes_per_s"): (limits.MIB, 64 * limits.GIB, "heal must outrun decay"),
    ("background", "interval_s"): (1, 86_400, "background work looks around at least daily"),
}


def load(path: Path) -> Config:
    """Read and check one server.toml.

    Raises: ConfigError with every problem found: unreadable file, TOML syntax, unknown or missing key, wrong type,
    value out of range, drives too few for the profile, duplicate or nested paths.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limits.MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, (f"cannot be read: {error.strerror}",)) from error
    if len(raw) > limits.MAX_CONFIG_BYTES:
        raise ConfigError(path, (f"is larger than {limits.MAX_CONFIG_BYTES} bytes: this is no server.toml",))
    try:
        tree = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, (f"is no valid TOML: {error}",)) from error
    return from_tree(tree, source=path)


def from_tree(tree: Mapping[str, Any], *, source: Path) -> Config:
    """Check parsed settings; `source` only names them in messages. Raises: ConfigError."""
    problems = [*_unknown_keys(tree, Config, ""), *_missing_sections(tree)]
    for key, kind in _sections().items():
        if key in tree:
            problems += _type_problems(tree[key], kind, key)
    if problems:
        raise ConfigError(source, tuple(dict.fromkeys(problems)))
    config = msgspec.convert(dict(tree), Config)
    problems = [*_value_problems(config), *_listen_problems(config.server), *_path_problems(config)]
    if problems:
        raise ConfigError(source, tuple(problems))
    return config


def load_accounts(config: Config) -> tuple[Account, ...]:
    """Read every account's credentials file, in the order of the settings.

    Raises: ConfigError when a file is missing, readable by others than its owner, malformed, or when two accounts
    share an access key.
    """
    accounts: list[Account] = []
    for entry in config.accounts:
        account = _read_account(entry)
        for other in accounts:
            if other.access_key_id == account.access_key_id:
                problem = f"has the access key of account {other.name!r}: give each account its own"
                raise ConfigError(Path(entry.credentials_file), (problem,))
        accounts.append(account)
    return tuple(accounts)


def _read_account(entry: AccountEntry) -> Account:
    path = Path(entry.credentials_file)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(path, (f"credentials of account {entry.name!r} cannot be read: {error.strerror}",)) from error
    with open(descriptor, "rb") as file:
        # The mode is taken from the open file: what was checked is what is read.
        status = os.fstat(file.fileno())
        if status.st_mode & 0o077:
            found = f"{status.st_mode & 0o777:04o}"
            raise ConfigError(path, (f"has mode {found}, others could read the secret: chmod 600 {path}",))
        if status.st_uid not in (os.geteuid(), 0):
            raise ConfigError(path, (f"belongs to user id {status.st_uid}: chown it to the user the server runs as",))
        raw = file.read(limits.MAX_CONFIG_BYTES)
    try:
        found_keys = msgspec.json.decode(raw, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise ConfigError(path, (f"is no JSON object of strings: {error}",)) from error
    wanted = ("account_id", "display_name", "access_key_id", "secret_access_key")
    problems = [f"{key} is missing or empty" for key in wanted if not found_keys.get(key)]
    problems += [f"unknown key {key!r}{_did_you_mean(key, wanted)}" for key in found_keys if key not in wanted]
    access_key_id = found_keys.get("access_key_id", "")
    if set(access_key_id) & set("/,=") or not access_key_id.isascii() or any(c.isspace() for c in access_key_id):
        problems.append("access_key_id: letters and digits only, '/' ',' '=' and blanks have a meaning in a signature")
    if problems:
        raise ConfigError(path, tuple(problems))
    return Account(name=entry.name, **{key: found_keys[key] for key in wanted})


def _sections() -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(Config)}


def _missing_sections(tree: Mapping[str, Any]) -> Iterator[str]:
    for field in msgspec.structs.fields(Config):
        if field.required and field.encode_name not in tree:
            header = f"[{field.encode_name}]"
            yield f"section {f'[{header}]' if field.encode_name in _LISTS else header} is missing"


def _unknown_keys(tree: Any, kind: Any, where: str) -> Iterator[str]:
    """Every key no Struct knows, found here because msgspec stops at the first."""
    if not isinstance(tree, Mapping):
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in tree.items():
        place = f"{where}.{key}" if where else key
        if key not in fields:
            yield f"{place}: unknown key{_did_you_mean(key, fields)}"
        elif isinstance(fields[key], type) and issubclass(fields[key], msgspec.Struct):
            yield from _unknown_keys(value, fields[key], place)
        elif key in _LISTS and isinstance(value, list):
            for number, item in enumerate(value):
                yield from _unknown_keys(item, _LISTS[key], f"{place}[{number}]")


def _type_problems(value: Any, kind: Any, where: str) -> Iterator[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        if "unknown field" not in text:  # reported by _unknown_keys, with its hint
            message, _, place = text.partition(" - at `$")
            yield f"{where}{place.rstrip('`')}: {message}"


def _did_you_mean(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _value_problems(config: Config) -> Iterator[str]:
    for (section, field), (low, high, why) in _RANGES.items():
        value = getattr(getattr(config, section), field)
        if not low <= value <= high:
            yield f"{section}.{field} = {value}: must be from {low} to {high} ({why})"
    profile = config.profile
    if profile.chunk_bytes % limits.CRC_BLOCK_BYTES:
        yield f"profile.chunk_bytes = {profile.chunk_bytes}: must be a multiple of {limits.CRC_BLOCK_BYTES}"
    if len(config.drives) < profile.k + profile.m:
        yield (
            f"drives: {len(config.drives)} given, profile {profile.k}+{profile.m} needs {profile.k + profile.m}: "
            "add drives or choose a smaller profile"
        )
    if config.log.level not in LOG_LEVELS:
        yield f"log.level = {config.log.level!r}: one of {', '.join(LOG_LEVELS)}"
    if not config.accounts:
        yield "accounts: at least one is needed, nobody could sign a request"
    yield from _duplicates("accounts", "name", [account.name for account in config.accounts])
    for place, value in (("server.name", config.server.name), ("server.region", config.server.region)):
        if not value.strip():
            yield f"{place}: must not be empty"


def _listen_problems(server: Server) -> Iterator[str]:
    host, _, port = server.listen.rpartition(":")
    remedy = 'write HOST:PORT such as "127.0.0.1:9000"'
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        yield f"server.listen = {server.listen!r}: {remedy}"
    elif ":" in host and not (host.startswith("[") and host.endswith("]")):
        yield f"server.listen = {server.listen!r}: put an IPv6 address in brackets, [::1]:9000"


def _path_problems(config: Config) -> Iterator[str]:
    places = {f"drives[{number}].path": drive.path for number, drive in enumerate(config.drives)}
    places["server.state_dir"] = config.server.state_dir
    for place, path in places.items():
        if not os.path.isabs(path):
            yield f"{place} = {path!r}: must be an absolute path"
    for number, entry in enumerate(config.accounts):
        if not os.path.isabs(entry.credentials_file):
            yield f"accounts[{number}].credentials_file = {entry.credentials_file!r}: must be an absolute path"
    taken: dict[Path, str] = {}
    for place, path in places.items():
        real = Path(os.path.realpath(path))
        if real in taken:
            yield f"{place} is the same folder as {taken[real]}: a drive must fail alone"
        taken.setdefault(real, place)
    for real, place in taken.items():
        for parent in real.parents:
            if parent in taken:
                yield f"{place} = {str(real)!r} lies inside {taken[parent]}: give each its own folder"
    for number, drive in enumerate(config.drives):
        if not drive.domain:
            yield f"drives[{number}].domain: must name what fails together with this drive"


def _duplicates(section: str, field: str, values: list[str]) -> Iterator[str]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{section}[{number}].{field} = {value!r}: is taken by {section}[{values.index(value)}]"
