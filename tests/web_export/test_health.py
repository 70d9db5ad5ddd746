"""Probes: what is up, and who may look further."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

import aiohttp
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from commands.services import Services
from moments.errors import StoreBusy
from web_export.app import Site, make_app
from web_export.keys import SiteConfig
from web_export.metrics import Metrics


class Chat(Protocol):
    """The fixture `chat`."""

    async def says(self, text: str, name: str = ...) -> str:
        """One line and its reply."""


StartSite = Callable[..., Awaitable[Site]]
PLATFORMS = {"twitch": {"state": "connected", "since": "2026-11-20T12:00:00Z"}}
PROXIED = {"X-Forwarded-For": "203.0.113.9"}
TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    return await start_site(metrics_token=SecretStr("s3cret"), platforms=lambda: PLATFORMS)


async def test_healthz_is_plain_and_short(http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


@pytest.mark.parametrize(
    ("headers", "inside"),
    [
        ({}, True),
        (PROXIED, False),
        ({"Forwarded": "for=127.0.0.1"}, False),
        ({"Via": "1.1 proxy"}, False),
        (PROXIED | TOKEN, True),
        (PROXIED | {"Authorization": "Bearer wrong"}, False),
        (PROXIED | {"Authorization": "Bearer s3cretäö"}, False),
    ],
)
async def test_API_5_detail_is_for_the_token_or_for_this_machine(
    http: aiohttp.ClientSession, headers: dict[str, str], inside: bool
) -> None:
    async with http.get("/readyz", headers=headers) as answer:
        assert answer.status == 200
        assert orjson.loads(await answer.read()) == {"store": "ok"} | ({"platforms": PLATFORMS} if inside else {})
    async with http.get("/metrics", headers=headers) as answer:
        assert answer.status == (200 if inside else 404)


async def test_API_5_without_a_token_an_empty_one_opens_nothing(start_site: StartSite) -> None:
    for token in (None, SecretStr("")):
        site = await start_site(metrics_token=token)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:
            assert (await http.get("/metrics", headers=PROXIED | {"Authorization": "Bearer "})).status == 404


async def test_readyz_is_503_only_when_the_store_is_down(services: Services) -> None:
    class Locked:
        async def ping(self) -> None:
            raise StoreBusy("Another process holds the database.")

    config = SiteConfig(port=0, platforms=lambda: {"twitch": {"state": "down", "since": "now"}})
    down = Site(services, config, app=make_app(replace(services, store=Locked()), config))  # type: ignore[arg-type]
    up = Site(services, config)
    for site, status, store in ((down, 503, "down"), (up, 200, "ok")):
        await site.start()
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{site.port}/readyz") as answer:
            assert answer.status == status
            assert (await answer.json())["store"] == store
        await site.close()


async def test_metrics_show_what_the_store_has_kept(http: aiohttp.ClientSession, chat: Chat) -> None:
    async def kept() -> float:
        async with http.get("/metrics") as answer:
            (marks,) = (
                sample.value
                for family in text_string_to_metric_families(await answer.text())
                for sample in family.samples
                if sample.name == "moments_marks_total"
            )
        return marks

    before = await kept()
    await chat.says("!clip one more", name="somebody-new")
    assert await kept() == before + 1


def test_metrics_show_what_could_not_be_read_of_each_platforms_events() -> None:
    metrics, left_out = Metrics(), Counter({"2": 3})
    metrics.show_left_out("discord", left_out)
    left_out["event"] += 1
    assert 'moments_events_left_out_total{platform="discord"} 4.0' in metrics.text().decode()


async def test_API_5_metrics_count_routes_not_paths(http: aiohttp.ClientSession) -> None:
    for path in ("/api/v1/sessions/latest", "/api/v1/sessions/nobody-knows", "/wp-login.php", "/healthz"):
        await (await http.get(path)).read()
    async with http.get("/metrics") as answer:
        text = await answer.text()
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "moments_web_requests_total"
    }
    assert counted == {
        ("/api/v1/sessions/{session}", "200"): 1,
        ("/api/v1/sessions/{session}", "404"): 1,
        ("(none)", "404"): 1,
        ("/healthz", "200"): 1,
    }
    assert "process_resident_memory_bytes" in text
    assert "nobody-knows" not in text
    assert "wp-login" not in text


async def test_robots_keep_to_the_pages(http: aiohttp.ClientSession) -> None:
    async with http.get("/robots.txt") as answer:
        assert answer.content_type == "text/plain"
        assert "Disallow: /api/" in await answer.text()
