"""How often one client may ask, by an injected clock."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import aiohttp
import pytest
from aiohttp import hdrs, web

from web_export.app import Site
from web_export.limits import Bucket, LimitRates, Limits, Rate, TooMany

StartSite = Callable[..., Awaitable[Site]]
EXPORT = "/s/latest/export.csv"
READ = "/api/v1/sessions/latest"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(limits: Limits, path: str, client: str = "a") -> int:
    """0 when allowed, else the seconds of Retry-After."""
    try:
        with limits.allow(path, client):
            return 0
    except TooMany as refusal:
        return refusal.retry_after


def test_RES_4_three_hundred_reads_in_five_minutes() -> None:
    limits = Limits(clock=(clock := Clock()))
    assert [ask(limits, READ) for _ in range(300)] == [0] * 300
    assert ask(limits, READ) == 1
    assert ask(limits, READ, "somebody else") == 0
    clock.now += 1
    assert (ask(limits, READ), ask(limits, READ)) == (0, 1)
    clock.now += 300
    assert [ask(limits, READ) for _ in range(301)] == [0] * 300 + [1]


@pytest.mark.parametrize("page", ["/", "/s/abc", "/c/console/riverdeer"])
def test_RES_4_six_hundred_pages_in_five_minutes(page: str) -> None:
    limits = Limits(clock=(clock := Clock()))
    assert [ask(limits, page) for _ in range(601)] == [0] * 600 + [1]
    assert (ask(limits, page, "somebody else"), ask(limits, READ), ask(limits, "/static/site.css")) == (0, 0, 0)
    clock.now += 300
    assert ask(limits, page) == 0


def test_RES_4_ten_exports_an_hour() -> None:
    limits = Limits(clock=(clock := Clock()))
    assert [ask(limits, EXPORT) for _ in range(11)] == [0] * 10 + [360]
    assert ask(limits, "/s/console/riverdeer/export.excel.csv") == 360
    assert ask(limits, "/s/latest") == 0
    clock.now += 360
    assert (ask(limits, EXPORT), ask(limits, EXPORT)) == (0, 360)


def test_RES_4_two_exports_at_once() -> None:
    limits = Limits(clock=Clock())
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(limits.allow(EXPORT, "a"))
        assert ask(limits, EXPORT) == 5
        assert ask(limits, EXPORT, "b") == 0
    assert ask(limits, EXPORT) == 0


def test_RES_4_a_bucket_remembers_a_bounded_number_of_clients() -> None:
    bucket = Bucket(Rate(1, 60), remembered=100)
    for client in range(10_000):
        assert bucket.take(b"%d" % client, 0) == 0
    assert len(bucket) == 100
    assert bucket.take(b"9999", 0) == 60


def test_PRIV_3_the_limiter_holds_no_address_and_forgets_its_key_every_day() -> None:
    limits = Limits(clock=(clock := Clock()))
    ask(limits, READ, "203.0.113.9")
    (key,) = limits._reads._full_at
    assert b"203.0.113.9" not in key
    clock.now += 86_400
    ask(limits, READ, "203.0.113.9")
    (other,) = limits._reads._full_at
    assert other != key


NOT_COUNTED = {"/healthz", "/readyz", "/metrics", "/robots.txt", "/static/{digest}/{name}"}
"""What is answered from memory, without the store."""


async def test_RES_4_every_page_is_counted_in_one_bucket(start_site: StartSite) -> None:
    site = await start_site()
    paths = {route.resource.canonical for route in site.app.router.routes() if route.resource}
    assert paths >= NOT_COUNTED
    for path in paths:
        limits = Limits(clock=Clock())
        assert ask(limits, re.sub(r"\{[^}]*\}", "x", path)) == 0
        buckets = (limits._pages, limits._reads, limits._logins)
        assert sum(map(len, buckets)) == (path not in NOT_COUNTED), path


async def test_RES_4_too_many_is_a_429_that_says_when(start_site: StartSite) -> None:
    site = await start_site(limits=Limits(LimitRates(api_reads=Rate(2, 60), spare_operator=False)))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:
        answers = [await http.get(READ) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers[hdrs.RETRY_AFTER] == "30"
        assert (await answers[2].json())["detail"] == "That is too many questions at once. Try again in 30 s."
        assert (await http.get("/healthz")).status == 200


async def test_RES_4_two_downloads_at_once_over_http(start_site: StartSite) -> None:
    begun, done = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        begun.release()
        await done.wait()
        return web.Response()

    limits = Limits(LimitRates(spare_operator=False))
    site = await start_site(limits=limits, extra_routes=[web.get("/s/slow/export.slow", slow)])
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:
        running = [asyncio.create_task(http.get("/s/slow/export.slow")) for _ in range(2)]
        for _ in running:
            await begun.acquire()
        assert (await http.get("/s/slow/export.slow")).status == 429
        done.set()
        assert [(await task).status for task in running] == [200, 200]
        assert (await http.get("/s/slow/export.slow")).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "127.0.0.1"}, 429),
        ({"Forwarded": "for=127.0.0.1"}, 429),
        ({"Via": "1.1 x"}, 429),
    ],
)
async def test_RES_4_only_the_operators_own_scripts_are_spared(
    start_site: StartSite, headers: dict[str, str], status: int
) -> None:
    site = await start_site(limits=Limits(LimitRates(api_reads=Rate(1, 60))))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}", headers=headers) as http:
        assert [(await http.get(READ)).status for _ in range(2)] == [200, status]


async def test_RES_4_behind_a_trusted_proxy_each_client_has_its_own_share(start_site: StartSite) -> None:
    site = await start_site(limits=Limits(LimitRates(api_reads=Rate(1, 60))), trusted_proxies=("127.0.0.1",))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:

        async def status(forwarded_for: str) -> int:
            return (await http.get(READ, headers={"X-Forwarded-For": forwarded_for})).status

        assert [await status("203.0.113.1") for _ in range(2)] == [200, 429]
        assert await status("203.0.113.2") == 200
        assert await status("6.6.6.6, 203.0.113.2") == 429
