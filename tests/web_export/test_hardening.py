"""Sockets that keep us waiting are closed, too many are refused, and the site goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic
from typing import Protocol

import aiohttp
import pytest
from aiohttp import web

from moments.errors import MomentsError
from web_export.app import Site
from web_export.hardening import Patience
from web_export.keys import SERVICES, SiteConfig

StartSite = Callable[..., Awaitable[Site]]


class Chat(Protocol):
    async def says(self, text: str, name: str = ...) -> str: ...


SHORT = Patience(headers=0.2, body=0.2, idle=0.2, stalled=0.2, sockets_per_client=5, sockets=8, sweep=0.02)
PATIENT_WITH_IDLERS = replace(SHORT, idle=60)  # so that only our own sweep can be what closes a socket
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
REFUSED = b""


async def closed_after(port: int, *said: bytes) -> tuple[bytes, float]:
    """Connect, say something, wait to be closed: what was answered, and the seconds it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = monotonic()
    for words in said:
        writer.write(words)
    try:
        async with asyncio.timeout(5):
            answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    finally:
        writer.close()
    return answer, monotonic() - begun


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((), id="nothing"),
        pytest.param((b"GET /healthz HTT",), id="half a request line"),
        pytest.param((b"GET /healthz HTTP/1.1\r\nHost: local",), id="half a header"),
        pytest.param(
            (b"POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",), id="half a body, awaited"
        ),
        pytest.param(
            (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",), id="a body nobody asked for"
        ),
        pytest.param(
            (b"POST /wait HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",),
            id="an endless chunked body",
        ),
    ],
)
async def test_RES_1_a_socket_that_keeps_us_waiting_is_closed(start_site: StartSite, said: tuple[bytes, ...]) -> None:
    site = await _site_with_a_body_reader(start_site, PATIENT_WITH_IDLERS)
    _, seconds = await closed_after(site.port, *said)
    assert seconds < 2


async def test_RES_1_half_a_second_request_is_closed(start_site: StartSite) -> None:
    site = await start_site(PATIENT_WITH_IDLERS)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /heal")
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    writer.close()


async def test_RES_1_an_idle_keep_alive_is_closed(start_site: StartSite) -> None:
    site = await start_site(replace(SHORT, headers=60))
    answer, seconds = await closed_after(site.port, GET, GET)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert seconds < 2


async def _site_with_a_body_reader(start_site: StartSite, patience: Patience) -> Site:
    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    return await start_site(patience, extra_routes=[web.post("/wait", read)])


async def test_RES_1_a_trickle_is_not_a_request(start_site: StartSite) -> None:
    site = await start_site(PATIENT_WITH_IDLERS)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    closed = asyncio.create_task(reader.read())
    for letter in b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
        writer.write(bytes([letter]))
        done, _ = await asyncio.wait({closed}, timeout=0.02)
        if done:
            break
    else:
        pytest.fail("still open after 20 s of single letters")
    await asyncio.gather(closed, return_exceptions=True)
    writer.close()


async def test_RES_1_a_client_that_takes_nothing_is_cut_off(start_site: StartSite) -> None:
    broke_off = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        finally:
            broke_off.set()

    site = await start_site(SHORT, extra_routes=[web.get("/endless", endless)])
    _, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        await broke_off.wait()
    writer.close()


async def test_RES_1_one_address_gets_its_share_of_sockets_and_no_more(start_site: StartSite) -> None:
    site = await start_site(Patience(sockets_per_client=5))
    crowd = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(5)]
    for reader, writer in crowd:
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert (await closed_after(site.port, GET))[0] == REFUSED
    crowd[0][1].close()
    while (await closed_after(site.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))[0] == REFUSED:
        pass  # until the server has seen the close
    for _, writer in crowd:
        writer.close()


async def test_RES_1_a_trusted_proxy_may_hold_many_but_not_more_than_all(start_site: StartSite) -> None:
    site = await start_site(Patience(sockets_per_client=2, sockets=6), trusted_proxies=("127.0.0.0/8",))
    crowd = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(6)]
    for reader, writer in crowd:
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert (await closed_after(site.port, GET))[0] == REFUSED
    for _, writer in crowd:
        writer.close()


async def test_RES_1_chat_and_others_are_answered_while_one_address_floods(start_site: StartSite, chat: Chat) -> None:
    site = await start_site(Patience(sockets_per_client=5, headers=30))
    flood = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(60)]
    assert (await chat.says("!clip in the flood", name="late")).startswith("Marked #26")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, local_addr=("127.0.0.2", 0))
    writer.write(GET)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    for _, other in (*flood, (reader, writer)):
        other.close()


async def test_RES_1_aiohttp_still_has_the_attributes_the_sweeper_reads(site: Site) -> None:
    seen: list[web.RequestHandler] = []

    async def look(request: web.Request) -> web.Response:
        seen.append(request.protocol)
        assert request.protocol._current_request is request
        assert request.protocol._request_count == 1
        assert request.content.is_eof()
        assert request.writer.output_size == 0
        return web.Response()

    assert {"_waiter", "_current_request", "_request_count"} <= set(web.RequestHandler.__slots__)
    server = web.Server(look)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        assert (await client.get(f"http://127.0.0.1:{runner.addresses[0][1]}/")).status == 200
        assert isinstance(seen[0]._waiter, asyncio.Future)
    await runner.cleanup()


async def test_a_busy_port_is_one_sentence(start_site: StartSite, site: Site) -> None:
    with pytest.raises(MomentsError, match=f"^Port {site.port} is in use. Stop the other program or set MOMENTS_WEB_P"):
        await start_site(port=site.port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
async def test_an_address_of_another_machine_is_one_sentence(start_site: StartSite, host: str) -> None:
    with pytest.raises(MomentsError, match=f"^This machine has no address {host}. Set MOMENTS_WEB_HOST"):
        await start_site(host=host)


async def test_closing_takes_two_seconds_at_most_with_streams_open(start_site: StartSite) -> None:
    async def stubborn(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"here I stay")
        await asyncio.Event().wait()
        return response

    site = await start_site(extra_routes=[web.get("/stubborn", stubborn)])
    watchers = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(20)]
    for reader, writer in watchers:
        writer.write(b"GET /stubborn HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    begun = monotonic()
    await site.close()
    assert monotonic() - begun < 3
    for _, writer in watchers:
        writer.close()


async def test_a_site_that_is_closed_leaves_the_port_free(site: Site) -> None:
    config = SiteConfig(port=site.port)
    await site.close()
    again = Site(site.app[SERVICES], config)
    await again.start()
    async with aiohttp.ClientSession() as client:
        assert (await client.get(f"http://127.0.0.1:{config.port}/healthz")).status == 200
    await again.close()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", config.port)
