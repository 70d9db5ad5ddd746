"""A backup made with another secret key: everything comes back but the tokens, and that is said (FILE-2)."""

from pathlib import Path

import pytest

from moments.grants import Grant
from moments.live import Place
from storage import Transaction, connections, credentials, facts, open_store
from storage.backup import backup
from storage.credentials import Vault
from storage.keys import SecretKeys
from storage.restore import restore
from tests.databases import rows, save
from tests.stream import BEGAN, DEFAULTS, KEYS

OTHER = SecretKeys(("x" * 40,))
BOTH = SecretKeys(("n" * 40, "k" * 40))


async def connect(path: Path, *user_ids: str, keys: SecretKeys = KEYS) -> None:
    """Streamers whose tokens these keys seal, in a database that is theirs."""
    async with open_store(path, defaults=DEFAULTS) as store:

        async def job(transaction: Transaction) -> None:
            await facts.put(transaction, facts.KEY_FINGERPRINT, Vault(keys).key_ids[0])
            for user_id in user_ids:
                place = Place("twitch", user_id, user_id)
                await transaction.save_settings(place, (await transaction.live(place)).channel)
                await connections.connect(transaction, place, frozenset(), BEGAN)
                await credentials.save(transaction, Vault(keys), Grant("twitch", user_id, "", "a", "r"), BEGAN)

        await store.run(job, message=None, now=BEGAN)


def states(path: Path) -> dict[str, str]:
    return dict(rows(path, "SELECT platform_id, state FROM connection JOIN channel ON channel.id = channel_id"))


@pytest.fixture
async def saved(path: Path) -> Path:
    saved = await save(path)
    await connect(path, "1", "2")
    await backup(path, saved, force=True)
    return saved


@pytest.mark.parametrize("keys", [KEYS, BOTH])
async def test_FILE_2_with_its_own_key_tokens_come_back(path: Path, saved: Path, keys: SecretKeys) -> None:
    report = await restore(saved, path, keys)
    assert report.tokens_dropped == 0
    assert "connect again" not in str(report)
    assert states(path) == {"1": "connected", "2": "connected"}
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await credentials.load(store, Vault(keys), "twitch", "1") is not None
        assert await facts.get(store, facts.KEY_FINGERPRINT) == Vault(KEYS).key_ids[0]


async def test_FILE_2_with_another_key_tokens_are_dropped_and_it_is_said(path: Path, saved: Path) -> None:
    await connect(saved, "3", keys=OTHER)  # one of them was sealed with the key of today
    await connect(saved)
    report = await restore(saved, path, OTHER)
    assert report.tokens_dropped == 2
    assert "Its tokens were sealed with another secret key: 2 accounts must connect again." in str(report)
    assert states(path) == {"1": "needs_authorisation", "2": "needs_authorisation", "3": "connected"}
    assert rows(path, "SELECT user_id FROM credential") == [("3",)]
    assert (report.marks, report.sessions) == (2, 1)
    async with open_store(path, defaults=DEFAULTS) as store:
        # Otherwise the next start would refuse the key.
        assert await facts.get(store, facts.KEY_FINGERPRINT) == Vault(OTHER).key_ids[0]
