"""What pages cost as a session grows (RES-6)."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from commands.feed import Feed
from commands.services import Services, utc_now
from moments.live import Author, MarkRequest, Place
from moments.sessions import Defaults, started
from storage import Store, Transaction, open_store
from storage.keys import SecretKeys
from web_export.app import Site, make_app
from web_export.keys import SiteConfig

MARKS = 50_000
START = datetime(2026, 11, 20, tzinfo=UTC)
PLACE = Place("console", "marathon", "Marathon")


async def _long_session(store: Store) -> str:
    async def begin(transaction: Transaction) -> str:
        live = await transaction.live(PLACE)
        return (await transaction.save_session(PLACE, started(None, live.channel, "Marathon", "", START, "abc"))).id

    session_id = await store.run(begin, message=None, now=START)
    async with store.one_transaction():
        for number in range(MARKS):
            await store.mark(_request(number))
    return session_id


def _request(number: int) -> MarkRequest:
    instant = START + timedelta(seconds=number)
    author = Author("console", f"v{number % 500}", f"v{number % 500}")
    return MarkRequest(PLACE, author, instant, instant, "so good")


async def test_RES_6_a_page_of_50000_marks_takes_less_than_200_ms(tmp_path: Path) -> None:
    defaults = Defaults(cooldown_seconds=0)
    async with open_store(tmp_path / "moments.db", defaults=defaults) as store:
        session_id = await _long_session(store)
        services = Services(store, Feed(), utc_now, defaults, "http://localhost:1", SecretKeys(("k" * 32,)))
        config = SiteConfig(port=0)
        site = Site(services, config, app=make_app(services, config))
        await site.start()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as client:
                seconds = []
                for late in range(3):  # each time after a change, so that nothing kept can answer
                    await store.mark(_request(MARKS + late))
                    asked = time.perf_counter()
                    async with client.get(f"/s/{session_id}") as answer:
                        page = await answer.text()
                    seconds.append(time.perf_counter() - asked)
        finally:
            await site.close()
    assert "50,003 marks" in page
    assert len(page) < 120_000, "a page shows some of the marks, however many there are"
    assert min(seconds) < 0.2
