"""What every response says, which requests are refused, and how errors are told."""

import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import orjson
import pytest
from aiohttp import hdrs, web
from structlog.testing import capture_logs

from commands.services import Services
from moments.errors import MomentsError, NotAllowed, NotFound, Refusal, StoreFull, TooFast, UsageError
from web_export.app import Site
from web_export.headers import DATA_POLICY, PAGE_POLICY
from web_export.render import STATIC

StartSite = Callable[..., Awaitable[Site]]
Raw = Callable[[int, bytes], Awaitable[bytes]]
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    "Strict-Transport-Security": "max-age=31536000",
    "Server": "Moments",
}
PAGE = {hdrs.ACCEPT: "text/html,application/xhtml+xml"}
CANARY = "canary-host.example"


async def _boom(_request: web.Request) -> web.Response:
    raise ZeroDivisionError("a secret in an exception")


async def _boom_midway(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"the first half")
    raise StoreFull("The disk is full.")


async def _read(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


def _raises(error: Exception) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_request: web.Request) -> web.Response:
        raise error

    return handler


ERRORS: dict[str, tuple[Exception, int]] = {
    "usage": (UsageError("Type a number."), 400),
    "not-allowed": (NotAllowed("Moderators only."), 403),
    "not-found": (NotFound("No such thing."), 404),
    "refusal": (Refusal("It is paused."), 409),
    "too-fast": (TooFast("Too fast."), 409),
    "store": (StoreFull("/home/op/moments.db: the disk is full."), 503),
    "ours": (MomentsError("It cannot be."), 500),
    "own-words": (web.HTTPTooManyRequests(text="Too many pages.", headers={"Retry-After": "60"}), 429),
    "no-words": (web.HTTPGone(), 410),
}


@pytest.fixture
async def broken(start_site: StartSite) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a site with a few broken addresses more."""
    routes = [web.get(f"/raises/{name}", _raises(error)) for name, (error, _) in ERRORS.items()]
    routes += [web.get("/boom", _boom), web.get("/boom-midway", _boom_midway), web.post("/read", _read)]
    site = await start_site(extra_routes=routes)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as client:
        yield client


def paths(app: web.Application, session_id: str) -> list[str]:
    """Every GET route of the application, with a session that exists filled in."""
    values = {
        "session": session_id, "slug": "csv", "platform": "console", "channel": "riverdeer", "digest": "0", "name": "0",
        "token": "0", "track": "0", "moment": "0", "provider": "twitch",
    }  # fmt: skip
    canonical = {route.resource.canonical for route in app.router.routes() if route.method == "GET" and route.resource}
    return sorted(path.format_map(values) for path in canonical)


def check_headers(answer: aiohttp.ClientResponse) -> None:
    for name, value in EVERYWHERE.items():
        assert answer.headers.getall(name) == [value], (answer.url, name)
    expected = PAGE_POLICY if answer.content_type == "text/html" else DATA_POLICY
    if answer.content_type not in {"text/css", "text/javascript"}:
        assert answer.headers.getall("Content-Security-Policy") == [expected], answer.url
    assert hdrs.CACHE_CONTROL in answer.headers, answer.url
    assert hdrs.SET_COOKIE not in answer.headers


@pytest.mark.parametrize("accept", [PAGE, {}], ids=["browser", "program"])
async def test_WEB_3_every_route_and_every_error_has_every_header(
    site: Site, http: aiohttp.ClientSession, services: Services, accept: dict[str, str]
) -> None:
    session = await services.store.find_session("latest")
    walked = [
        *paths(site.app, session.id),
        *(file.url for file in STATIC.values()),
        "/nothing",
        "/api/v1/nothing",
        "/static/x",
        f"/?{'q' * 3000}",
        "/s/none",
    ]
    assert len(walked) > 12
    for path in walked:
        async with http.get(path, headers=accept) as answer:
            check_headers(answer)
        for method in ("POST", "DELETE", "OPTIONS"):
            async with http.request(method, path, headers=accept, data=b"x", allow_redirects=False) as answer:
                check_headers(answer)
                refused = {404, 405, 414} if method != "POST" else {303, 400, 401, 403, 404, 405, 414}
                assert answer.status in refused, (method, path)
        async with http.post(path, headers=accept, data=b"x" * 66_000) as answer:
            check_headers(answer)
            assert answer.status in {413, 414}


async def test_WEB_3_broken_handlers_too(broken: aiohttp.ClientSession) -> None:
    for path in ("/boom", *(f"/raises/{name}" for name in ERRORS)):
        for accept in (PAGE, {}):
            async with broken.get(path, headers=accept) as answer:
                check_headers(answer)


async def test_WEB_3_what_is_not_http_too(site: Site, raw: Raw) -> None:
    answer = await raw(site.port, b"GET <script>alert(1)</script> HTTP/9\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"script" not in answer
    for name, value in {**EVERYWHERE, "Content-Security-Policy": DATA_POLICY}.items():
        assert f"\r\n{name}: {value}\r\n".encode() in answer


async def test_WEB_3_a_304_leaves_the_policy_of_the_kept_page_alone(http: aiohttp.ClientSession) -> None:
    etag = (await http.get("/api/v1/sessions/latest")).headers[hdrs.ETAG]
    answer = await http.get("/api/v1/sessions/latest", headers={hdrs.IF_NONE_MATCH: etag})
    assert answer.status == 304
    assert "Content-Security-Policy" not in answer.headers
    assert hdrs.CONTENT_TYPE not in answer.headers


async def test_WEB_3_no_hsts_on_a_plain_public_address(start_site: StartSite) -> None:
    site = await start_site(public_url="http://moments.example")
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{site.port}/healthz") as answer:
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("name", ERRORS)
async def test_our_errors_have_a_status_and_keep_their_sentence(broken: aiohttp.ClientSession, name: str) -> None:
    error, status = ERRORS[name]
    sentence = {
        "store": "The store cannot answer now. Try again in a moment.",
        "own-words": "Too many pages.",
        "no-words": "Gone.",
    }.get(name, str(error))
    async with broken.get(f"/raises/{name}") as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        document = orjson.loads(await answer.read())
    assert document == {"type": "about:blank", "title": answer.reason, "status": status, "detail": sentence}
    async with broken.get(f"/raises/{name}", headers=PAGE) as answer:
        assert (answer.status, answer.content_type) == (status, "text/html")
        assert sentence in await answer.text()


@pytest.mark.parametrize("accept", [PAGE, {}], ids=["browser", "program"])
async def test_API_4_a_bug_is_logged_and_told_in_our_words_only(
    broken: aiohttp.ClientSession, accept: dict[str, str]
) -> None:
    with capture_logs() as logs:
        async with broken.get("/boom", headers=accept) as answer:
            text = await answer.text()
    assert answer.status == 500
    assert "Something broke on our side." in text
    assert "secret" not in text
    (bug,) = [line for line in logs if line["event"] == "request failed"]
    assert bug["exc_info"]
    assert bug["route"] == "/boom"


async def test_an_answer_that_fails_midway_breaks_off_visibly(broken: aiohttp.ClientSession) -> None:
    async with broken.get("/boom-midway") as answer:
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_405_names_the_methods_and_head_is_one_of_them(http: aiohttp.ClientSession) -> None:
    async with http.post("/healthz") as answer:
        assert answer.status == 405
        assert answer.headers[hdrs.ALLOW] == "GET,HEAD"
        assert (await answer.json(content_type=None))["detail"] == "This address answers only GET,HEAD."
    async with http.head("/api/v1/sessions/latest") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


# ------------------------------------------------------------------------------------------------ hosts


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {host}", 421),
        ("GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nHost: {host}", 400),
        ("GET http://{host}/ HTTP/1.1\r\nHost: localhost", 421),
        ("GET http://localhost/healthy HTTP/1.1\r\nHost: {host}", 421),
        ("GET https://{host}:8443/s/latest?x=1 HTTP/1.1\r\nHost: {host}:8443", 421),
        ("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443", 421),
        ("GET / HTTP/1.1\r\nHost: localhost@{host}", 421),
        ("GET / HTTP/1.1\r\nHost: {host}@localhost", 421),
        ("GET / HTTP/1.1\r\nHost: [{host}", 421),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Proto: gopher", 404),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: {host}\r\nForwarded: host={host}", 200),
        ("GET /s/latest HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: {host}\r\nReferer: http://{host}/", 302),
    ],
)
async def test_API_3_a_foreign_host_is_refused_and_never_echoed(site: Site, raw: Raw, head: str, status: int) -> None:
    for accept in ("text/html", "*/*"):
        request = head.format(host=CANARY) + f"\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        answer = await raw(site.port, request.encode())
        assert answer.split()[1] == str(status).encode(), answer[:300]
        assert CANARY.encode() not in answer


async def test_API_3_own_names_are_answered(start_site: StartSite, raw: Raw) -> None:
    site = await start_site(host="0.0.0.0")  # noqa: S104 -- listening on all is the case
    for host in (
        "moments.example", "MOMENTS.example:443", "localhost", "localhost:9", "127.0.0.1:80", "[::1]:8080", "localhost."
    ):  # fmt: skip
        answer = await raw(site.port, f"GET /robots.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200"), host
    for request, status in (
        (b"GET /robots.txt HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /robots.txt HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (
            b"GET http://moments.example/robots.txt HTTP/1.1\r\nHost: moments.example\r\nConnection: close\r\n\r\n",
            b"200",
        ),
        (b"GET /robots.txt HTTP/1.1\r\nHost: 192.0.2.7\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:8080\r\nConnection: close\r\n\r\n", b"200"),
    ):
        assert (await raw(site.port, request)).split()[1] == status, request


async def test_the_very_address_a_request_came_in_at_is_a_name_of_ours(start_site: StartSite, raw: Raw) -> None:
    site = await start_site(host="0.0.0.0")  # noqa: S104 -- listening on all is the case
    async with aiohttp.ClientSession() as client:
        assert (await client.get(f"http://127.0.0.9:{site.port}/robots.txt")).status == 200
    request = b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.9\r\nConnection: close\r\n\r\n"
    assert (await raw(site.port, request)).split()[1] == b"421"


# ------------------------------------------------------------------------------------------------ sizes


async def test_RES_3_a_gzip_bomb_is_refused_unread(broken: aiohttp.ClientSession) -> None:
    bomb = gzip.compress(b"0" * 60_000_000)
    assert len(bomb) < 64 * 1024
    async with broken.post("/read", data=bomb, headers={hdrs.CONTENT_ENCODING: "gzip"}) as answer:
        assert answer.status == 415


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (65 * 1024, 413)])
async def test_RES_3_a_body_may_have_64_KiB(broken: aiohttp.ClientSession, size: int, status: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b"x" * 1024

    assert (await broken.post("/read", data=b"x" * size)).status == status
    assert (await broken.post("/read", data=chunks())).status == status


@pytest.mark.parametrize(("length", "status"), [(2048, 200), (2049, 414), (20_000, 400)])
async def test_RES_3_a_query_may_have_2_KiB(http: aiohttp.ClientSession, length: int, status: int) -> None:
    assert (await http.get(f"/healthz?{'q' * length}")).status == status


# ------------------------------------------------------------------------------------------------- logs


async def test_LOG_4_a_request_leaves_its_route_and_no_more(http: aiohttp.ClientSession) -> None:
    secret = "tokentokentoken"
    headers = {"Referer": f"http://a.example/{secret}", "Cookie": f"a={secret}", "Authorization": f"Bearer {secret}"}
    with capture_logs() as logs:
        await (await http.get(f"/api/v1/sessions/latest?code={secret}", headers=headers)).read()
        await (await http.get(f"/api/v1/sessions/{secret}", headers=headers)).read()
        await (await http.get(f"/{secret}", headers=headers)).read()
        await (await http.request("PURGE", "/", headers=headers)).read()
    assert [set(line) for line in logs] == [{"event", "log_level", "method", "route", "status", "ms", "bytes"}] * 4
    assert [(line["method"], line["route"], line["status"]) for line in logs] == [
        ("GET", "/api/v1/sessions/{session}", 200),
        ("GET", "/api/v1/sessions/{session}", 404),
        ("GET", "(none)", 404),
        ("other", "(none)", 405),
    ]
    assert logs[0]["bytes"] > 300
    assert secret not in str(logs).lower()
    assert "127.0.0.1" not in str(logs)


async def test_LOG_5_a_thousand_malformed_requests_are_a_line(
    start_site: StartSite, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        site = await start_site()
        bad = (
            b"\x16\x03\x01\x02\x00\x01 tls\r\n\r\n",
            b"GET /?token=hush HTTP/1.1\r\nbad header\r\n\r\n",
            b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nhush\r\n",
        )
        for number in range(1000):
            await raw(site.port, bad[number % len(bad)])
        await site.close()
    noise = [line for line in logs if line["event"] != "request"]
    assert len(noise) <= 5
    assert sum(line["count"] for line in noise) >= 750
    assert len(logs) + len(caplog.records) <= 5 + 250  # the last kind is a request until its body is read
    assert "hush" not in str(logs) + caplog.text
