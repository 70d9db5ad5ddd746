"""id.twitch.tv: the page a person presses, codes, tokens, and OpenID's signed words."""

import html
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from tests.fake_twitch.identity import jwks, sign
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.scopes import SCOPES
from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, Json, World

ISSUER = "https://id.twitch.tv/oauth2"
CODE_LIFETIME = timedelta(minutes=10)
CHOICE = "fake_user"
"""The query parameter a button of the page adds: whom to authorise as; empty is "Cancel"."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application asked a person for; `user` is whoever pressed, None for the mere page and for Cancel."""

    scopes: frozenset[str]
    redirect_uri: str
    state: str | None = field(repr=False)
    nonce: str | None = field(repr=False)
    force_verify: bool
    user: FakeUser | None


@dataclass(frozen=True, slots=True)
class Code:
    """An authorisation code, good once."""

    user: FakeUser
    scopes: frozenset[str]
    redirect_uri: str
    nonce: str | None
    expires_at: datetime


class OAuth:
    """The routes under /oauth2."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world, self._tokens = world, tokens
        self.redirect_uris: set[str] = {"http://localhost:3000"}
        self.id_token_changes: Json = {}
        self.asked: list[Asked] = []
        self._codes: dict[str, Code] = {}
        self.on_revoked: Callable[[], Awaitable[None]] | None = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/oauth2/authorize", self.authorize),
            web.post("/oauth2/token", self.token),
            web.get("/oauth2/validate", self.validate),
            web.post("/oauth2/revoke", self.revoke),
            web.get("/oauth2/keys", self.keys),
        ]

    def authorise(self, user: FakeUser, scopes: Iterable[str], redirect_uri: str, nonce: str | None = None) -> str:
        """The code Twitch would send to the redirect URI after the person pressed "Authorise"."""
        code = secrets.token_hex(15)
        self._world.secrets.add(code)
        expires_at = self._world.clock() + CODE_LIFETIME
        self._codes[code] = Code(user, frozenset(scopes), redirect_uri, nonce, expires_at)
        return code

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if problem := self._problem(query):
            return _page(f"<h1>Something is wrong</h1><p>{html.escape(problem)}</p>", status=400)
        user = self._world.people.by_id(query.get(CHOICE))
        asked = Asked(
            frozenset(query.get("scope", "").split()),
            query["redirect_uri"],
            query.get("state"),
            query.get("nonce"),
            query.get("force_verify", "").lower() == "true",
            user,
        )
        self.asked.append(asked)
        self._world.changed()
        if CHOICE not in query:
            return _page(self._consent(query, asked))
        raise web.HTTPFound(self._back(asked))

    async def token(self, request: web.Request) -> web.Response:
        given = await parameters(request)
        self._check_client(given, secret=True)
        kind = given.get("grant_type")
        if kind == "client_credentials":
            return web.json_response(self._answer(self._tokens.app_token(), None))
        if kind == "refresh_token":
            return web.json_response(self._answer(*self._tokens.refresh(given.get("refresh_token", ""))))
        if kind == "authorization_code":
            return web.json_response(self._exchange(given))
        raise ApiError(400, "unsupported grant_type" if kind else "missing grant type")

    async def validate(self, request: web.Request) -> web.Response:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme not in ("OAuth", "Bearer") or not value:
            raise ApiError(401, "missing authorization token")
        token = self._tokens.find(value)
        if token is None:
            raise ApiError(401, "invalid access token")
        left = int((token.expires_at - self._world.clock()).total_seconds())
        answer: Json = {"client_id": self._world.client_id, "scopes": sorted(token.scopes) or None, "expires_in": left}
        user = self._world.people.by_id(token.user_id)
        if user:
            answer |= {"login": user.login, "user_id": user.id, "scopes": sorted(token.scopes)}
        return web.json_response(answer)

    async def revoke(self, request: web.Request) -> web.Response:
        given = await parameters(request)
        self._check_client(given, secret=False)
        if not self._tokens.end_token(given.get("token", "")):
            raise ApiError(400, "Invalid token")
        if self.on_revoked:
            await self.on_revoked()
        return web.Response()

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response(jwks())

    def _problem(self, query: Mapping[str, str]) -> str | None:
        unknown = sorted(set(query.get("scope", "").split()) - SCOPES)
        checks = [
            (query.get("client_id") != self._world.client_id, "invalid client"),
            (
                query.get("redirect_uri") not in self.redirect_uris,
                "Parameter redirect_uri does not match registered URI",
            ),
            (query.get("response_type") != "code", "invalid response type"),
            (bool(unknown), f"invalid scope requested: {' '.join(unknown)}"),
        ]
        return next((message for wrong, message in checks if wrong), None)

    def _consent(self, query: Mapping[str, str], asked: Asked) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        buttons = "".join(
            f'<p><button name="{CHOICE}" value="{user.id}">Authorize as {html.escape(user.login)}</button></p>'
            for user in self._world.people.everyone()
        )
        wanted = "".join(f"<li><code>{html.escape(scope)}</code></li>" for scope in sorted(asked.scopes))
        cancel = f'<p><button name="{CHOICE}" value="">Cancel</button></p>'
        asks = f"<h1>Fake Twitch</h1><p>An application asks for:</p><ul>{wanted}</ul>"
        return f"{asks}<form>{hidden}{buttons}{cancel}</form>"

    def _back(self, asked: Asked) -> str:
        state = {"state": asked.state} if asked.state is not None else {}
        if asked.user is None:
            words = {"error": "access_denied", "error_description": "The user denied you access"}
        else:
            code = self.authorise(asked.user, asked.scopes, asked.redirect_uri, asked.nonce)
            words = {"code": code, "scope": " ".join(sorted(asked.scopes))}
        return f"{asked.redirect_uri}?{urlencode(words | state)}"

    def _check_client(self, given: Mapping[str, str], *, secret: bool) -> None:
        if "client_id" not in given:
            raise ApiError(400, "missing client id")
        if given["client_id"] != self._world.client_id:
            raise ApiError(400, "invalid client")
        if secret and "client_secret" not in given:
            raise ApiError(400, "missing client secret")
        if secret and given["client_secret"] != self._world.client_secret:
            raise ApiError(403, "invalid client secret")

    def _exchange(self, given: Mapping[str, str]) -> Json:
        if "redirect_uri" not in given:
            raise ApiError(400, "Missing redirect_uri")
        code = self._codes.pop(given.get("code", ""), None)
        if code is None or code.expires_at <= self._world.clock():
            raise ApiError(400, "Invalid authorization code")
        if code.redirect_uri != given["redirect_uri"]:
            raise ApiError(400, "Parameter redirect_uri does not match registered URI")
        token, refresh = self._tokens.mint(code.user, code.scopes, code.nonce)
        answer = self._answer(token, refresh)
        return answer | {"id_token": self._id_token(token)} if "openid" in code.scopes else answer

    def _answer(self, token: Token, refresh: str | None) -> Json:
        left = int((token.expires_at - self._world.clock()).total_seconds())
        answer: Json = {"access_token": token.value, "expires_in": left, "token_type": "bearer"}
        if refresh is not None:
            answer |= {"refresh_token": refresh, "scope": sorted(token.scopes)}
        return answer

    def _id_token(self, token: Token) -> str:
        assert token.grant
        user = self._world.people.by_id(token.grant.user_id)
        now = int(self._world.clock().timestamp())
        claims: Json = {
            "aud": self._world.client_id,
            "exp": now + 900,
            "iat": now,
            "iss": ISSUER,
            "sub": token.grant.user_id,
            "azp": self._world.client_id,
            "preferred_username": user.display_name if user else "",
            "nonce": token.grant.nonce,
        }
        claims = {name: value for name, value in (claims | self.id_token_changes).items() if value is not None}
        signed = sign(claims)
        self._world.secrets.add(signed)
        return signed


async def parameters(request: web.Request) -> dict[str, str]:
    """From the query string or a form, wherever they were put."""
    form = await request.post()
    return dict(request.query) | {name: value for name, value in form.items() if isinstance(value, str)}


def _page(body: str, status: int = 200) -> web.Response:
    head = '<!doctype html><meta charset="utf-8"><title>Fake Twitch</title>'
    return web.Response(text=f"{head}<body>{body}</body>", status=status, content_type="text/html")
