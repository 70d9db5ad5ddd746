"""Twitch's OAuth: what is sent where, what is believed, and what an error tells."""

import base64
import traceback
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused, ProviderUnreadable
from providers.twitch import ISSUER, Endpoints, TwitchApi
from providers.twitch.helix import Helix
from providers.twitch.oauth import BOT_SCOPES, TwitchOAuth, check_identity
from tests.providers.conftest import CLIENT_ID, CLIENT_SECRET, GRANT, NOW
from tests.providers.service import Handler, Service, says

ACCESS, REFRESH, CODE = "canary-access", "canary-refresh", "canary-code"
CLAIMS = {
    "iss": ISSUER,
    "aud": CLIENT_ID,
    "sub": "1001",
    "nonce": "a-nonce",
    "exp": int(NOW.timestamp()) + 900,
    "iat": int(NOW.timestamp()),
}
VALID = {"client_id": CLIENT_ID, "user_id": "1001", "login": "rosa", "scopes": ["openid"], "expires_in": 14_000}


def tokens(**more: object) -> dict[str, object]:
    return {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 14_400, "scope": ["openid"], **more}


def id_token(payload: object) -> str:
    parts = (orjson.dumps({"alg": "RS256"}), payload if isinstance(payload, bytes) else orjson.dumps(payload), b"sign")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def assert_nothing_secret(error: BaseException) -> None:
    told = "".join(traceback.format_exception(error)) + repr(error)
    assert "canary" not in told
    assert error.__context__ is None or "canary" not in repr(error.__context__)


def test_the_page_a_person_is_sent_to_names_everything(oauth: TwitchOAuth, endpoints: Endpoints) -> None:
    url = oauth.authorize_url(
        redirect_uri="https://here/back?a=b", scopes=BOT_SCOPES, state="s&t", nonce="n", force_verify=True
    )
    assert url.startswith(f"{endpoints.auth}/oauth2/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": [CLIENT_ID],
        "redirect_uri": ["https://here/back?a=b"],
        "scope": ["user:bot user:read:chat user:write:chat"],
        "state": ["s&t"],
        "nonce": ["n"],
        "force_verify": ["true"],
    }
    assert "nonce" not in oauth.authorize_url(redirect_uri="x", scopes=(), state="s")


async def test_LOG_3_a_code_is_exchanged_in_the_body_and_nothing_secret_shows(
    service: Service, oauth: TwitchOAuth, helix: Helix
) -> None:
    service.plan("POST", "/oauth2/token", says(200, tokens(id_token=id_token(CLAIMS))))
    service.plan("GET", "/oauth2/validate", says(200, VALID))
    exchanged = await oauth.exchange(CODE, "https://here/back")
    grant = exchanged.grant
    assert (grant.platform, grant.user_id, grant.login) == ("twitch", "1001", "rosa")
    assert (grant.access_token, grant.refresh_token, grant.scopes) == (ACCESS, REFRESH, frozenset({"openid"}))
    assert grant.expires_at == NOW + timedelta(hours=4)
    assert exchanged.claims == CLAIMS
    assert service.asked[0].form == {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": "https://here/back",
    }
    assert service.asked[1].headers["Authorization"] == f"OAuth {ACCESS}"
    assert not any(asked.query for asked in service.asked)
    assert "canary" not in repr((oauth, exchanged, grant, TwitchApi(oauth, helix, "1")))


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_LOG_3_a_code_that_is_refused_tells_nothing_secret(
    service: Service, oauth: TwitchOAuth, status: int
) -> None:
    said = {"status": status, "message": f"no: {CODE} {CLIENT_SECRET}"}
    service.plan("POST", "/oauth2/token", says(status, said))
    with pytest.raises(ProviderError) as caught:
        await oauth.exchange(CODE, "https://here/back")
    assert str(caught.value) == f"POST /oauth2/token: {status}"
    assert_nothing_secret(caught.value)
    assert len(service.asked) == 1, "a code is good once: it is not tried again"


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "canary\r\nX: y"},
        {"access_token": "canary-ü"},
        {"refresh_token": 7},
        {"expires_in": True},
        {"expires_in": -1},
        {"expires_in": 1.5},
        {"expires_in": "14400"},
        {"scope": [1]},
        {"scope": {"a": 1}},
        {"id_token": 7},
        {"id_token": "canary"},
        {"id_token": "a.b.c"},
        {"id_token": "a.ü.c"},
        {"id_token": id_token(b"[]")},
        {"id_token": id_token(b"\xff")},
        {"id_token": id_token(CLAIMS) + ".more"},
    ],
)
async def test_tokens_that_are_malformed_are_unreadable(
    service: Service, oauth: TwitchOAuth, change: dict[str, object]
) -> None:
    service.plan("POST", "/oauth2/token", says(200, tokens(**change)))
    service.plan("GET", "/oauth2/validate", says(200, VALID))
    with pytest.raises(ProviderUnreadable) as caught:
        await oauth.exchange(CODE, "https://here/back")
    assert_nothing_secret(caught.value)


@pytest.mark.parametrize("body", [None, [], "canary", 7])
async def test_tokens_that_are_no_object_are_unreadable(service: Service, oauth: TwitchOAuth, body: object) -> None:
    service.plan("POST", "/oauth2/token", says(200, body))
    with pytest.raises(ProviderUnreadable, match="not an object"):
        await oauth.app_token()


@pytest.mark.parametrize("scope", [["a", "b"], "a b", None, []])
async def test_scopes_come_as_a_list_as_words_or_not_at_all(
    service: Service, oauth: TwitchOAuth, scope: object
) -> None:
    service.plan("POST", "/oauth2/token", says(200, tokens(scope=scope)))
    assert (await oauth.app_token()).scopes == ({"a", "b"} if scope else set())


@pytest.mark.parametrize(
    "validated",
    [
        says(200, VALID | {"client_id": "another-client"}),
        says(200, VALID | {"user_id": "1002", "login": "mallory"}),
        says(200, {"client_id": CLIENT_ID, "scopes": None, "expires_in": 1}),
        says(401, {"status": 401, "message": "invalid access token"}),
        says(503),
    ],
    ids=["another client's", "another person's", "nobody's", "dead", "unknown"],
)
async def test_AUTH_2_AUTH_4_tokens_are_given_back_unless_twitch_confirms_client_and_person(
    service: Service, oauth: TwitchOAuth, validated: Handler
) -> None:
    service.plan("POST", "/oauth2/token", says(200, tokens(id_token=id_token(CLAIMS))))
    service.plan("GET", "/oauth2/validate", validated)
    service.plan("POST", "/oauth2/revoke", says(200))
    with pytest.raises((NotAuthorised, ProviderDown)) as caught:
        await oauth.exchange(CODE, "https://here/back")
    assert_nothing_secret(caught.value)
    assert [asked.form["token"] for asked in service.asked if asked.path == "/oauth2/revoke"] == [ACCESS]


def test_AUTH_2_the_right_claims_prove_a_person() -> None:
    assert check_identity(CLAIMS, "a-nonce", CLIENT_ID, NOW) == "1001"
    assert check_identity(CLAIMS | {"aud": [CLIENT_ID]}, "a-nonce", CLIENT_ID, NOW) == "1001"


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("nonce", ["another", "", None, 7, ["a-nonce"], "a-noncé", "a-nonce ", "\ud800"]),
        ("aud", ["another-client", "", None, [], [CLIENT_ID, "another-client"], CLIENT_ID.upper()]),
        ("iss", ["https://evil.example/oauth2", "https://id.twitch.tv/oauth2/", "", None]),
        ("exp", [int(NOW.timestamp()), int(NOW.timestamp()) - 1, True, None, "9999999999", 9e12, -1]),
        ("sub", ["", None, 1001]),
    ],
)
def test_AUTH_2_a_wrong_or_missing_claim_proves_nobody(claim: str, values: list[object]) -> None:
    without = {name: value for name, value in CLAIMS.items() if name != claim}
    wrong: list[Mapping[str, object]] = [CLAIMS | {claim: value} for value in values]
    for claims in (without, *wrong):
        with pytest.raises(NotAuthorised, match=f"its {claim} is not right"):
            check_identity(claims, "a-nonce", CLIENT_ID, NOW)


def test_AUTH_2_a_nonce_we_never_made_proves_nobody() -> None:
    for claims in (CLAIMS | {"nonce": ""}, {name: value for name, value in CLAIMS.items() if name != "nonce"}):
        with pytest.raises(NotAuthorised, match="nonce"):
            check_identity(claims, "", CLIENT_ID, NOW)


def test_AUTH_2_no_identity_at_all_proves_nobody() -> None:
    with pytest.raises(NotAuthorised, match="there is none"):
        check_identity(None, "a-nonce", CLIENT_ID, NOW)


async def test_a_refresh_gives_the_new_pair_of_the_same_account(service: Service, oauth: TwitchOAuth) -> None:
    service.plan("POST", "/oauth2/token", says(200, tokens(scope=["channel:bot", "user:bot"])))
    fresh = await oauth.refresh(GRANT)
    assert (fresh.user_id, fresh.login) == ("1001", "rosa")
    assert (fresh.access_token, fresh.refresh_token) == (ACCESS, REFRESH)
    assert (fresh.scopes, fresh.expires_at) == (frozenset({"channel:bot", "user:bot"}), NOW + timedelta(hours=4))
    assert service.asked[0].query == []
    assert service.asked[0].form == {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": GRANT.refresh_token,
    }


async def test_a_refresh_that_brings_only_an_access_token_keeps_the_rest(service: Service, oauth: TwitchOAuth) -> None:
    service.plan("POST", "/oauth2/token", says(200, {"access_token": ACCESS}))
    fresh = await oauth.refresh(GRANT)
    assert (fresh.refresh_token, fresh.scopes, fresh.expires_at) == (GRANT.refresh_token, GRANT.scopes, None)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Invalid refresh token", NotAuthorised),
        (400, "", NotAuthorised),
        (401, "Unauthorized", NotAuthorised),
        (400, "invalid client", ProviderRefused),
        (400, "missing client id", ProviderRefused),
        (403, "invalid client secret", ProviderRefused),
        (429, "", ProviderBusy),
        (500, "", ProviderDown),
        (503, "", ProviderDown),
    ],
)
async def test_LOG_3_a_refresh_that_fails_tells_the_dead_grant_from_the_operators_mistake(
    service: Service, oauth: TwitchOAuth, status: int, message: str, kind: type[ProviderError]
) -> None:
    service.plan("POST", "/oauth2/token", says(status, {"status": status, "message": message}))
    with pytest.raises(ProviderError) as caught:
        await oauth.refresh(GRANT)
    assert type(caught.value) is kind
    assert str(caught.value) == f"POST /oauth2/token: {status}"
    assert_nothing_secret(caught.value)


async def test_a_token_is_validated(service: Service, oauth: TwitchOAuth) -> None:
    others = says(200, VALID | {"client_id": "another-client"})
    service.plan("GET", "/oauth2/validate", says(200, VALID), says(401, {"message": "no"}), others)
    validated = await oauth.validate(ACCESS)
    assert validated == (CLIENT_ID, "1001", "rosa", frozenset({"openid"}), 14_000)
    assert await oauth.validate(ACCESS) is None
    assert await oauth.validate(ACCESS) is None


@pytest.mark.parametrize(
    "change", [{"expires_in": True}, {"scopes": 7}, {"user_id": 7}, {"login": None}, {"client_id": ""}]
)
async def test_a_malformed_validation_is_unreadable(
    service: Service, oauth: TwitchOAuth, change: dict[str, object]
) -> None:
    service.plan("GET", "/oauth2/validate", says(200, VALID | change))
    with pytest.raises(ProviderUnreadable):
        await oauth.validate(ACCESS)


async def test_a_token_is_revoked_once_and_again(service: Service, oauth: TwitchOAuth) -> None:
    service.plan("POST", "/oauth2/revoke", says(200), says(400, {"status": 400, "message": "Invalid token"}))
    await oauth.revoke(ACCESS)
    await oauth.revoke(ACCESS)
    assert service.asked[0].form == {"client_id": CLIENT_ID, "token": ACCESS}
    assert service.asked[0].query == []


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [(400, "invalid client", ProviderRefused), (404, "", ProviderRefused), (500, "", ProviderDown)],
)
async def test_a_revocation_that_was_not_made_is_said(
    service: Service, oauth: TwitchOAuth, status: int, message: str, kind: type[ProviderError]
) -> None:
    service.plan("POST", "/oauth2/revoke", says(status, {"message": message}))
    with pytest.raises(kind) as caught:
        await oauth.revoke(ACCESS)
    assert_nothing_secret(caught.value)


async def test_the_apps_own_token_is_nobodys(service: Service, oauth: TwitchOAuth) -> None:
    service.plan("POST", "/oauth2/token", says(200, {"access_token": ACCESS, "expires_in": 5_000_000}))
    app = await oauth.app_token()
    assert (app.user_id, app.access_token, app.refresh_token) == ("", ACCESS, "")
    assert service.asked[0].form["grant_type"] == "client_credentials"
