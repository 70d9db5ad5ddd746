"""The JSON API: shapes, paging, caching, and that it says the same to everyone."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
import pytest
from aiohttp import hdrs

from commands.services import Services
from web_export.app import Site


class Chat(Protocol):
    async def says(self, text: str, name: str = ..., channel: str = ...) -> str: ...


SESSION = "/api/v1/sessions/latest"


async def get(http: aiohttp.ClientSession, path: str, status: int = 200) -> Any:  # noqa: ANN401 -- whatever the JSON holds
    async with http.get(path) as answer:
        assert answer.status == status, await answer.text()
        return orjson.loads(await answer.read())


async def test_a_session_is_found_by_id_by_latest_and_by_channel(http: aiohttp.ClientSession) -> None:
    latest = await get(http, SESSION)
    assert latest["channel"] == {
        "platform": "console",
        "id": "riverdeer",
        "display_name": "riverdeer",
        "visibility": "public",
    }
    assert (latest["title"], latest["game"], latest["status"]) == ("The long way down", "Celeste", "active")
    assert (latest["marks"], latest["people"]) == (25, 25)
    for word in (latest["id"], "riverdeer", "console%2Friverdeer"):
        assert await get(http, f"/api/v1/sessions/{word}") == latest


async def test_pages_join_up_and_the_last_one_says_so(http: aiohttp.ClientSession) -> None:
    pages, path = [], f"{SESSION}/timestamps?limit=10"
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        page = await get(http, path + (f"&cursor={page['next']}" if page["next"] else ""))
        pages.append([mark["number"] for mark in page["timestamps"]])
    assert [len(part) for part in pages] == [10, 10, 5]
    assert [number for part in pages for number in part] == list(range(1, 26))
    assert (await get(http, f"{SESSION}/timestamps?limit=25"))["next"] is None
    assert len((await get(http, f"{SESSION}/timestamps"))["timestamps"]) == 25


@pytest.mark.parametrize("limit", ["1000000000", "0", "-1", "101", "1_0", "१२", "ten", "", "9" * 1000, "1.0", "+5"])
async def test_RES_3_a_limit_beyond_one_to_a_hundred_is_a_sentence(http: aiohttp.ClientSession, limit: str) -> None:
    problem = await get(http, f"{SESSION}/timestamps?limit={limit.replace('+', '%2B')}", 400)
    assert problem["detail"] == "limit is a whole number from 1 to 100."


@pytest.mark.parametrize("cursor", ["", "1", "1.2", "1.2.3.4", "a.b.c", "-1.2.3", "1.2.१", "1.2." + "3" * 30, "%00"])
async def test_a_cursor_nobody_gave_out_is_a_sentence(http: aiohttp.ClientSession, cursor: str) -> None:
    assert (await get(http, f"{SESSION}/timestamps?cursor={cursor}", 400))["detail"].startswith("cursor is the word")


async def test_a_cursor_beyond_the_end_is_an_empty_page(http: aiohttp.ClientSession) -> None:
    page = await get(http, f"{SESSION}/timestamps?cursor=999999999.999999999.999999999")
    assert page == {"timestamps": [], "next": None}


async def test_AZ_6_a_private_channel_is_as_good_as_none(http: aiohttp.ClientSession, services: Services) -> None:
    hidden = await services.store.find_session("hidden")
    for tail in ("", "/timestamps"):
        none = await get(http, f"/api/v1/sessions/nothing{tail}", 404)
        for word in ("hidden", "console%2Fhidden", hidden.id):
            assert await get(http, f"/api/v1/sessions/{word}{tail}", 404) == none


async def test_AZ_6_a_newer_private_session_hides_no_public_one(http: aiohttp.ClientSession, chat: Chat) -> None:
    public = (await get(http, SESSION))["id"]
    await chat.says("!end", name="hidden", channel="hidden")
    await chat.says("!start A secret evening", name="hidden", channel="hidden")
    assert (await get(http, SESSION))["id"] == public


async def test_API_2_an_etag_holds_until_something_changes(http: aiohttp.ClientSession, chat: Chat) -> None:
    for path in (SESSION, f"{SESSION}/timestamps", "/api/v1/openapi.json"):
        async with http.get(path) as first:
            etag = first.headers[hdrs.ETAG]
            assert first.headers[hdrs.CACHE_CONTROL] == "public, max-age=30"
        for known, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200)):
            async with http.get(path, headers={hdrs.IF_NONE_MATCH: known}) as again:
                assert again.status == status
                assert again.headers[hdrs.ETAG] == etag
    await chat.says("!clip one more", name="late")
    async with http.get(SESSION, headers={hdrs.IF_NONE_MATCH: etag}) as changed:
        assert changed.status == 200


async def test_API_2_nobody_is_told_that_a_private_page_is_unchanged(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/sessions/hidden", headers={hdrs.IF_NONE_MATCH: "*"}) as answer:
        assert answer.status == 404
        assert hdrs.ETAG not in answer.headers


async def test_API_1_cacheable_answers_are_the_same_for_everyone(
    site: Site, http: aiohttp.ClientSession, services: Services
) -> None:
    session = await services.store.find_session("latest")
    values = {"session": session.id, "platform": "console", "channel": "riverdeer", "token": "x"}
    values |= {"track": "nothing", "moment": "nothing", "provider": "twitch"}
    routes = [route for route in site.app.router.routes() if route.method == hdrs.METH_GET]
    templates = {route.resource.canonical for route in routes if route.resource}
    asked = 0
    for template in sorted(templates - {"/s/{session}/events", "/metrics"}):
        if "{slug}" in template or "{digest}" in template:
            continue
        path = template.format(**values)
        async with http.get(path) as plain, http.get(path, headers={"Cookie": "__Host-moments=a.b; x=y"}) as known:
            assert await plain.read() == await known.read(), path
            assert plain.headers.get(hdrs.ETAG) == known.headers.get(hdrs.ETAG)
            asked += "public" in plain.headers[hdrs.CACHE_CONTROL]
            if "public" not in plain.headers[hdrs.CACHE_CONTROL]:
                assert "no-" in plain.headers[hdrs.CACHE_CONTROL]
    assert asked >= 4


async def test_API_4_only_reads_of_the_api_are_for_other_origins(http: aiohttp.ClientSession) -> None:
    for method, path, allowed in (
        ("GET", SESSION, True),
        ("HEAD", SESSION, True),
        ("GET", "/api/v1/sessions/nothing", True),
        ("POST", SESSION, False),
        ("OPTIONS", SESSION, False),
        ("GET", "/", False),
        ("GET", "/readyz", False),
    ):
        async with http.request(method, path, headers={hdrs.ORIGIN: "https://a.example"}) as answer:
            origin = answer.headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
            assert origin == ("*" if allowed else None), (method, path)
            assert hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS not in answer.headers


async def test_the_description_describes_every_route_of_the_api(site: Site, http: aiohttp.ClientSession) -> None:
    described = (await get(http, "/api/v1/openapi.json"))["paths"].keys()
    routes = {route.resource.canonical for route in site.app.router.routes() if route.resource}
    assert described == {path for path in routes if path.startswith("/api/v1/")} - {"/api/v1/openapi.json"}


SCHEMATHESIS = """
[phases]
stateful.enabled = false

[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 413, 414, 415, 421, 422]
# Which links a service has, and that a part ends after it starts, no schema can say.
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 404]
"""


async def test_schemathesis_finds_no_fault_with_the_api(site: Site, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"http://127.0.0.1:{site.port}/api/v1/openapi.json"),
        *("--max-examples=40", "--seed=1", "--workers=1", "--no-color", "--max-time=8"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_parameter_given_twice_is_a_sentence(http: aiohttp.ClientSession) -> None:
    assert (await get(http, f"{SESSION}/timestamps?limit=5&limit=6", 400))["detail"] == "limit is given more than once."
