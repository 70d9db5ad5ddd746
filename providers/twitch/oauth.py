"""Twitch's OAuth: asking a person, codes, tokens, and who it was."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import orjson

from moments.errors import NotAuthorised, ProviderError, ProviderRefused, ProviderUnreadable
from moments.grants import Grant
from providers.http import Answer, Http
from providers.twitch import shapes
from providers.twitch.answers import accepted, message
from providers.twitch.endpoints import ISSUER, Endpoints

BOT_SCOPES = frozenset({"user:read:chat", "user:write:chat", "user:bot"})
"""The bot's own account, once: to read and write chat, and to be in a chat with the app's token."""
CONNECT_SCOPE = "channel:bot"
"""A streamer, to have the bot in chat."""
MARKERS_SCOPE = "channel:manage:broadcast"
"""A streamer, to mirror marks as stream markers."""
CLIPS_SCOPE = "channel:manage:clips"
"""A streamer, to make clips from the archive."""
MODERATES_SCOPE = "user:read:moderated_channels"
"""A moderator, to have us see which channels they moderate."""
LOGIN_SCOPE = "openid"

T = TypeVar("T")

_TOKEN = re.compile(r"[!-~]{1,4096}")


def _now() -> datetime:
    return datetime.now(UTC)


class Validated(NamedTuple):
    """What Twitch says a token is, right now. `user_id` and `login` are empty for the app's own."""

    client_id: str
    user_id: str
    login: str
    scopes: frozenset[str]
    expires_in: int
    """Seconds."""


class Exchanged(NamedTuple):
    """What a code was good for. `claims` (who it was) only when `openid` was asked: give them to `check_identity`."""

    grant: Grant
    claims: Mapping[str, Any] | None


class TwitchOAuth:
    """Everything secret goes in form bodies and headers, never in a query, and is in no repr or exception (LOG-3).

    Beside what each method names, all raise ProviderDown, ProviderBusy, ProviderUnreadable, and ProviderRefused when
    the client id or secret is wrong.
    """

    def __init__(
        self,
        http: Http,
        endpoints: Endpoints,
        client_id: str,
        client_secret: str,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.client_id = client_id
        self._http = http
        self._base = f"{endpoints.auth}/oauth2"
        self._client_secret = client_secret
        self._clock = clock

    def authorize_url(
        self,
        *,
        redirect_uri: str,
        scopes: Iterable[str],
        state: str,
        nonce: str | None = None,
        force_verify: bool = False,
    ) -> str:
        """Where to send the browser; `force_verify` makes Twitch ask even somebody who agreed before."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(sorted(scopes)),
            "state": state,
        }
        if nonce is not None:
            query["nonce"] = nonce
        if force_verify:
            query["force_verify"] = "true"
        return f"{self._base}/authorize?{urlencode(query)}"

    async def exchange(self, code: str, redirect_uri: str) -> Exchanged:
        """A code's tokens, which Twitch itself has said are for this client and whose they are (AUTH-2).

        ProviderRefused (status 400) for a code that is wrong, old or used; NotAuthorised when the tokens are another
        client's, or not the identity's. Never repeated: a code is good once.
        """
        answer = await self._token(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)
        grant = self._grant(answer)
        try:
            return await self._proven(grant, _claims(answer.json))
        except ProviderError:
            with suppress(ProviderError):
                await self.revoke(grant.access_token)  # nobody else knows of it (AUTH-4)
            raise

    async def _proven(self, grant: Grant, claims: Mapping[str, Any] | None) -> Exchanged:
        validated = await self.validate(grant.access_token)
        if validated is None or not validated.user_id:
            raise NotAuthorised("GET /oauth2/validate: no person's token of ours")
        if claims is not None and claims.get("sub") != validated.user_id:
            raise NotAuthorised("id_token: the tokens are somebody else's")
        known = replace(grant, user_id=validated.user_id, login=validated.login, scopes=validated.scopes)
        return Exchanged(known, claims)

    async def refresh(self, grant: Grant) -> Grant:
        """New tokens for the same account. The old refresh token may be dead afterwards: keep what comes back.

        NotAuthorised when the grant is dead. Only through `UserTokens.renewed`, which does it one flight at a time.
        """
        try:
            answer = await self._token(grant_type="refresh_token", refresh_token=grant.refresh_token)
        except ProviderRefused as error:
            # A wrong client id is the operator's mistake: it must not cost every streamer their grant.
            if error.status != 400 or "client" in error.code.lower():
                raise
            dead = str(error)
        else:
            fresh = self._grant(answer)
            return replace(
                fresh,
                user_id=grant.user_id,
                login=grant.login,
                refresh_token=fresh.refresh_token or grant.refresh_token,
                scopes=fresh.scopes or grant.scopes,
            )
        raise NotAuthorised(dead)

    async def validate(self, access_token: str) -> Validated | None:
        """What the token is; None when it is none any more, or another client's (AUTH-2)."""
        headers = {"Authorization": f"OAuth {access_token}"}
        answer = await self._http.request("GET", f"{self._base}/validate", headers=headers)
        if answer.status == 401:
            return None
        asked = "GET /oauth2/validate"
        validated = _read(_validated, accepted(asked, answer, self._clock()), asked)
        return validated if validated.client_id == self.client_id else None

    async def revoke(self, access_token: str) -> None:
        """Have Twitch forget the token; one that is dead already is fine."""
        answer = await self._post("revoke", client_id=self.client_id, token=access_token)
        if answer.status != 400 or "client" in message(answer).lower():
            accepted("POST /oauth2/revoke", answer, self._clock())

    async def app_token(self) -> Grant:
        """A new token of the application's own, for no user. `Helix` keeps one; it cannot be refreshed."""
        return self._grant(await self._token(grant_type="client_credentials"))

    async def _token(self, **given: str) -> Answer:
        answer = await self._post("token", client_id=self.client_id, client_secret=self._client_secret, **given)
        return accepted("POST /oauth2/token", answer, self._clock())

    async def _post(self, what: str, **form: str) -> Answer:
        return await self._http.request("POST", f"{self._base}/{what}", data=form)

    def _grant(self, answer: Answer) -> Grant:
        def shape(row: shapes.Row) -> Grant:
            refresh = _token_text(row, "refresh_token") if row.get("refresh_token") else ""
            ends = self._clock() + timedelta(seconds=_seconds(row)) if row.get("expires_in") is not None else None
            return Grant("twitch", "", "", _token_text(row, "access_token"), refresh, _scopes(row, "scope"), ends)

        return _read(shape, answer, "POST /oauth2/token")


def check_identity(claims: Mapping[str, Any] | None, nonce: str, client_id: str, now: datetime) -> str:
    """The user id the claims prove (AUTH-2); NotAuthorised, naming the claim, when they are not for us, here and now.

    The signature is not looked at: the token came straight from Twitch over TLS, and OpenID Connect Core 3.1.3.7
    lets that stand in its place.
    """
    if claims is None:
        raise NotAuthorised("id_token: there is none")
    ends, person, echoed = claims.get("exp"), claims.get("sub"), str(claims.get("nonce") or "")
    checks = {
        "iss": claims.get("iss") == ISSUER,
        "aud": claims.get("aud") in (client_id, [client_id]),
        "nonce": bool(nonce) and compare_digest(echoed.encode("utf-8", "replace"), nonce.encode()),
        "exp": type(ends) is int and ends > now.timestamp(),
        "sub": isinstance(person, str) and bool(person),
    }
    for name, right in checks.items():
        if not right:
            raise NotAuthorised(f"id_token: its {name} is not right")
    return str(person)


def _claims(answer: shapes.Row) -> Mapping[str, Any] | None:
    token = answer.get("id_token")
    if token is None:
        return None
    try:
        _, payload, _ = token.split(".")
        claims = orjson.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True))
    except (AttributeError, ValueError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise ProviderUnreadable("POST /oauth2/token, id_token is malformed")
    return claims


def _read(shape: Callable[[shapes.Row], T], answer: Answer, asked: str) -> T:
    try:
        if isinstance(answer.json, dict):
            return shape(answer.json)
        problem = "not an object"
    except shapes.Malformed as error:
        problem = str(error)
    raise ProviderUnreadable(f"{asked}: {answer.status}, {problem}")


def _validated(row: shapes.Row) -> Validated:
    person = shapes.identifier(row, "user_id") if row.get("user_id") else ""
    login = shapes.identifier(row, "login") if person else ""
    return Validated(shapes.identifier(row, "client_id"), person, login, _scopes(row, "scopes"), _seconds(row))


def _token_text(row: shapes.Row, name: str) -> str:
    value = shapes.text(row, name)
    if not _TOKEN.fullmatch(value):  # a header would refuse it later, and name it in its refusal
        raise shapes.Malformed(f"{name} is not a token")
    return value


def _seconds(row: shapes.Row) -> int:
    return min(shapes.number(row, "expires_in"), 10**9)


def _scopes(row: shapes.Row, name: str) -> frozenset[str]:
    """A list as Twitch has it, words as RFC 6749 has them, or nothing at all."""
    value = row.get(name) or []
    listed = value.split() if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(scope, str) for scope in listed):
        raise shapes.Malformed(f"{name} is not a list of words")
    return frozenset(listed)
