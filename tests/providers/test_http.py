"""The way out: where it may lead, how long it may take, how much it may bring, and what its errors tell."""

import asyncio
import gzip
import logging
import time
import traceback

import pytest
from aiohttp import web

import providers.http
from moments.errors import ProviderDown, ProviderError, ProviderUnreadable
from providers.http import Http, open_http
from tests.providers.service import Handler, Service, running, says

CANARY = "canary-9f31"


async def failure(http: Http, url: str, **more: dict[str, str]) -> ProviderError:
    """The error of a request that must fail."""
    with pytest.raises(ProviderError) as caught:
        await http.request("GET", url, **more)
    return caught.value


async def test_an_answer_is_status_headers_and_json(service: Service, http: Http) -> None:
    service.plan("POST", "/a", says(201, {"b": 1}, X_Left="3"))
    answer = await http.request(
        "POST", f"{service.url}/a", params=[("id", "1"), ("id", "2")], json={"ü": "☕"}, headers={"X-Who": "me"}
    )
    assert (answer.status, answer.headers["x-left"], answer.json) == (201, "3", {"b": 1})
    asked = service.asked[0]
    assert asked.query == [("id", "1"), ("id", "2")]
    assert (asked.json, asked.headers["X-Who"]) == ({"ü": "☕"}, "me")


@pytest.mark.parametrize("path", ["/a", "/mock/a"])
async def test_a_form_goes_in_the_body(service: Service, http: Http, path: str) -> None:
    service.plan("POST", path, says(204))
    assert (await http.request("POST", service.url + path, data={"a": "b&c"})).json is None
    assert (service.asked[0].query, service.asked[0].body) == ([], b"a=b%26c")


@pytest.mark.parametrize(
    "url",
    [
        "https://nowhere.invalid/",
        "http://127.0.0.1:1/",
        "https://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://127.0.0.1:{port}@nowhere.invalid/",
        "http://me@127.0.0.1:{port}/",
        "http://127.0.0.1.nowhere.invalid:{port}/",
        "http://nowhere.invalid#127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/hostname",
        "",
        "http://[/",
    ],
)
async def test_OUT_2_another_host_is_refused_before_its_name_is_looked_up(
    service: Service, http: Http, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up.append)
    with pytest.raises(ValueError, match=r"Moments|URL") as caught:
        await http.request("GET", url.format(port=service.url.rpartition(":")[2]))
    assert not looked_up
    assert not service.asked
    assert "nowhere" not in str(caught.value)


async def test_OUT_2_a_base_with_https_is_never_asked_without() -> None:
    async with open_http(["https://nowhere.invalid"]) as http:
        with pytest.raises(ValueError, match="may not"):
            await http.request("GET", "http://nowhere.invalid/")
        with pytest.raises(ValueError, match="may not"):
            await http.request("GET", "http://nowhere.invalid:443/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_OUT_2_a_redirect_is_not_followed(service: Service, http: Http, status: int) -> None:
    service.plan("GET", "/a", says(status, None, Location=f"{service.url}/b"))
    error = await failure(http, f"{service.url}/a")
    assert isinstance(error, ProviderUnreadable)
    assert service.paths() == ["GET /a"]


async def test_OUT_2_a_body_without_end_is_left_after_a_mebibyte(service: Service, http: Http) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)
            sent += 65536

    service.plan("GET", "/a", endless)
    error = await failure(http, f"{service.url}/a")
    assert isinstance(error, ProviderUnreadable)
    assert str(error) == "GET /a: 200, longer than 1048576 bytes"
    assert sent < 32 << 20


async def test_OUT_2_a_body_is_asked_for_plain_and_never_unpacked(service: Service, http: Http) -> None:
    bomb = gzip.compress(b"[" + b" " * (1 << 20) + b"]")
    service.plan("GET", "/a", says(200, bomb, Content_Encoding="gzip"))
    assert str(await failure(http, f"{service.url}/a")) == "GET /a: 200, not JSON"
    assert service.asked[0].headers["Accept-Encoding"] == "identity"


async def test_OUT_2_a_body_that_drips_is_left_at_the_deadline(
    service: Service, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:  # each byte comes well within any timeout between two
            await response.write(b" ")
            await asyncio.sleep(0.02)

    service.plan("GET", "/a", dripping)
    monkeypatch.setattr(providers.http, "TOTAL_SECONDS", 0.4)
    began = time.monotonic()
    error = await failure(http, f"{service.url}/a")
    assert isinstance(error, ProviderDown)
    assert str(error) == "GET /a: no answer in time"
    assert error.unanswered, "it was asked, and may have been done"
    assert time.monotonic() - began < 4


async def test_OUT_2_at_most_four_reads_at_once_and_writes_do_not_queue_behind_them(
    service: Service, http: Http
) -> None:
    free = asyncio.Event()

    async def held(_: web.Request) -> web.StreamResponse:
        await free.wait()
        return web.Response()

    service.plan("GET", "/read", held)
    service.plan("POST", "/write", says(204))
    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(http.request("GET", f"{service.url}/read"))
        await service.until_asked(4)
        assert (await http.request("POST", f"{service.url}/write")).status == 204
        assert service.paths() == ["GET /read"] * 4 + ["POST /write"]
        free.set()
    assert service.paths().count("GET /read") == 9


async def test_who_waited_for_a_turn_until_the_deadline_knows_that_nothing_was_asked(
    service: Service, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = asyncio.Event()

    async def held(_: web.Request) -> web.StreamResponse:
        await free.wait()
        return web.Response()

    service.plan("GET", "/a", held)
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(http.request("GET", f"{service.url}/a"))
        await service.until_asked(4)
        monkeypatch.setattr(providers.http, "TOTAL_SECONDS", 0.1)
        error = await failure(http, f"{service.url}/a")
        free.set()
    assert isinstance(error, ProviderDown)
    assert not error.unanswered
    assert len(service.asked) == 4


async def test_a_cancelled_request_gives_its_turn_back(service: Service, http: Http) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    service.plan("GET", "/never", never)
    service.plan("GET", "/a", says(200, []))
    tasks = [asyncio.create_task(http.request("GET", f"{service.url}/never")) for _ in range(4)]
    await service.until_asked(4)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert (await http.request("GET", f"{service.url}/a")).json == []


async def test_OUT_2_no_proxy_of_the_machines_is_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.plan("GET", "/a", says(200, "direct"))
    async with running() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with open_http([service.url]) as http:
            assert (await http.request("GET", f"{service.url}/a")).json == "direct"
        assert not proxy.asked


async def test_cookies_are_not_kept(service: Service, http: Http) -> None:
    service.plan("GET", "/a", says(200, [], Set_Cookie="a=b; Path=/"))
    for _ in range(2):
        await http.request("GET", f"{service.url}/a")
    assert "Cookie" not in service.asked[1].headers


@pytest.mark.parametrize("body", [b"<html>", b"{", b'"\\ud800"', b"\xff\xfe", b"NaN", b'{"a":1}{}', b"[" * 100_000])
async def test_a_success_that_is_no_json_is_unreadable(service: Service, http: Http, body: bytes) -> None:
    service.plan("GET", "/a", says(200, body))
    error = await failure(http, f"{service.url}/a?key={CANARY}")
    assert isinstance(error, ProviderUnreadable)
    assert str(error) == "GET /a: 200, not JSON"
    assert error.__context__ is None


async def test_a_failures_page_is_passed_over(service: Service, http: Http) -> None:
    service.plan("GET", "/a", says(502, b"<html>Bad gateway"))
    assert (await http.request("GET", f"{service.url}/a"))[::2] == (502, None)


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def halved(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"[")
    return await cut(request)


@pytest.mark.parametrize("fault", [cut, halved])
async def test_LOG_3_a_broken_connection_says_method_and_path_only(
    service: Service, http: Http, fault: Handler
) -> None:
    service.plan("GET", "/a", fault)
    headers = {"Authorization": f"Bearer {CANARY}"}
    error = await failure(http, f"{service.url}/a", params={"key": CANARY}, headers=headers)
    assert isinstance(error, ProviderDown)
    assert error.unanswered, "it may have been done all the same"
    assert str(error).startswith("GET /a: ")
    assert_bare(error)


async def test_LOG_3_nobody_listening_says_method_and_path_only() -> None:
    async with running() as service:
        gone = service.url
    async with open_http([gone]) as http:
        error = await failure(http, f"{gone}/a?key={CANARY}")
    assert isinstance(error, ProviderDown)
    assert not error.unanswered, "it never left"
    assert str(error) == "GET /a: ConnectError"
    assert_bare(error)


async def test_LOG_3_a_header_the_library_refuses_is_not_in_our_error(service: Service, http: Http) -> None:
    error = await failure(http, f"{service.url}/a", headers={"Authorization": f"Bearer {CANARY}\r\nX: y"})
    assert isinstance(error, ProviderDown)
    assert_bare(error)


def assert_bare(error: BaseException) -> None:
    """Nothing of the vendor's exception hangs on ours, where a log or a crash reporter would find it."""
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in "".join(traceback.format_exception(error))


async def test_LOG_2_the_libraries_do_not_log_what_is_asked(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    service.plan("GET", "/a", says(200, []))
    async with open_http([service.url]) as http:
        await http.request("GET", f"{service.url}/a?key={CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
