"""Helix when it stumbles or says no: what is asked again, what never is, and what the error tells."""

import asyncio
import time

import pytest
import stamina
from aiohttp import web
from structlog.testing import capture_logs

from moments.errors import ProviderBusy, ProviderDown, ProviderRefused
from providers.twitch.helix import Helix
from tests.providers.calls import CALLS, READS, USER, WRITES, asked
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, rows, says

BROKEN: dict[str, Handler] = {"500": says(500), "502": says(502, b"<html>"), "503": says(503, {"message": "busy"})}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("name", READS)
async def test_trap_12_a_read_is_tried_three_times_in_all(
    service: Service, helix: Helix, name: str, fault: str
) -> None:
    method, path, row, call = READS[name]
    service.plan(method, f"/helix{path}", BROKEN[fault], BROKEN[fault], rows(row))
    assert await call(helix)
    service.plan(method, f"/helix{path}", BROKEN[fault])
    with pytest.raises(ProviderDown) as caught:
        await call(helix)
    assert str(caught.value) == f"GET /helix{path}: {fault}"
    assert len(asked(service)) == 6


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_never_tried_again(service: Service, helix: Helix, name: str, status: int) -> None:
    method, path, _, call = WRITES[name]
    service.plan(method, f"/helix{path}", says(status, None, Ratelimit_Reset=reset(1)))
    with pytest.raises(ProviderBusy if status == 429 else ProviderDown):
        await call(helix)
    assert len(asked(service)) == 1


async def test_a_write_whose_answer_is_lost_is_never_tried_again(service: Service, helix: Helix) -> None:
    async def lost(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return await says(200)(request)

    service.plan("POST", "/helix/chat/messages", lost)
    with pytest.raises(ProviderDown):
        await helix.send_message("1", "2", "hi")
    assert len(asked(service)) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("+31", 30.2), ("+61", 60), ("+9999", 60), ("-5", 0.1), ("soon", 1), ("", 1), ("²", 1), ("9" * 13, 1), (None, 1)],
)
async def test_trap_12_429_says_when_to_ask_again(
    service: Service, helix: Helix, header: str | None, seconds: float
) -> None:
    if header and header[0] in "+-":
        header = reset(int(header))
    service.plan(
        "POST", "/helix/chat/messages", says(429, None, **({} if header is None else {"Ratelimit_Reset": header}))
    )
    with pytest.raises(ProviderBusy) as caught:
        await helix.send_message("1", "2", "hi")
    assert caught.value.retry_after == pytest.approx(seconds)
    assert str(caught.value) == "POST /helix/chat/messages: 429"


async def test_trap_12_a_read_waits_for_the_next_points_when_they_come_soon(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/users", says(429, None, Ratelimit_Reset=reset(1)), rows(USER))
    began = time.monotonic()
    with stamina.set_testing(False):
        assert await helix.users(["1"])
    assert time.monotonic() - began >= 0.2


async def test_trap_12_a_read_does_not_wait_long_for_points(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/users", says(429, None, Ratelimit_Reset=reset(7)), rows(USER))
    with pytest.raises(ProviderBusy):
        await helix.users(["1"])
    assert len(asked(service)) == 1


async def test_LOG_3_what_is_logged_of_a_second_try_says_method_path_and_status(service: Service, helix: Helix) -> None:
    service.plan("GET", "/helix/moderation/channels", says(500), rows())
    with capture_logs() as logs:
        await helix.moderated_channels("1001", "canary-login-token")
    assert [line["caused_by"] for line in logs] == ["ProviderDown('GET /helix/moderation/channels: 500')"]
    assert "canary" not in repr(logs)


@pytest.mark.parametrize(("status", "code"), [(400, "odd"), (403, ""), (404, "gone"), (409, "there"), (422, "long")])
@pytest.mark.parametrize("name", [name for name in CALLS if name not in READS])
async def test_a_refusal_says_its_status_and_keeps_twitchs_words_apart(
    service: Service, helix: Helix, name: str, status: int, code: str
) -> None:
    method, path, _, call = CALLS[name]
    service.plan(method, f"/helix{path}", says(status, {"status": status, "message": code}))
    with pytest.raises(ProviderRefused) as caught:
        await call(helix)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert str(caught.value) == f"{method} /helix{path}: {status}"


@pytest.mark.parametrize("name", ["unsubscribe", "delete_conduit"])
async def test_what_is_gone_already_is_deleted(service: Service, helix: Helix, name: str) -> None:
    method, path, _, call = WRITES[name]
    service.plan(method, f"/helix{path}", says(204), says(404, {"message": "not found"}), says(400))
    await call(helix)
    await call(helix)
    assert asked(service)[0].query in ([("id", "e1")], [("id", "k1")])
    with pytest.raises(ProviderRefused):
        await call(helix)


async def test_every_call_may_be_cancelled(service: Service, helix: Helix) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    for count, (method, path, _, call) in enumerate(CALLS.values(), start=1):
        service.plan(method, f"/helix{path}", never)
        task = asyncio.ensure_future(call(helix))
        while len(asked(service)) < count:
            await service.until_asked(len(service.asked) + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def reset(seconds: int) -> str:
    """A Ratelimit-Reset so many seconds after the beginning of this second."""
    return str(int(NOW.timestamp()) + seconds)
