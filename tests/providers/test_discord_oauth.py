"""Discord's OAuth: what is sent where, what is believed, and what an error tells."""

import traceback
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused, ProviderUnreadable
from providers.discord import DiscordOAuth
from providers.discord.oauth import challenge
from providers.http import Http, open_http
from tests.fake_discord.server import FakeDiscord
from tests.providers.service import Service, says

APPLICATION, SECRET = "4242", "canary-client-secret"
ACCESS, CODE, VERIFIER = "canary-access", "canary-code", "canary-verifier-of-this-one-walk-and-no-other"
BACK = "https://here/login/discord/callback"
ME = {"id": "77", "username": "sable", "global_name": "Sable"}
TOKEN = {"access_token": ACCESS, "token_type": "Bearer", "expires_in": 604_800, "scope": "identify"}
TOKEN_PATH, REVOKE_PATH, ME_PATH = "/api/v10/oauth2/token", "/api/v10/oauth2/token/revoke", "/api/v10/users/@me"


@pytest.fixture
def oauth(http: Http, service: Service) -> DiscordOAuth:
    service.plan("POST", TOKEN_PATH, says(200, TOKEN))
    service.plan("GET", ME_PATH, says(200, ME))
    service.plan("POST", REVOKE_PATH, says(200, {}))
    return DiscordOAuth(http, f"{service.url}/api", APPLICATION, SECRET)


def assert_nothing_secret(error: BaseException) -> None:
    told = "".join(traceback.format_exception(error)) + repr(error)
    assert "canary" not in told
    assert error.__context__ is None or "canary" not in repr(error.__context__)


def test_AUTH_2_AUTH_4_the_page_a_person_is_sent_to_names_the_proof_and_one_scope(oauth: DiscordOAuth) -> None:
    url = urlsplit(oauth.authorize_url(redirect_uri=BACK, state="s&t", verifier=VERIFIER))
    assert url.path == "/oauth2/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": [APPLICATION],
        "redirect_uri": [BACK],
        "scope": ["identify"],
        "state": ["s&t"],
        "code_challenge": [challenge(VERIFIER)],
        "code_challenge_method": ["S256"],
        "prompt": ["consent"],
    }
    assert VERIFIER not in url.query


async def test_the_page_is_beside_the_api_and_not_under_it() -> None:
    async with open_http(["https://discord.com/api"]) as http:
        oauth = DiscordOAuth(http, "https://discord.com/api", APPLICATION, SECRET)
        url = oauth.authorize_url(redirect_uri=BACK, state="s", verifier=VERIFIER)
        assert url.startswith("https://discord.com/oauth2/authorize?")


def test_AUTH_2_a_verifier_is_hashed_as_the_standard_says() -> None:
    """The example of RFC 7636, appendix B."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    with pytest.raises(ValueError, match="43"):
        challenge("guessable")


async def test_LOG_3_a_code_is_exchanged_in_the_body_with_its_verifier_and_nothing_secret_shows(
    service: Service, oauth: DiscordOAuth
) -> None:
    exchanged = await oauth.exchange(CODE, BACK, VERIFIER)
    grant = exchanged.grant
    assert (grant.platform, grant.user_id, grant.login, exchanged.display_name) == ("discord", "77", "sable", "Sable")
    assert (grant.access_token, grant.refresh_token, grant.scopes) == (ACCESS, "", frozenset({"identify"}))
    assert service.asked[0].form == {
        "client_id": APPLICATION,
        "client_secret": SECRET,
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    assert service.asked[1].headers["Authorization"] == f"Bearer {ACCESS}"
    assert not any(asked.query for asked in service.asked)
    assert "canary" not in repr((oauth, exchanged, grant))
    await oauth.revoke(grant.access_token)
    assert service.asked[2].form["token"] == ACCESS


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ProviderRefused), (401, NotAuthorised), (403, ProviderRefused), (429, ProviderBusy), (502, ProviderDown)],
)
async def test_LOG_3_a_code_that_is_refused_tells_nothing_secret(
    service: Service, oauth: DiscordOAuth, status: int, kind: type[ProviderError]
) -> None:
    said = {"error": f"no {CODE}", "error_description": f"no: {CODE} {SECRET}"}
    service.plan("POST", TOKEN_PATH, says(status, said))
    with pytest.raises(kind) as caught:
        await oauth.exchange(CODE, BACK, VERIFIER)
    assert str(caught.value) == f"POST /oauth2/token: {status}"
    assert_nothing_secret(caught.value)
    assert service.paths() == [f"POST {TOKEN_PATH}"], "a code is good once, and there is no token to give back"


async def test_a_wrong_client_is_told_from_a_wrong_code(service: Service, oauth: DiscordOAuth) -> None:
    for status, word in ((401, "invalid_client"), (400, "invalid_grant")):
        service.plan("POST", TOKEN_PATH, says(status, {"error": word}))
        with pytest.raises(ProviderRefused) as caught:
            await oauth.exchange(CODE, BACK, VERIFIER)
        assert (caught.value.status, caught.value.code) == (status, word)


@pytest.mark.parametrize("scope", ["identify email", "email", "", "guilds identify"])
async def test_AUTH_4_more_or_less_than_was_asked_is_given_back_and_refused(
    service: Service, oauth: DiscordOAuth, scope: str
) -> None:
    service.plan("POST", TOKEN_PATH, says(200, TOKEN | {"scope": scope}))
    with pytest.raises(NotAuthorised):
        await oauth.exchange(CODE, BACK, VERIFIER)
    assert service.paths() == [f"POST {TOKEN_PATH}", f"POST {REVOKE_PATH}"]
    assert service.asked[1].form["token"] == ACCESS


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None}, {"access_token": ""}, {"access_token": "canary\r\nX: y"}, {"access_token": 7},
        {"scope": None}, {"scope": ["identify"]},
    ],
)  # fmt: skip
async def test_a_token_that_cannot_be_read_is_told_without_it(
    service: Service, oauth: DiscordOAuth, changes: dict[str, object]
) -> None:
    service.plan("POST", TOKEN_PATH, says(200, TOKEN | changes))
    with pytest.raises(ProviderUnreadable) as caught:
        await oauth.exchange(CODE, BACK, VERIFIER)
    assert_nothing_secret(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        (200, ME | {"id": 77}), (200, ME | {"id": "77; DROP"}), (200, {"username": "sable"}), (200, []),
        (200, ME | {"username": None}), (200, ME | {"global_name": 5}), (500, {}), (401, {"message": "no canary"}),
    ],
)  # fmt: skip
async def test_AUTH_4_a_token_goes_back_also_when_nobody_can_be_said_to_own_it(
    service: Service, oauth: DiscordOAuth, answer: tuple[int, object]
) -> None:
    service.plan("GET", ME_PATH, says(*answer))
    with pytest.raises(ProviderError) as caught:
        await oauth.exchange(CODE, BACK, VERIFIER)
    assert_nothing_secret(caught.value)
    assert service.paths()[-1] == f"POST {REVOKE_PATH}"


async def test_whoever_chose_no_name_is_called_by_the_one_they_have(service: Service, oauth: DiscordOAuth) -> None:
    service.plan("GET", ME_PATH, says(200, ME | {"global_name": None}))
    assert (await oauth.exchange(CODE, BACK, VERIFIER)).display_name == "sable"


async def test_AUTH_2_the_protocol_itself_refuses_another_walks_verifier_and_a_code_twice() -> None:
    """Against a Discord that is true to it."""
    async with FakeDiscord() as discord, open_http([discord.api_url]) as http:
        discord.oauth.redirect_uris.add(BACK)
        oauth = DiscordOAuth(http, discord.api_url, discord.application_id, discord.client_secret)
        sable = discord.user("sable", global_name="Sable")

        async def code() -> str:
            address = oauth.authorize_url(redirect_uri=BACK, state="s", verifier=VERIFIER)
            assert address.startswith(discord.authorize_url)
            return await pressed(f"{address}&fake_user={sable.id}")

        good = await code()
        assert (await oauth.exchange(good, BACK, VERIFIER)).grant.user_id == sable.id
        for verifier, again, back in (
            (VERIFIER, good, BACK),
            ("x" * 43, await code(), BACK),
            (VERIFIER, await code(), BACK + "/elsewhere"),
        ):
            with pytest.raises(ProviderRefused) as caught:
                await oauth.exchange(again, back, verifier)
            assert (caught.value.status, caught.value.code) == (400, "invalid_grant")
        (token,) = discord.oauth.tokens
        await oauth.revoke(token.value)
        assert discord.oauth.tokens == []


async def pressed(address: str) -> str:
    """The code that a button of Discord's page leads back with."""
    async with aiohttp.ClientSession() as browser, browser.get(address, allow_redirects=False) as answer:
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
