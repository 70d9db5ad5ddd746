"""Logging in at the fake: the page, PKCE, tokens, and everything it refuses."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from tests.discord.town import Town
from tests.fake_discord.oauth import challenge
from tests.fake_discord.world import Json, now_utc

BACK = "https://moments.example/login/discord/callback"
VERIFIER = "v" * 64


class Visit:
    """A person's browser and the application's back end."""

    def __init__(self, town: Town) -> None:
        self.town, self.http = town, town.app.http
        town.discord.oauth.redirect_uris.add(BACK)
        self.query = {
            "client_id": town.discord.application_id,
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": "identify",
            "state": "s t",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        }

    async def page(self, **changes: str) -> tuple[int, str]:
        async with self.http.get(self.town.discord.authorize_url, params=self.query | changes) as response:
            return response.status, await response.text()

    async def press(self, user_id: str, url: str = "") -> dict[str, str]:
        """What comes back to the redirect URI."""
        query = self.query | {"fake_user": user_id}
        url = url or self.town.discord.authorize_url
        async with self.http.get(url, params=query, allow_redirects=False) as response:
            assert response.status == 302
            return dict(parse_qsl(urlsplit(response.headers["Location"]).query))

    async def post(self, path: str, auth: bool = False, **fields: str) -> tuple[int, Any]:
        """With the client's credentials in the body, or as Basic."""
        discord = self.town.discord
        credentials = {"client_id": discord.application_id, "client_secret": discord.client_secret}
        headers = {}
        if auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(discord.application_id, discord.client_secret)
        data = fields if auth else credentials | fields
        async with self.http.post(f"{discord.api_url}/oauth2/{path}", data=data, headers=headers) as response:
            return response.status, await response.json()

    async def exchange(self, code: str, auth: bool = False, /, **changes: str) -> tuple[int, Any]:
        given = {"grant_type": "authorization_code", "redirect_uri": BACK, "code": code, "code_verifier": VERIFIER}
        return await self.post("token", auth, **given | changes)

    async def me(self, token: str) -> Any:  # noqa: ANN401 - JSON
        return await self.town.app.call("GET", "/users/@me", token=f"Bearer {token}")


@pytest.fixture
def visit(town: Town) -> Visit:
    return Visit(town)


@pytest.mark.parametrize("auth", [False, True], ids=["body", "basic"])
async def test_a_person_logs_in_with_a_verifier(visit: Visit, auth: bool) -> None:
    sable = visit.town.sable
    status, page = await visit.page()
    assert (status, f'value="{sable.id}"' in page) == (200, True)
    back = await visit.press(sable.id)
    assert back["state"] == "s t"
    status, token = await visit.exchange(back["code"], auth)
    assert (status, token["token_type"], token["scope"]) == (200, "Bearer", "identify")
    me = await visit.me(token["access_token"])
    assert (me.body["id"], me.body["global_name"], "bot" in me.body) == (sable.id, "Sable", False)
    assert [each.user for each in visit.town.discord.oauth.asked] == [None, sable]
    assert {back["code"], token["access_token"]} <= visit.town.discord.secrets


async def test_the_page_under_the_api_is_the_same(visit: Visit) -> None:
    url = f"{visit.town.discord.api_url}/oauth2/authorize"
    assert "code" in await visit.press(visit.town.sable.id, url)
    assert visit.town.discord.requests[-1].status == 302


async def test_a_person_may_cancel(visit: Visit) -> None:
    assert (await visit.press(""))["error"] == "access_denied"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "1"},
        {"redirect_uri": "https://evil.example/"},
        {"response_type": "token"},
        {"scope": "identify everything"},
        {"scope": ""},
        {"code_challenge_method": "plain"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_the_page_refuses_what_is_not_registered_or_not_known(visit: Visit, changes: Json) -> None:
    assert (await visit.page(**changes))[0] == 400


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 64}, {"code_verifier": ""}, {"redirect_uri": "https://evil.example/"}, {"code": "x"}],
    ids=["another verifier", "no verifier", "another address", "no such code"],
)
async def test_a_code_is_for_its_verifier_and_its_address(visit: Visit, changes: Json) -> None:
    code = (await visit.press(visit.town.sable.id))["code"]
    status, body = await visit.exchange(code, **changes)
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_a_code_is_good_once_and_for_minutes(visit: Visit) -> None:
    code = (await visit.press(visit.town.sable.id))["code"]
    assert (await visit.exchange(code))[0] == 200
    assert (await visit.exchange(code))[0] == 400
    late = (await visit.press(visit.town.sable.id))["code"]
    visit.town.discord.clock = lambda: now_utc() + timedelta(minutes=11)
    assert (await visit.exchange(late))[0] == 400


async def test_a_wrong_secret_is_refused(visit: Visit) -> None:
    code = (await visit.press(visit.town.sable.id))["code"]
    assert await visit.exchange(code, client_secret="wrong") == (401, {"error": "invalid_client"})


async def test_a_token_is_refreshed_revoked_and_runs_out(visit: Visit) -> None:
    first = visit.town.discord.oauth.mint(visit.town.sable)
    status, second = await visit.post("token", grant_type="refresh_token", refresh_token=first.refresh)
    assert status == 200
    assert (await visit.me(first.value)).status == 401
    assert (await visit.me(second["access_token"])).status == 200
    assert (await visit.post("token/revoke", token=second["access_token"]))[0] == 200
    assert (await visit.me(second["access_token"])).status == 401
    assert (await visit.post("token/revoke", token="no such"))[0] == 200
    third = visit.town.discord.oauth.mint(visit.town.sable)
    visit.town.discord.clock = lambda: now_utc() + timedelta(days=8)
    assert (await visit.me(third.value)).status == 401
    nothing = visit.town.discord.oauth.mint(visit.town.sable, frozenset({"guilds"}))
    assert (await visit.me(nothing.value)).status == 401
    assert (await visit.post("token", grant_type="password"))[0] == 400
