"""The fake's sign-in: codes once, exact redirect addresses, refreshes, revocation, and signed identity."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fake_twitch.application import Answer, Application
from tests.fake_twitch.server import FakeTwitch
from tests.fake_twitch.world import Json

REDIRECT = "http://localhost:8080/twitch/connect/callback"


@pytest.fixture
async def twitch() -> AsyncIterator[FakeTwitch]:
    async with FakeTwitch() as twitch:
        twitch.redirect_uris.add(REDIRECT)
        yield twitch


@pytest.fixture
async def app(twitch: FakeTwitch) -> AsyncIterator[Application]:
    async with Application.at(twitch) as app:
        yield app


async def authorize(app: Application, **changes: str) -> Answer:
    """The page, or where it sends the browser; a changed field that is empty is left out."""
    asked = {
        "client_id": app.twitch.client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "channel:bot openid",
        "state": "s1",
    } | changes
    query = {name: value for name, value in asked.items() if value or name == "fake_user"}
    url = f"{app.twitch.auth_url}/oauth2/authorize"
    async with app.http.get(url, params=query, allow_redirects=False) as response:
        return Answer(response.status, response.headers, await response.text())


def words(answer: Answer) -> dict[str, list[str]]:
    """The query the browser brings back to the application."""
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    return parse_qs(urlsplit(answer.headers["Location"]).query)


async def exchange(app: Application, code: str, redirect_uri: str = REDIRECT) -> Answer:
    return await app.oauth("token", grant_type="authorization_code", code=code, redirect_uri=redirect_uri)


def claims_of(token: str) -> Json:
    body = token.split(".")[1]
    claims: Json = orjson.loads(base64.urlsafe_b64decode(body + "=="))
    return claims


async def test_a_person_presses_a_button_and_the_code_buys_a_token_once(twitch: FakeTwitch, app: Application) -> None:
    ann = twitch.user("ann")
    page = await authorize(app)
    assert (page.status, "Authorize as ann" in page.text, "Cancel" in page.text) == (200, True, True)
    assert f'value="{ann.id}"' in page.text
    back = words(await authorize(app, fake_user=ann.id, force_verify="true", nonce="n1"))
    assert (back["state"], back["scope"]) == (["s1"], ["channel:bot openid"])
    bought = await exchange(app, back["code"][0])
    assert (bought.status, bought.body["token_type"], bought.body["scope"]) == (
        200,
        "bearer",
        ["channel:bot", "openid"],
    )
    known = (await app.validate(bought.body["access_token"])).body
    assert (known["user_id"], known["login"], known["scopes"]) == (ann.id, "ann", ["channel:bot", "openid"])
    again = await exchange(app, back["code"][0])
    assert (again.status, again.body["message"]) == (400, "Invalid authorization code")
    asked = twitch.asked[-1]
    assert (asked.user, asked.force_verify, asked.nonce) == (ann, True, "n1")


async def test_the_page_works_as_a_form_without_scripts(twitch: FakeTwitch, app: Application) -> None:
    twitch.user("ann")
    text = (await authorize(app, state='"><script>')).text
    assert "<script" not in text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text))
    assert set(hidden) == {"client_id", "redirect_uri", "response_type", "scope", "state"}


async def test_cancel_comes_back_as_access_denied(app: Application) -> None:
    back = words(await authorize(app, fake_user=""))
    assert (back["error"], back["state"], "code" in back) == (["access_denied"], ["s1"], False)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "other"},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": "https://evil.example/"},
        {"response_type": "token"},
        {"scope": "channel:everything"},
    ],
)
async def test_a_wrong_request_gets_a_page_and_no_redirect(app: Application, changes: dict[str, str]) -> None:
    answer = await authorize(app, fake_user="", **changes)
    assert (answer.status, "Location" in answer.headers) == (400, False)


async def test_a_code_is_bound_to_its_redirect_address_and_to_ten_minutes(twitch: FakeTwitch, app: Application) -> None:
    twitch.redirect_uris.add("http://localhost:8080/login/twitch/callback")
    ann = twitch.user("ann")
    other = await exchange(app, twitch.authorise(ann, [], REDIRECT), "http://localhost:8080/login/twitch/callback")
    late = twitch.authorise(ann, [], REDIRECT)
    twitch.clock = lambda: datetime.now(UTC) + timedelta(minutes=11)
    assert (other.status, (await exchange(app, late)).status) == (400, 400)


async def test_the_secret_is_asked_for_and_parameters_may_be_in_the_query(twitch: FakeTwitch, app: Application) -> None:
    wrong = await app.oauth("token", grant_type="client_credentials", client_secret="guess")
    assert (wrong.status, wrong.body["message"]) == (403, "invalid client secret")
    given = {"client_id": twitch.client_id, "client_secret": twitch.client_secret, "grant_type": "client_credentials"}
    async with app.http.post(f"{twitch.auth_url}/oauth2/token", params=given) as response:
        token = await response.json()
    assert (await app.helix("GET", "users", {"login": "x"}, token=token["access_token"])).status == 200
    assert set(token) == {"access_token", "expires_in", "token_type"}


@pytest.mark.parametrize(("rotate", "once", "second"), [(True, True, 400), (True, False, 200), (False, True, 200)])
async def test_refresh_tokens_rotate_as_configured(
    twitch: FakeTwitch, app: Application, rotate: bool, once: bool, second: int
) -> None:
    twitch.tokens.rotate_refresh_tokens, twitch.tokens.one_time_refresh_tokens = rotate, once
    _, refresh = twitch.mint(twitch.user("ann"), ["channel:bot"])
    first = await app.oauth("token", grant_type="refresh_token", refresh_token=refresh)
    assert (first.status, first.body["scope"]) == (200, ["channel:bot"])
    assert (first.body["refresh_token"] != refresh) == rotate
    assert (await app.oauth("token", grant_type="refresh_token", refresh_token=refresh)).status == second


async def test_expired_tokens_refresh_and_revoked_ones_do_not(twitch: FakeTwitch, app: Application) -> None:
    ann = twitch.user("ann")
    token, refresh = twitch.mint(ann, ["channel:bot"])
    twitch.expire(ann)
    expired = await app.helix("GET", "users", token=token.value)
    assert (expired.status, expired.body["message"]) == (401, "Invalid OAuth token")
    fresh = await app.oauth("token", grant_type="refresh_token", refresh_token=refresh)
    assert (await app.helix("GET", "users", token=fresh.body["access_token"])).data[0]["id"] == ann.id
    await twitch.revoke(ann)
    assert (await app.helix("GET", "users", token=fresh.body["access_token"])).status == 401
    dead = await app.oauth("token", grant_type="refresh_token", refresh_token=fresh.body["refresh_token"])
    assert (dead.status, dead.body["message"]) == (400, "Invalid refresh token")


async def test_a_token_revoked_by_the_application_is_dead(twitch: FakeTwitch, app: Application) -> None:
    token, _ = twitch.mint(twitch.user("ann"), [])
    assert (await app.oauth("revoke", token=token.value)).status == 200
    assert (await app.validate(token.value)).body == {
        "error": "Unauthorized",
        "status": 401,
        "message": "invalid access token",
    }
    assert (await app.oauth("revoke", token=token.value)).status == 400


async def test_a_persistent_401_refuses_fresh_tokens_too(twitch: FakeTwitch, app: Application) -> None:
    ann = twitch.user("ann")
    twitch.persistent_401(ann)
    token, _ = twitch.mint(ann, [])
    assert (await app.helix("GET", "users", token=token.value)).status == 401
    assert (await app.validate(token.value)).status == 200
    twitch.persistent_401(ann, on=False)
    assert (await app.helix("GET", "users", token=token.value)).status == 200


async def test_the_identity_is_signed_with_the_published_key(twitch: FakeTwitch, app: Application) -> None:
    ann = twitch.user("ann")
    code = twitch.authorise(ann, ["openid"], REDIRECT, nonce="n1")
    token = (await exchange(app, code)).body["id_token"]
    claims = claims_of(token)
    assert (claims["iss"], claims["aud"]) == ("https://id.twitch.tv/oauth2", twitch.client_id)
    assert (claims["sub"], claims["nonce"], claims["preferred_username"]) == (ann.id, "n1", "ann")
    async with app.http.get(f"{twitch.auth_url}/oauth2/keys") as response:
        key = (await response.json())["keys"][0]
    numbers = [int.from_bytes(base64.urlsafe_b64decode(key[name] + "==")) for name in ("e", "n")]
    signed, _, signature = token.rpartition(".")
    public = rsa.RSAPublicNumbers(*numbers).public_key()
    raw = base64.urlsafe_b64decode(signature + "==")
    public.verify(raw, signed.encode(), padding.PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(raw, f"{signed}x".encode(), padding.PKCS1v15(), SHA256())


async def test_wrong_identities_can_be_minted(twitch: FakeTwitch, app: Application) -> None:
    twitch.id_token_changes.update({"aud": "somebody-else", "nonce": None})
    code = twitch.authorise(twitch.user("ann"), ["openid"], REDIRECT, nonce="n1")
    claims = claims_of((await exchange(app, code)).body["id_token"])
    assert (claims["aud"], "nonce" in claims) == ("somebody-else", False)


async def test_every_secret_is_remembered_so_that_logs_can_be_searched(twitch: FakeTwitch, app: Application) -> None:
    code = twitch.authorise(twitch.user("ann"), ["openid"], REDIRECT)
    bought = (await exchange(app, code)).body
    given = {code, bought["access_token"], bought["refresh_token"], bought["id_token"], twitch.client_secret}
    assert given <= twitch.secrets
    assert not [secret for secret in twitch.secrets if secret in repr(twitch.requests) + repr(twitch.asked)]
