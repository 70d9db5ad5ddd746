"""Tokens that end: one refresh for many, a bound on asking, and who is told that a grant is dead.

Traps 8, 9, 11 and 13 of research/twitch.md: each of these goes wrong in the library we did not leave this to.
"""

import asyncio
import traceback
from itertools import count

import pytest
from aiohttp import web

from moments.errors import NotAuthorised, ProviderDown, ProviderRefused, StoreBusy
from moments.grants import Grant
from providers.twitch.helix import Helix
from providers.twitch.oauth import TwitchOAuth
from providers.twitch.tokens import AppToken
from tests.providers.conftest import GRANT, Kept
from tests.providers.service import Handler, Service, says

MARKER = {"id": "m1", "created_at": "2026-03-01T12:00:00Z", "position_seconds": 61, "description": ""}
USER = {"id": "1", "login": "a", "display_name": "A", "created_at": "2020-01-01T00:00:00Z"}
DEAD = says(401, {"error": "Unauthorized", "status": 401, "message": "Invalid OAuth token"})


class Mint:
    """Twitch's tokens, as harsh as it is allowed to be: a refresh token is good once."""

    def __init__(self, service: Service) -> None:
        self.good = "a token nobody has"
        self.refreshed = self.minted = 0
        self.free = asyncio.Event()
        self.free.set()
        self._refresh = GRANT.refresh_token
        self._numbers = count(1)
        service.plan("POST", "/oauth2/token", self.token)
        service.plan("GET", "/oauth2/validate", DEAD)

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        number = next(self._numbers)
        if form["grant_type"] == "client_credentials":
            self.minted += 1
            await self.free.wait()
            self.good = f"app-{number}"
            return web.json_response({"access_token": self.good, "expires_in": 10})
        self.refreshed += 1
        if form["refresh_token"] != self._refresh:
            return await says(400, {"status": 400, "message": "Invalid refresh token"})(request)
        self.good, self._refresh = f"access-{number}", f"canary-refresh-{number}"
        answer = {"access_token": self.good, "refresh_token": self._refresh, "expires_in": 10}
        await self.free.wait()
        return web.json_response(answer)

    def guarded(self, row: object) -> Handler:
        """A route that only the newest token opens."""

        async def handler(request: web.Request) -> web.StreamResponse:
            if request.headers["Authorization"] != f"Bearer {self.good}":
                return await DEAD(request)
            return web.json_response({"data": [row]})

        return handler


@pytest.fixture
def mint(service: Service, helix: Helix) -> Mint:  # after helix, which plans a simpler one
    mint = Mint(service)
    service.plan("POST", "/helix/streams/markers", mint.guarded(MARKER))
    service.plan("GET", "/helix/users", mint.guarded(USER))
    return mint


async def test_trap_8_five_calls_that_find_the_token_dead_refresh_it_once(
    service: Service, helix: Helix, mint: Mint, kept: Kept
) -> None:
    mint.free.clear()
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(helix.create_marker("1001", "x")) for _ in range(5)]
        await service.until_asked(6)  # five refused, one refresh begun
        mint.free.set()
    assert [call.result().position_seconds for call in calls] == [61] * 5
    assert mint.refreshed == 1
    assert kept.grants["1001"].access_token == mint.good
    assert kept.buried == []


async def test_trap_8_a_401_that_comes_late_takes_the_token_that_is_there_by_then(helix: Helix, mint: Mint) -> None:
    fresh = await helix.user_tokens.renewed("1001", GRANT.access_token)
    assert await helix.user_tokens.renewed("1001", GRANT.access_token) == fresh
    assert mint.refreshed == 1


async def test_accounts_are_refreshed_beside_each_other(helix: Helix, mint: Mint, kept: Kept) -> None:
    other = Grant("twitch", "1002", "lena", "canary-other", "canary-spent")
    kept.grants["1002"] = other
    mint.free.clear()
    waiting = asyncio.create_task(helix.user_tokens.renewed("1001", GRANT.access_token))
    with pytest.raises(NotAuthorised):  # answered while the first still waits
        await helix.user_tokens.renewed("1002", other.access_token)
    assert kept.buried == ["1002"]
    mint.free.set()
    assert (await waiting).access_token == mint.good


async def test_a_cancelled_call_does_not_lose_the_refreshed_token(
    service: Service, helix: Helix, mint: Mint, kept: Kept
) -> None:
    mint.free.clear()
    call = asyncio.create_task(helix.create_marker("1001", "x"))
    await service.until_asked(2)  # the one-time token is spent now
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    mint.free.set()
    await helix.settle()
    assert kept.grants["1001"].access_token == mint.good
    assert (await helix.create_marker("1001", "x")).position_seconds == 61
    assert mint.refreshed == 1


async def test_a_refreshed_token_is_kept_though_the_store_is_busy_at_first(
    helix: Helix, mint: Mint, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, failures = kept.save, iter([True, True, False])

    async def stumbling(grant: Grant) -> None:
        if next(failures):
            raise StoreBusy("busy")
        await save(grant)

    monkeypatch.setattr(kept, "save", stumbling)
    await helix.create_marker("1001", "x")
    assert kept.grants["1001"].access_token == mint.good
    assert mint.refreshed == 1


async def test_trap_9_a_401_that_stays_ends_after_one_refresh(
    service: Service, helix: Helix, mint: Mint, kept: Kept
) -> None:
    service.plan("POST", "/helix/streams/markers", DEAD)
    with pytest.raises(NotAuthorised) as caught:
        await helix.create_marker("1001", "x")
    assert service.paths() == [
        "POST /helix/streams/markers",
        "POST /oauth2/token",
        "POST /helix/streams/markers",
        "GET /oauth2/validate",
    ]
    assert kept.buried == ["1001"]
    assert str(caught.value) == "POST /helix/streams/markers: 401"


@pytest.mark.usefixtures("mint")
async def test_a_token_that_was_replaced_meanwhile_takes_no_grant_with_it(helix: Helix, kept: Kept) -> None:
    await helix.user_tokens.given_up("1001", "canary-replaced")  # Twitch says that this one is dead, and rightly so
    assert kept.buried == []
    await helix.user_tokens.given_up("1001", GRANT.access_token)
    assert kept.buried == ["1001"]


@pytest.mark.usefixtures("mint")
async def test_a_grant_that_twitch_itself_says_is_good_outlives_helixs_401s(
    service: Service, helix: Helix, kept: Kept
) -> None:
    good = {"client_id": "our-client", "user_id": "1001", "login": "rosa", "scopes": [], "expires_in": 10}
    service.plan("POST", "/helix/streams/markers", DEAD)
    service.plan("GET", "/oauth2/validate", says(200, good))
    with pytest.raises(NotAuthorised):
        await helix.create_marker("1001", "x")
    assert kept.buried == []


async def test_trap_9_the_apps_401_that_stays_ends_after_one_new_token(
    service: Service, helix: Helix, mint: Mint
) -> None:
    service.plan("GET", "/helix/users", DEAD)
    with pytest.raises(NotAuthorised):
        await helix.users(["1"])
    assert service.paths() == ["POST /oauth2/token", "GET /helix/users", "POST /oauth2/token", "GET /helix/users"]
    assert mint.minted == 2


async def test_trap_11_LOG_3_a_dead_grant_is_reported_once_and_nothing_secret_shows(
    service: Service, helix: Helix, mint: Mint, kept: Kept
) -> None:
    kept.grants["1001"] = Grant("twitch", "1001", "rosa", "canary-access", "canary-spent")
    with pytest.raises(NotAuthorised) as caught:
        await helix.create_marker("1001", "x")
    assert mint.refreshed == 1
    assert kept.buried == ["1001"]
    assert str(caught.value) == "POST /oauth2/token: 400"
    assert "canary" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    before = len(service.asked)
    with pytest.raises(NotAuthorised):
        await helix.create_marker("1001", "x")
    assert len(service.asked) == before, "a dead grant is not asked with again"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "", ProviderDown),
        (403, "invalid client secret", ProviderRefused),
        (400, "invalid client", ProviderRefused),
    ],
)
@pytest.mark.usefixtures("mint")
async def test_a_refresh_that_fails_for_another_reason_leaves_the_grant_alive(
    service: Service, helix: Helix, kept: Kept, status: int, message: str, kind: type[Exception]
) -> None:
    service.plan("POST", "/oauth2/token", says(status, {"status": status, "message": message}))
    with pytest.raises(kind):
        await helix.create_marker("1001", "x")
    assert kept.buried == []
    assert kept.grants["1001"] == GRANT


@pytest.mark.parametrize(
    "message",
    [
        "Missing scope: channel:manage:broadcast",
        "Missing User OAUTH Token",
        "The user ID in the request must match the user ID in the access token",
    ],
)
async def test_a_scope_that_was_not_granted_costs_no_refresh_and_no_grant(
    service: Service, helix: Helix, mint: Mint, kept: Kept, message: str
) -> None:
    service.plan("POST", "/helix/streams/markers", says(401, {"status": 401, "message": message}))
    with pytest.raises(NotAuthorised):
        await helix.create_marker("1001", "x")
    assert service.paths() == ["POST /helix/streams/markers"]
    assert (mint.refreshed, kept.buried) == (0, [])


@pytest.mark.parametrize("user_id", ["9999", ""])
async def test_trap_13_an_unknown_account_never_falls_back_to_the_apps_token(
    service: Service, helix: Helix, mint: Mint, user_id: str
) -> None:
    await helix.users(["1"])  # the app's token is at hand
    before = len(service.asked)
    with pytest.raises(NotAuthorised):
        await helix.create_marker(user_id, "x")
    with pytest.raises(NotAuthorised):
        await helix.create_clip_from_vod(user_id, "v", ends_at_seconds=60, duration_seconds=30, title="t")
    assert len(service.asked) == before
    assert mint.minted == 1


async def test_the_apps_token_is_fetched_once_for_calls_at_the_same_time(
    service: Service, helix: Helix, mint: Mint
) -> None:
    mint.free.clear()
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(helix.users(["1"])) for _ in range(5)]
        await service.until_asked(1)
        mint.free.set()
    assert [call.result()[0].login for call in calls] == ["a"] * 5
    assert mint.minted == 1


async def test_the_apps_token_is_renewed_once_for_five_that_find_it_dead(
    service: Service, helix: Helix, mint: Mint
) -> None:
    await helix.users(["1"])
    mint.good, before = "another by now", len(service.asked)
    mint.free.clear()
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(helix.users(["1"])) for _ in range(4)]
        await service.until_asked(before + 5)
        mint.free.set()
    assert all(call.result() for call in calls)
    assert mint.minted == 2


async def test_the_apps_401_that_comes_late_takes_the_token_that_is_there_by_then(
    oauth: TwitchOAuth, mint: Mint
) -> None:
    app = AppToken(oauth)
    first = await app.current()
    second = await app.renewed(first)
    assert await app.renewed(first) == second == mint.good
    assert mint.minted == 2


async def test_a_cancelled_caller_leaves_the_others_their_token(service: Service, helix: Helix, mint: Mint) -> None:
    mint.free.clear()
    first = asyncio.create_task(helix.users(["1"]))
    await service.until_asked(1)
    second = asyncio.create_task(helix.users(["1"]))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    mint.free.set()
    assert (await second)[0].id == "1"
    assert mint.minted == 1


async def test_a_borrowed_token_is_asked_with_once_and_never_renewed(
    service: Service, helix: Helix, mint: Mint, kept: Kept
) -> None:
    service.plan("GET", "/helix/moderation/channels", DEAD)
    with pytest.raises(NotAuthorised) as caught:
        await helix.moderated_channels("1001", "canary-login-token")
    assert service.paths() == ["GET /helix/moderation/channels"]
    assert service.asked[0].headers["Authorization"] == "Bearer canary-login-token"
    assert (mint.refreshed, mint.minted, kept.buried) == (0, 0, [])
    assert "canary" not in str(caught.value)
