"""Tokens at rest: sealed for their row, unreadable elsewhere, rotated in one transaction."""

from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from moments.grants import Grant
from storage import Store, Transaction, credentials, open_store
from storage.credentials import Lost, Resealed, Unopenable, Vault
from storage.keys import SecretKeys
from tests.databases import change, rows
from tests.stream import BEGAN, DEFAULTS

T = TypeVar("T")
OLD, NEW = SecretKeys(("o" * 40,)), SecretKeys(("n" * 40, "o" * 40))
NEWEST_ALONE = SecretKeys(("n" * 40,))
VAULT = Vault(OLD)
HOUR = timedelta(hours=1)


def grant(user_id: str = "1001", **changed: object) -> Grant:
    told: dict[str, object] = {
        "platform": "twitch",
        "user_id": user_id,
        "login": f"login{user_id}",
        "access_token": f"access-canary-{user_id}",
        "refresh_token": f"refresh-canary-{user_id}",
        "scopes": frozenset({"channel:bot", "channel:manage:broadcast"}),
        "expires_at": BEGAN + 4 * HOUR,
    }
    return Grant(**(told | changed))  # type: ignore[arg-type]


async def do(store: Store, job: Callable[[Transaction], Awaitable[T]]) -> T:
    return await store.run(job, message=None, now=BEGAN)


async def generation_of(store: Store, user_id: str = "1001") -> int:
    found = await credentials.generation(store, "twitch", user_id)
    assert found is not None
    return found


async def kept(store: Store, user_id: str = "1001") -> Grant:
    found = await credentials.load(store, VAULT, "twitch", user_id)
    assert found is not None
    return found


async def keep(store: Store, *grants: Grant, vault: Vault = VAULT) -> None:
    for each in grants:
        await do(store, lambda transaction, each=each: credentials.save(transaction, vault, each, BEGAN))  # type: ignore[misc]


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as opened:
        yield opened


async def test_a_grant_comes_back_as_it_was_kept(store: Store) -> None:
    forever = grant("2", expires_at=None, scopes=frozenset(), refresh_token="")
    await keep(store, grant(), forever)
    assert await credentials.load(store, VAULT, "twitch", "1001") == grant()
    assert await credentials.load(store, VAULT, "twitch", "2") == forever
    assert await credentials.load(store, VAULT, "twitch", "3") is None
    assert await credentials.load(store, VAULT, "discord", "1001") is None


async def test_KEY_2_no_file_of_the_database_holds_a_token(store: Store) -> None:
    await keep(store, grant())
    raw = b"".join(file.read_bytes() for file in store.path.parent.iterdir())
    assert b"login1001" in raw
    assert b"canary" not in raw


async def test_KEY_2_the_envelope_names_its_version_its_key_and_a_nonce_of_96_bits() -> None:
    version, key_id, nonce, sealed = VAULT.seal("token", "twitch", "1", "access").split(".")
    assert (version, key_id) == ("v1", VAULT.key_ids[0])
    assert len(urlsafe_b64decode(nonce + "==")) == 12
    assert len(urlsafe_b64decode(sealed + "==")) == len("token") + 16  # GCM's own tag
    assert VAULT.key_ids[0] not in OLD.derive("tokens").hex()


def test_KEY_2_no_two_envelopes_are_alike() -> None:
    assert len({VAULT.seal("token", "twitch", "1", "access") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [("twitch", "2", "access"), ("discord", "1", "access"), ("twitch", "1", "refresh"), ('twitch", "1', "", "access")],
)
def test_KEY_2_an_envelope_opens_for_its_own_account_and_kind_only(elsewhere: tuple[str, str, str]) -> None:
    envelope = VAULT.seal("token", "twitch", "1", "access")
    assert VAULT.open(envelope, "twitch", "1", "access") == "token"
    with pytest.raises(Unopenable):
        VAULT.open(envelope, *elsewhere)  # type: ignore[arg-type]


def test_KEY_2_a_changed_envelope_never_opens() -> None:
    envelope = VAULT.seal("a token of some length", "twitch", "1", "access")
    first_of_the_ciphertext = envelope.rindex(".") + 1
    other = "A" if envelope[first_of_the_ciphertext] != "A" else "B"
    for wrong in (
        envelope[:first_of_the_ciphertext] + other + envelope[first_of_the_ciphertext + 1 :],
        envelope.replace("v1.", "v2."),
        envelope + ".more",
        envelope[:-4],
        envelope.rpartition(".")[0] + ".",
        "",
        "v1",
        f"v1.{VAULT.key_ids[0]}.é.é",
        f"v1.{VAULT.key_ids[0]}..",
    ):
        with pytest.raises(Unopenable):
            VAULT.open(wrong, "twitch", "1", "access")


async def test_KEY_2_two_rows_swapped_are_both_unusable_and_raise_nothing(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await keep(store, grant("1"), grant("2"))
    change(path, "UPDATE credential SET user_id = CASE user_id WHEN '1' THEN '22' ELSE '11' END")
    change(path, "UPDATE credential SET user_id = substr(user_id, 1, 1)")
    async with open_store(path, defaults=DEFAULTS) as store:
        for user in "12":
            assert await credentials.load(store, VAULT, "twitch", user) is None
            assert await credentials.find(store, VAULT, "twitch", user) is Lost.SPOILED


async def test_KEY_2_swapped_kinds_and_garbage_are_spoiled_and_another_key_is_said(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await keep(store, grant("1"), grant("2"), grant("3"))
        await keep(store, grant("4"), vault=Vault(SecretKeys(("x" * 40,))))
    change(path, "UPDATE credential SET access = refresh, refresh = access WHERE user_id = '1'")
    change(path, "UPDATE credential SET access = 'plain text' WHERE user_id = '2'")
    change(path, "UPDATE credential SET refresh = 'v1' WHERE user_id = '3'")
    async with open_store(path, defaults=DEFAULTS) as store:
        found = {user: await credentials.find(store, VAULT, "twitch", user) for user in "1234"}
    assert found == {"1": Lost.SPOILED, "2": Lost.SPOILED, "3": Lost.SPOILED, "4": Lost.OTHER_KEY}


async def test_a_dead_grant_is_not_handed_out_until_it_is_granted_anew(store: Store) -> None:
    await keep(store, grant())
    generation = await generation_of(store)
    for was_in_use in (True, False):
        assert await do(store, lambda t: credentials.mark_dead(t, "twitch", "1001", generation, BEGAN)) is was_in_use
    assert await credentials.load(store, VAULT, "twitch", "1001") is None
    assert await credentials.find(store, VAULT, "twitch", "1001") is Lost.DEAD
    assert not await do(store, lambda t: credentials.renew(t, VAULT, grant(generation=generation), BEGAN))
    assert await credentials.find(store, VAULT, "twitch", "1001") is Lost.DEAD
    again = grant(access_token="another")
    await keep(store, again)
    assert await credentials.load(store, VAULT, "twitch", "1001") == again


async def test_a_refreshed_grant_replaces_the_one_before_but_revives_none_that_was_withdrawn(store: Store) -> None:
    await keep(store, grant())
    fresh = grant(access_token="fresh", refresh_token="fresher", generation=await generation_of(store))
    assert await do(store, lambda t: credentials.renew(t, VAULT, fresh, BEGAN + HOUR))
    assert await credentials.load(store, VAULT, "twitch", "1001") == fresh
    assert await do(store, lambda t: credentials.remove(t, "twitch", "1001"))
    assert not await do(store, lambda t: credentials.renew(t, VAULT, fresh, BEGAN + HOUR))
    assert await credentials.find(store, VAULT, "twitch", "1001") is None
    assert not await do(store, lambda t: credentials.remove(t, "twitch", "1001"))


@pytest.mark.parametrize("removed_between", [False, True])
async def test_what_was_learnt_of_a_grant_is_not_written_on_the_one_that_came_after_it(
    store: Store, removed_between: bool
) -> None:
    await keep(store, grant())
    before = await kept(store)
    if removed_between:
        await do(store, lambda t: credentials.remove(t, "twitch", "1001"))
    await keep(store, grant(access_token="granted anew"))
    row = await store.fetch("SELECT * FROM credential")
    assert not await do(store, lambda t: credentials.renew(t, VAULT, before, BEGAN + HOUR))
    assert not await do(store, lambda t: credentials.validated(t, before, BEGAN + HOUR))
    assert not await do(store, lambda t: credentials.mark_dead(t, "twitch", "1001", before.generation, BEGAN + HOUR))
    assert await store.fetch("SELECT * FROM credential") == row
    assert (await kept(store)).generation != before.generation


async def test_what_is_held_is_told_without_tokens_and_the_longest_unasked_comes_first(store: Store) -> None:
    await keep(store, grant("1"), grant("2"))
    ends = BEGAN + 3 * HOUR
    said = replace(await kept(store, "1"), login="renamed", scopes=frozenset({"channel:bot"}), expires_at=ends)
    assert await do(store, lambda t: credentials.validated(t, said, BEGAN + HOUR))
    second = await generation_of(store, "2")
    assert await do(store, lambda t: credentials.mark_dead(t, "twitch", "2", second, BEGAN))
    two, one = await credentials.held(store)
    assert (two.user_id, two.state, two.validated_at) == ("2", "dead", BEGAN)
    assert one[:5] == ("twitch", "1", "renamed", frozenset({"channel:bot"}), "ok")
    assert (one.validated_at, one.used_at) == (BEGAN + HOUR, BEGAN)
    assert "canary" not in repr((one, two, grant()))
    loaded = await credentials.load(store, VAULT, "twitch", "1")
    assert loaded is not None
    assert (loaded.login, loaded.scopes, loaded.expires_at) == ("renamed", frozenset({"channel:bot"}), ends)


async def test_a_use_is_noted_at_most_once_an_hour(store: Store) -> None:
    await keep(store, grant())

    async def use(after: timedelta) -> timedelta:
        await do(store, lambda t: credentials.used(t, "twitch", "1001", BEGAN + after))
        return (await credentials.held(store))[0].used_at - BEGAN

    assert await use(timedelta(minutes=59)) == timedelta(0)
    assert await use(HOUR) == HOUR
    assert await use(HOUR + timedelta(minutes=59)) == HOUR


async def test_KEY_3_old_keys_read_and_the_first_one_writes(store: Store) -> None:
    await keep(store, grant("1"))
    both = Vault(NEW)
    assert await credentials.load(store, both, "twitch", "1") == grant("1")
    await keep(store, grant("2"), vault=both)
    assert await credentials.load(store, Vault(NEWEST_ALONE), "twitch", "2") == grant("2")
    assert await credentials.find(store, VAULT, "twitch", "2") is Lost.OTHER_KEY


async def test_KEY_3_everything_is_sealed_anew_and_what_no_key_opens_is_left_and_counted(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await keep(store, grant("1"), grant("2"), grant("3"))
        await keep(store, grant("4"), vault=Vault(NEW))
        second = await generation_of(store, "2")
        await do(store, lambda t: credentials.mark_dead(t, "twitch", "2", second, BEGAN))
    change(path, "UPDATE credential SET access = refresh WHERE user_id = '3'")
    spoiled = rows(path, "SELECT * FROM credential WHERE user_id = '3'")
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await do(store, lambda t: credentials.reseal_all(t, Vault(NEW))) == Resealed(3, 1)
        alone = Vault(NEWEST_ALONE)
        assert await credentials.load(store, alone, "twitch", "1") == grant("1")
        assert await credentials.load(store, alone, "twitch", "4") == grant("4")
        assert await credentials.find(store, alone, "twitch", "2") is Lost.DEAD
    assert rows(path, "SELECT * FROM credential WHERE user_id = '3'") == spoiled


async def test_KEY_3_sealing_anew_happens_to_all_or_none(store: Store) -> None:
    await keep(store, grant("1"), grant("2"))
    before = await store.fetch("SELECT * FROM credential ORDER BY user_id")

    async def broken_off(transaction: Transaction) -> None:
        await credentials.reseal_all(transaction, Vault(NEW))
        raise LookupError

    with pytest.raises(LookupError):
        await do(store, broken_off)
    assert await store.fetch("SELECT * FROM credential ORDER BY user_id") == before
