"""server.toml: what is accepted, and that every refusal names the field and the remedy."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.base import limits
from kakera.config import Account, Config, ConfigError, from_tree, load, load_accounts, read_secret

GOOD = """
[server]
name = "laptop"
listen = "127.0.0.1:9000"
state_dir = "/d/state"
[profile]
k = 2
m = 1
[[drives]]
path = "/d/drive-1"
domain = "a"
[[drives]]
path = "/d/drive-2"
domain = "b"
[[drives]]
path = "/d/drive-3"
domain = "c"
[[accounts]]
name = "main"
credentials_file = "/d/main.json"
"""
TREE: dict[str, Any] = {
    "server": {"name": "laptop", "listen": "127.0.0.1:9000", "state_dir": "/d/state"},
    "profile": {"k": 2, "m": 1},
    "drives": [{"path": f"/d/drive-{number}", "domain": f"laptop-{number}"} for number in (1, 2, 3)],
    "accounts": [{"name": "main", "credentials_file": "/d/main.json"}],
}
SECRET = '{"account_id": "A", "display_name": "a", "access_key_id": "KEY", "secret_access_key": "SECRET"}'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(text)
    return path


def changed(place: str, value: Any) -> dict[str, Any]:
    """TREE with one value replaced; `drives.0.path` names an item of a list."""
    tree = copy.deepcopy(TREE)
    *parents, last = place.split(".")
    node: Any = tree
    for part in parents:
        node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
    node[last] = value
    return tree


def problems(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        from_tree(tree, source=Path("x.toml"))
    return "\n".join(caught.value.problems)


def test_smallest_file_and_defaults(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert (config.server.host, config.server.port, config.server.workers) == ("127.0.0.1", 9000, 2)
    assert (config.profile.k, config.profile.m, config.profile.chunk_bytes) == (2, 1, 4_194_304)
    assert [drive.domain for drive in config.drives] == ["a", "b", "c"]
    assert config.journal.laggard_limit_ms == 2000
    assert config.journal.segment_bytes == 67_108_864
    assert config.journal.resend_limit_s == 30
    assert config.bulk.segment_bytes == 268_435_456
    assert config.space.reserve_bytes == 67_108_864
    assert (config.background.rate_bytes_per_s, config.background.interval_s) == (67_108_864, 5)
    assert config.log.level == "info"
    assert load(written(tmp_path, GOOD)) == config


def test_frozen(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    with pytest.raises(AttributeError):
        config.server.workers = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("place", "value", "wanted"),
    [
        ("server.prot", 1, "server.prot: unknown key"),
        ("server.worker", 1, "did you mean 'workers'?"),
        ("jurnal", {}, "jurnal: unknown key; did you mean 'journal'?"),
        ("drives.1.pth", "/x", "drives[1].pth: unknown key; did you mean 'path'?"),
        ("accounts.0.secret_access_key", "S", "accounts[0].secret_access_key: unknown key"),
        ("server.workers", "2", "server.workers: Expected `int`, got `str`"),
        ("server.workers", True, "server.workers: Expected `int`, got `bool`"),
        ("server.workers", 0, "server.workers = 0: must be from 1"),
        ("profile.k", 1, "profile.k = 1: must be from 2 to 12"),
        ("profile.k", 13, "profile.k = 13: must be from 2 to 12"),
        ("profile.m", 0, "profile.m = 0: must be from 1 to 4"),
        ("profile.m", 5, "profile.m = 5: must be from 1 to 4"),
        ("profile.m", 2, "drives: 3 given, profile 2+2 needs 4: add drives"),
        ("profile.chunk_bytes", 65_537, "must be a multiple of 65536"),
        ("profile.chunk_bytes", 8 << 20, "profile.chunk_bytes = 8388608: must be from"),
        ("server.listen", "9000", "HOST:PORT"),
        ("server.listen", "127.0.0.1:0", "HOST:PORT"),
        ("server.listen", "127.0.0.1:65536", "HOST:PORT"),
        ("server.listen", "127.0.0.1:٩", "HOST:PORT"),
        ("server.listen", "::1:9000", "put an IPv6 address in brackets"),
        ("server.state_dir", "state", "server.state_dir = 'state': must be an absolute path"),
        ("server.state_dir", "/d/drive-1/state", "lies inside drives[0].path"),
        ("drives.1.path", "/d/drive-1", "drives[1].path is the same folder as drives[0].path"),
        ("drives.1.path", "/d/./x/../drive-1/", "drives[1].path is the same folder as drives[0].path"),
        ("drives.2.path", "/d/drive-1/b", "drives[2].path = '/d/drive-1/b' lies inside drives[0].path"),
        ("drives.0.path", "d", "drives[0].path = 'd': must be an absolute path"),
        ("drives.0.domain", "", "drives[0].domain: must name what fails together"),
        ("accounts.0.credentials_file", "main.json", "accounts[0].credentials_file = 'main.json': must be an absolute"),
        ("accounts", [], "accounts: at least one"),
        ("journal.laggard_limit_ms", 2, "journal.laggard_limit_ms = 2: must be from 10"),
        ("background.rate_bytes_per_s", 64, "background.rate_bytes_per_s = 64: must be from"),
        ("log.level", "loud", "log.level = 'loud': one of debug, info, warning, error"),
        ("server.name", " ", "server.name: must not be empty"),
        ("drives", {}, "drives: Expected `array`, got `object`"),
    ],
)
def test_refusals_name_field_and_remedy(place: str, value: Any, wanted: str) -> None:
    assert wanted in problems(changed(place, value))


def test_same_folder_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").symlink_to("one")
    tree = changed("drives.0.path", str(tmp_path / "one"))
    tree["drives"][1]["path"] = str(tmp_path / "two")
    assert "drives[1].path is the same folder as drives[0].path" in problems(tree)


def test_all_problems_at_once() -> None:
    tree = changed("server.prot", 1)
    tree["profile"]["k"] = "4"
    del tree["accounts"]
    found = problems(tree)
    for wanted in ("server.prot", "profile.k", "section [[accounts]] is missing"):
        assert wanted in found


def test_every_section_missing() -> None:
    assert problems({}).splitlines() == [
        "section [server] is missing",
        "section [profile] is missing",
        "section [[drives]] is missing",
        "section [[accounts]] is missing",
    ]


def test_two_accounts_of_one_name() -> None:
    tree = changed("accounts", [*TREE["accounts"], *TREE["accounts"]])
    assert "accounts[1].name = 'main': is taken by accounts[0]" in problems(tree)


@pytest.mark.parametrize("raw", [b"[server", b"\xff\xfe", b"a = 1\na = 2"])
def test_no_toml(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "server.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match="is no valid TOML"):
        load(path)


def test_unreadable_and_oversized(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="larger than"):
        load(written(tmp_path, "#" * (1 << 20) + "\n"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(["server", "profile", "drives", "accounts", "log", "k", "path", "listen"]) | st.text(max_size=5)
trees = st.dictionaries(
    keys,
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8),
    max_size=5,
)


@given(trees)
def test_any_tree_is_a_config_or_a_config_error(tree: dict[str, Any]) -> None:
    try:
        assert isinstance(from_tree(tree, source=Path("x")), Config)
    except ConfigError as error:
        assert error.problems


@given(st.dictionaries(st.sampled_from([*sorted(TREE["server"]), "workers", "region", "nonsense"]), scalars))
def test_any_server_section_is_a_config_or_a_config_error(section: dict[str, Any]) -> None:
    try:
        from_tree({**TREE, "server": section}, source=Path("x"))
    except ConfigError as error:
        assert all(problem.startswith("server") for problem in error.problems)


def account_files(tmp_path: Path, *texts: str, mode: int = 0o600) -> Config:
    tree = copy.deepcopy(TREE)
    tree["accounts"] = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        path.chmod(mode)
        tree["accounts"].append({"name": f"user-{number}", "credentials_file": str(path)})
    return from_tree(tree, source=Path("x"))


def test_accounts(tmp_path: Path) -> None:
    config = account_files(tmp_path, SECRET, SECRET.replace("KEY", "KEY2", 1))
    first, second = load_accounts(config)
    assert first == Account(
        account_id="A", display_name="a", access_key_id="KEY", secret_access_key="SECRET", name="user-0"
    )
    assert second.access_key_id == "KEY2"
    assert "SECRET" not in repr(first)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o601])
def test_credentials_open_to_others_are_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others could read the secret: chmod 600"):
        load_accounts(account_files(tmp_path, SECRET, mode=mode))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"account_id": 1}', "no JSON object of strings"),
        (SECRET.replace("SECRET", ""), "secret_access_key is missing or empty"),
        (SECRET.replace("display_name", "display"), "unknown key 'display'; did you mean 'display_name'?"),
        (SECRET.replace("KEY", "K/EY", 1), "access_key_id: letters and digits"),
        (SECRET.replace("KEY", "K EY", 1), "access_key_id: letters and digits"),
    ],
)
def test_malformed_credentials(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        load_accounts(account_files(tmp_path, text))


def test_one_key_for_two_accounts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has the access key of account 'user-0'"):
        load_accounts(account_files(tmp_path, SECRET, SECRET))


def test_missing_credentials_and_a_pipe_in_their_place(tmp_path: Path) -> None:
    config = account_files(tmp_path, SECRET)
    path = Path(config.accounts[0].credentials_file)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_accounts(config)
    os.mkfifo(path, 0o600)  # must be refused, not waited for
    with pytest.raises(ConfigError, match="no JSON object"):
        load_accounts(config)


@pytest.mark.needs("root")
def test_credentials_of_another_user(tmp_path: Path) -> None:
    config = account_files(tmp_path, SECRET)
    os.chown(config.accounts[0].credentials_file, 65_534, -1)
    with pytest.raises(ConfigError, match="belongs to user id 65534"):
        load_accounts(config)


# --- TLS, health, replicas, drives of other hosts ---------------------------------------------------------------------


def refusals(*changes: tuple[str, Any]) -> str:
    tree = copy.deepcopy(TREE)
    for place, value in changes:
        *parents, last = place.split(".")
        node: Any = tree
        for part in parents:
            node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
        node[last] = value
    with pytest.raises(ConfigError) as caught:
        from_tree(tree, source=Path("f"))
    return "\n".join(caught.value.problems)


def test_what_is_not_said_is_as_it_was() -> None:
    config = from_tree(TREE, source=Path("f"))
    assert config.tls is None and config.server.health_listen == "" and not config.server.read_only
    http = (config.http.graceful_timeout_s, config.http.keepalive_s, config.http.backlog)
    assert http == (limits.DRAIN_LIMIT_S, limits.KEEP_ALIVE_S, limits.LISTEN_BACKLOG)
    assert all(config.is_own(drive) for drive in config.drives) and config.out_of_reach == ""


def test_every_new_problem_is_told_in_one_run() -> None:
    said = refusals(
        ("server.health_listen", "9080"), ("server.primary", "s3.example.com"), ("tls.certificate_file", "tls.crt"),
        ("tls.key_file", "tls.key"), ("http.graceful_timeout_s", 0), ("http.backlog", 1), ("http.keepalive_s", 9999),
    )  # fmt: skip
    for place in ("server.health_listen", "server.primary = ", "read_only = true alone", "tls.certificate_file",
                  "tls.key_file", "http.graceful_timeout_s", "http.backlog", "http.keepalive_s"):  # fmt: skip
        assert place in said, (place, said)


def test_unknown_and_missing_keys_of_the_optional_section() -> None:
    said = refusals(("tls.key_file", "/k"), ("tls.certifcate_file", "/c"))
    assert "tls.certifcate_file: unknown key; did you mean 'certificate_file'?" in said
    assert "missing required field `certificate_file`" in refusals(("tls.key_file", "/k"))


def test_health_has_a_port_of_its_own() -> None:
    assert "give it its own" in refusals(("server.health_listen", "0.0.0.0:9000"))


def test_a_state_folder_too_deep_for_a_socket() -> None:
    assert "server.state_dir has 91 bytes" in refusals(("server.state_dir", "/" + "s" * 90))


def test_drives_of_other_hosts_are_counted_and_not_looked_at() -> None:
    tree = copy.deepcopy(TREE)
    tree["drives"] = [
        {"host": host, "path": f"/d/drive-{number}", "domain": host} for host in ("laptop", "b") for number in (1, 2)
    ]
    config = from_tree(tree, source=Path("f"))  # the same paths on two hosts are two drives
    assert [config.is_own(drive) for drive in config.drives] == [True, True, False, False]
    assert config.out_of_reach == "2 of 4 drives belong to other hosts, which this version cannot reach"
    tree["drives"][3]["path"] = "/d/drive-1/x"
    assert "lies inside drives[2].path" in "".join(_problems(tree))
    tree["drives"][3]["path"] = "/d/./drive-1"
    assert "is the same folder as drives[2].path" in "".join(_problems(tree))


def _problems(tree: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        from_tree(tree, source=Path("f"))
    return caught.value.problems


@pytest.mark.parametrize(
    "url",
    ["https://[x", "https://x y", "https://x\nY: z", "https://user:secret@x", "https://x:99999", "ftp://x", "https://"],
)
def test_what_clients_are_told_is_a_plain_url(url: str) -> None:
    assert "server.primary = " in refusals(("server.read_only", True), ("server.primary", url))


def test_one_port_is_one_port_however_it_is_written() -> None:
    assert "give it its own" in refusals(("server.health_listen", "127.0.0.1:09000"))


def test_a_file_is_no_host() -> None:
    assert "server.health_listen" in refusals(("server.health_listen", "unix:9080"))


def test_a_secret_that_is_no_file(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (Path("/a\0b"), "null byte"), (tmp_path / "none", "No such file")):
        with pytest.raises(ConfigError, match=why):
            read_secret(path, "the key")
