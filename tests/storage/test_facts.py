"""Facts about the database: one value a name, and it outlives the process."""

from pathlib import Path

from storage import Store, Transaction, facts, open_store
from tests.stream import BEGAN, DEFAULTS


async def put(store: Store, name: str, value: str) -> None:
    async def job(transaction: Transaction) -> None:
        await facts.put(transaction, name, value)

    await store.run(job, message=None, now=BEGAN)


async def test_a_fact_is_none_until_it_is_put_and_the_last_one_stays(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await facts.get(store, facts.CONDUIT) is None
        await put(store, facts.CONDUIT, "bfcfc993")
        await put(store, facts.CONDUIT, "26b1c993")
        await put(store, facts.KEY_FINGERPRINT, "f1")
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await facts.get(store, facts.CONDUIT) == "26b1c993"
        assert await facts.get(store, facts.KEY_FINGERPRINT) == "f1"
