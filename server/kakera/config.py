"""Frozen settings of one server, from one TOML file: the contract between the deployment framework and the store.

The file is rendered by `infra/render` and edited by nobody (docs/adr/0001). It names secrets, it never holds them: an
`[[accounts]]` entry points to a JSON file of mode 0600 that `load_accounts` reads.

What each setting means stands beside it in the classes below.

`load(path) -> Config` reads, checks and freezes; every problem of the file is reported at once in one `ConfigError`,
each line naming the field and the remedy. Sizes are in bytes, times in the unit that ends the field's name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

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
    health_listen: str = ""  # HOST:PORT, plain HTTP: /health/live and /health/ready alone, for load balancers
    read_only: bool = False  # a copy of another store: what changes something is refused, reads are served
    primary: str = ""  # URL of the store that takes the writes; told to clients that are refused

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
    """One drive of the store; drives that fail together share a domain."""

    path: str
    domain: str
    host: str = ""  # server.name of the server that has it; "": this one


class AccountEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account by reference: the file that holds its credentials."""

    name: str
    credentials_file: str


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With this section `server.listen` speaks TLS 1.2 or later alone. PEM files; SIGHUP reads them again."""

    certificate_file: str  # the server's certificate first, then those that lead to its authority
    key_file: str  # mode 0600


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How connections begin and end."""

    graceful_timeout_s: int = int(limits.DRAIN_LIMIT_S)  # after SIGTERM requests under way may take so long
    keepalive_s: int = int(limits.KEEP_ALIVE_S)  # an idle connection is kept so long; longer than the balancer's
    backlog: int = limits.LISTEN_BACKLOG  # connections the kernel holds while workers are busy


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
    tls: Tls | None = None
    http: Http = Http()
    journal: Journal = Journal()
    bulk: Bulk = Bulk()
    space: Space = Space()
    background: Background = Background()
    log: Log = Log()

    def is_own(self, drive: Drive) -> bool:
        return drive.host in ("", self.server.name)

    @property
    def out_of_reach(self) -> str:
        """Why this server can only stand by, "" when it can serve. Drives of other hosts need the node API; until it is
        there they would be absent drives (R8), and a store must not be formatted or opened with a part of its drives.
        """
        elsewhere = sum(not self.is_own(drive) for drive in self.drives)
        if not elsewhere:
            return ""
        return f"{elsewhere} of {len(self.drives)} drives belong to other hosts, which this version cannot reach"


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
    ("http", "graceful_timeout_s"): (1, 3600, "a stop must end, and SDKs give up earlier"),
    ("http", "keepalive_s"): (1, 3600, "idle connections take memory and places"),
    ("http", "backlog"): (16, 65_535, "the kernel takes no more, and few lose connections in a burst"),
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
    problems = [*_value_problems(config), *_server_problems(config.server), *_path_problems(config)]
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


def read_secret(path: Path, what: str) -> bytes:
    """A file that nobody else may read. Raises: ConfigError."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            # The mode is taken from the open file: what was checked is what is read.
            status = os.fstat(file.fileno())
            if status.st_mode & 0o077:
                found = f"{status.st_mode & 0o777:04o}"
                raise ConfigError(path, (f"has mode {found}, others could read the secret: chmod 600 {path}",))
            if status.st_uid not in (os.geteuid(), 0):
                remedy = "chown it to the user the server runs as"
                raise ConfigError(path, (f"belongs to user id {status.st_uid}: {remedy}",))
            return file.read(limits.MAX_CONFIG_BYTES) or b""  # None: a pipe that nobody writes to
    except (OSError, ValueError) as error:  # ValueError: no path at all
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(path, (f"{what} cannot be read: {reason}",)) from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _read_account(entry: AccountEntry) -> Account:
    path = Path(entry.credentials_file)
    raw = read_secret(path, f"credentials of account {entry.name!r}")
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


def _struct(kind: Any) -> Any:
    """The Struct that a field holds, also when the field is optional; None when it holds another kind of value."""
    kinds = (kind, *get_args(kind))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


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
        elif key in _LISTS and isinstance(value, list):
            for number, item in enumerate(value):
                yield from _unknown_keys(item, _LISTS[key], f"{place}[{number}]")
        elif (held := _struct(fields[key])) is not None:
            yield from _unknown_keys(value, held, place)


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


def _server_problems(server: Server) -> Iterator[str]:
    yield from _listen_problems("server.listen", server.listen)
    if server.health_listen:
        yield from _listen_problems("server.health_listen", server.health_listen)
        ports = {place.rpartition(":")[2].lstrip("0") for place in (server.listen, server.health_listen)}
        if len(ports) == 1:
            yield f"server.health_listen = {server.health_listen!r}: is the port of server.listen, give it its own"
    if server.primary:
        if not _is_plain_url(server.primary):
            yield f'server.primary = {server.primary!r}: write a URL such as "https://s3.example.com"'
        if not server.read_only:
            yield "server.primary: has a meaning with read_only = true alone"


def _is_plain_url(text: str) -> bool:
    """Of a host, and nothing in it that clients must not be told."""
    try:
        url = urlsplit(text)
        named = url.hostname and url.port != 0
    except ValueError:
        return False
    clean = text.isascii() and text.isprintable() and " " not in text and "@" not in url.netloc
    return clean and bool(named) and url.scheme in ("http", "https")


def _listen_problems(place: str, listen: str) -> Iterator[str]:
    host, _, port = listen.rpartition(":")
    remedy = 'write HOST:PORT such as "127.0.0.1:9000"'
    if host in ("", "unix") or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        yield f"{place} = {listen!r}: {remedy}"
    elif ":" in host and not (host.startswith("[") and host.endswith("]")):
        yield f"{place} = {listen!r}: put an IPv6 address in brackets, [::1]:9000"


def _path_problems(config: Config) -> Iterator[str]:
    places = {f"drives[{number}].path": drive.path for number, drive in enumerate(config.drives)}
    places["server.state_dir"] = config.server.state_dir
    files = {f"accounts[{n}].credentials_file": entry.credentials_file for n, entry in enumerate(config.accounts)}
    if config.tls is not None:
        files |= {"tls.certificate_file": config.tls.certificate_file, "tls.key_file": config.tls.key_file}
    for place, path in (places | files).items():
        if not os.path.isabs(path):
            yield f"{place} = {path!r}: must be an absolute path"
    if (size := len(os.fsencode(config.server.state_dir))) > limits.MAX_STATE_DIR_BYTES:
        yield f"server.state_dir has {size} bytes: the path of a socket below it takes {limits.MAX_STATE_DIR_BYTES}"
    yield from _folder_problems(config)
    for number, drive in enumerate(config.drives):
        if not drive.domain:
            yield f"drives[{number}].domain: must name what fails together with this drive"


def _folder_problems(config: Config) -> Iterator[str]:
    """Folders of one host that are the same or lie in one another. Of other hosts only the text of a path is known."""
    taken: dict[tuple[str, Path], str] = {}
    for number, drive in enumerate(config.drives):
        own = config.is_own(drive)
        key = ("" if own else drive.host, Path((os.path.realpath if own else os.path.normpath)(drive.path)))
        yield from _same_folder(taken, key, f"drives[{number}].path")
    yield from _same_folder(taken, ("", Path(os.path.realpath(config.server.state_dir))), "server.state_dir")
    for (host, folder), place in taken.items():
        for parent in folder.parents:
            if (host, parent) in taken:
                yield f"{place} = {str(folder)!r} lies inside {taken[host, parent]}: give each its own folder"


def _same_folder(taken: dict[tuple[str, Path], str], key: tuple[str, Path], place: str) -> Iterator[str]:
    if key in taken:
        yield f"{place} is the same folder as {taken[key]}: a drive must fail alone"
    taken.setdefault(key, place)


def _duplicates(section: str, field: str, values: list[str]) -> Iterator[str]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{section}[{number}].{field} = {value!r}: is taken by {section}[{values.index(value)}]"
