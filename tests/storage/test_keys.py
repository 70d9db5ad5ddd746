"""The secret key: one derived key a purpose, and a key file nobody else can read."""

import hashlib
import hmac
import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.errors import StoreReadOnly
from storage.keys import SecretKeyError, SecretKeys, key_file, read_key_file, secret_keys

OLD, NEW = "o" * 40, "n" * 40
PURPOSES = ("session", "link", "state", "tokens", "ip hash", "erasure ledger")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "moments.db"


def made(database: Path) -> Path:
    secret_keys((), database)
    return key_file(database)


def test_KEY_1_every_purpose_and_every_secret_has_its_own_key() -> None:
    keys = SecretKeys((NEW, OLD))
    table = [key for purpose in PURPOSES for key in keys.derive_all(purpose)]
    assert len(set(table)) == len(PURPOSES) * 2
    assert {len(key) for key in table} == {32}


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()), min_size=2, unique=True))
def test_KEY_1_no_two_purposes_share_a_key(purposes: list[str]) -> None:
    derived = [SecretKeys((NEW,)).derive(purpose) for purpose in purposes]
    assert all(one != other for one, other in itertools.combinations(derived, 2))


def test_KEY_1_is_hkdf_sha256_so_that_kept_data_stays_readable() -> None:
    # RFC 5869 by hand: extract with a salt of zeros, then one block of expand.
    extracted = hmac.new(bytes(32), NEW.encode(), hashlib.sha256).digest()
    expanded = hmac.new(extracted, b"moments/erasure ledger\x01", hashlib.sha256).digest()
    assert SecretKeys((NEW,)).derive("erasure ledger") == expanded


def test_KEY_1_the_newest_secret_writes_and_all_read() -> None:
    keys = SecretKeys((NEW, OLD))
    assert keys.derive("link") == SecretKeys((NEW,)).derive("link")
    assert keys.derive_all("link") == (keys.derive("link"), SecretKeys((OLD,)).derive("link"))


def test_KEY_4_the_key_is_made_once_and_only_its_owner_reads_it(database: Path) -> None:
    umask = os.umask(0)
    try:
        first = secret_keys((), database)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(key_file(database).stat().st_mode) == 0o600
    assert secret_keys((), database).derive("link") == first.derive("link")
    assert secret_keys((), database.with_name("other.db")).derive("link") != first.derive("link")


def test_KEY_4_a_configured_key_makes_no_file(database: Path) -> None:
    secret_keys((NEW,), database)
    assert not key_file(database).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o610, 0o666])
def test_KEY_4_a_key_others_can_reach_is_refused(database: Path, mode: int) -> None:
    made(database).chmod(mode)
    with pytest.raises(SecretKeyError, match="chmod 600"):
        secret_keys((), database)


@pytest.mark.parametrize("target", ["elsewhere.key", "missing.key"])
def test_KEY_4_a_symbolic_link_is_refused_and_never_followed(database: Path, target: str) -> None:
    made(database).rename(database.with_name("elsewhere.key"))
    key_file(database).symlink_to(target)
    with pytest.raises(SecretKeyError, match="symbolic link"):
        secret_keys((), database)
    assert not database.with_name("missing.key").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_KEY_4_another_users_key_is_refused(database: Path) -> None:
    os.chown(made(database), 12345, -1)
    with pytest.raises(SecretKeyError, match="another user"):
        secret_keys((), database)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40, b"k" * 20 + b"\x1b[2J" + b"k" * 20])
def test_KEY_4_a_file_without_a_key_is_refused(database: Path, content: bytes) -> None:
    made(database).write_bytes(content)
    with pytest.raises(SecretKeyError, match="holds no key"):
        secret_keys((), database)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_KEY_4_what_is_no_file_is_refused_at_once(database: Path, make: Callable[[Path, int], None]) -> None:
    make(key_file(database), 0o600)
    with pytest.raises(SecretKeyError, match="is not a file"):
        read_key_file(key_file(database))


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly, match="No such file or directory"):
        secret_keys((), tmp_path / "nowhere" / "moments.db")


@pytest.mark.parametrize(
    ("database", "key"),
    [
        ("moments.db", "moments.key"),
        ("/srv/a.b.sqlite", "/srv/a.b.key"),
        ("moments", "moments.key"),
        ("x.key", "x.key.key"),
    ],
)
def test_the_key_lies_beside_the_database_under_its_name(database: str, key: str) -> None:
    assert key_file(Path(database)) == Path(key)


def test_a_secret_is_never_shown() -> None:
    assert NEW not in repr(SecretKeys((NEW,)))
