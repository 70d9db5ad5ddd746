"""Logging in with Discord: the page a person presses, codes bound to PKCE, tokens, revocation."""

import base64
import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import BasicAuth, web

from tests.fake_discord.people import FakeUser, People
from tests.fake_discord.wire import BODY, answer
from tests.fake_discord.world import DiscordError, Json, World

CODE_LIFETIME = timedelta(minutes=10)
TOKEN_LIFETIME = timedelta(days=7)
SCOPES = {"identify", "email", "guilds", "connections", "openid"}
CHOICE = "fake_user"
"""The query parameter a button of the page adds: whom to authorise as; empty is "Cancel"."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application asked a person for; `user` is whoever pressed, None for the mere page and for Cancel."""

    scopes: frozenset[str]
    redirect_uri: str
    state: str | None = field(repr=False)
    code_challenge: str | None = field(repr=False)
    user: FakeUser | None


@dataclass(frozen=True, slots=True)
class Code:
    """An authorisation code, good once."""

    asked: Asked
    expires_at: datetime


@dataclass(slots=True)
class Token:
    """Somebody's; `refresh` gets a new one."""

    user: FakeUser
    scopes: frozenset[str]
    expires_at: datetime
    value: str = field(repr=False)
    refresh: str = field(repr=False)


class OAuth:
    """`redirect_uris` are those registered: add yours. `asked` tells what people were asked."""

    def __init__(self, world: World, people: People, application_id: str, client_secret: str) -> None:
        self._world, self._people = world, people
        self._application_id, self._client_secret = application_id, client_secret
        self.redirect_uris: set[str] = set()
        self.asked: list[Asked] = []
        self.tokens: list[Token] = []
        self._codes: dict[str, Code] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.get(path, self.authorize) for path in ("/oauth2/authorize", "/api/oauth2/authorize")] + [
            web.post(f"{prefix}/oauth2/{name}", route)
            for prefix in ("/api", "/api/v10")
            for name, route in (("token", self.token), ("token/revoke", self.revoke))
        ]

    def token_of(self, value: str) -> Token | None:
        """The living token with this value."""
        return next((each for each in self.tokens if each.value == value and each.expires_at > self._world.now()), None)

    def me(self, value: str) -> Json:
        """GET /users/@me of whoever the token is for."""
        token = self.token_of(value)
        if token is None or "identify" not in token.scopes:
            raise DiscordError(401, 0, "401: Unauthorized")
        return token.user.json() | {"mfa_enabled": False, "locale": token.user.locale}

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """The page; with `fake_user` the press of one of its buttons."""
        query = request.query
        if problem := self._problem(query):
            return _page(f"<h1>Something is wrong</h1><p>{html.escape(problem)}</p>", status=400)
        asked = Asked(
            frozenset(query["scope"].split()),
            query["redirect_uri"],
            query.get("state"),
            query.get("code_challenge"),
            self._people.users.get(query.get(CHOICE, "")),
        )
        self.asked.append(asked)
        self._world.changed()
        if CHOICE not in query:
            return _page(self._consent(query, asked))
        raise web.HTTPFound(self._back(asked))

    async def token(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth2/token: a code (with its verifier) or a refresh token."""
        given = request[BODY] or {}
        self._check_client(request, given)
        kinds = {"authorization_code": self._exchange, "refresh_token": self._refresh}
        if given.get("grant_type") not in kinds:
            raise _refusal("unsupported_grant_type")
        token = kinds[given["grant_type"]](given)
        return answer(
            {
                "token_type": "Bearer",
                "access_token": token.value,
                "expires_in": int((token.expires_at - self._world.now()).total_seconds()),
                "refresh_token": token.refresh,
                "scope": " ".join(sorted(token.scopes)),
            }
        )

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth2/token/revoke: both of a pair, and it is never an error not to know it."""
        given = request[BODY] or {}
        self._check_client(request, given)
        value = given.get("token")
        self.tokens[:] = [each for each in self.tokens if value not in (each.value, each.refresh)]
        self._world.changed()
        return answer({})

    def mint(self, user: FakeUser, scopes: frozenset[str] = frozenset({"identify"})) -> Token:
        """As if they had authorised the application just now."""
        value, refresh = (self._world.secret(secrets.token_urlsafe(22)) for _ in range(2))
        token = Token(user, scopes, self._world.now() + TOKEN_LIFETIME, value, refresh)
        self.tokens.append(token)
        return token

    def _exchange(self, given: Mapping[str, str]) -> Token:
        code = self._codes.pop(given.get("code", ""), None)
        if code is None or code.expires_at <= self._world.now() or code.asked.user is None:
            raise _refusal("invalid_grant", 'Invalid "code" in request.')
        if given.get("redirect_uri") != code.asked.redirect_uri:
            raise _refusal("invalid_grant", 'Invalid "redirect_uri" in request.')
        if code.asked.code_challenge and challenge(given.get("code_verifier", "")) != code.asked.code_challenge:
            raise _refusal("invalid_grant", 'Invalid "code_verifier" in request.')
        return self.mint(code.asked.user, code.asked.scopes)

    def _refresh(self, given: Mapping[str, str]) -> Token:
        old = next((each for each in self.tokens if each.refresh == given.get("refresh_token")), None)
        if old is None:
            raise _refusal("invalid_grant")
        self.tokens.remove(old)
        return self.mint(old.user, old.scopes)

    def _check_client(self, request: web.Request, given: Mapping[str, str]) -> None:
        header = request.headers.get("Authorization")
        basic = BasicAuth.decode(header) if header else None
        who, secret = (basic.login, basic.password) if basic else (given.get("client_id"), given.get("client_secret"))
        if request.content_type != "application/x-www-form-urlencoded":
            raise _refusal("invalid_request", "only application/x-www-form-urlencoded is accepted")
        if (who, secret) != (self._application_id, self._client_secret):
            raise _refusal("invalid_client", status=401)

    def _problem(self, query: Mapping[str, str]) -> str | None:
        unknown = sorted(set(query.get("scope", "").split()) - SCOPES)
        method = query.get("code_challenge_method")
        checks = [
            (query.get("client_id") != self._application_id, "Unknown Application"),
            (query.get("response_type") != "code", "response_type: only code is known here"),
            (query.get("redirect_uri") not in self.redirect_uris, "Invalid OAuth2 redirect_uri"),
            (not query.get("scope") or bool(unknown), "The requested scope is invalid, unknown, or malformed."),
            (("code_challenge" in query) != (method == "S256"), "code_challenge_method: only S256 is known here"),
        ]
        return next((message for wrong, message in checks if wrong), None)

    def _consent(self, query: Mapping[str, str], asked: Asked) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        people = [user for user in self._people.users.values() if not user.bot]
        buttons = "".join(
            f'<p><button name="{CHOICE}" value="{user.id}">Authorize as {html.escape(user.username)}</button></p>'
            for user in people
        )
        wanted = "".join(f"<li><code>{html.escape(scope)}</code></li>" for scope in sorted(asked.scopes))
        cancel = f'<p><button name="{CHOICE}" value="">Cancel</button></p>'
        asks = f"<h1>Fake Discord</h1><p>An application asks for:</p><ul>{wanted}</ul>"
        return f"{asks}<form>{hidden}{buttons}{cancel}</form>"

    def _back(self, asked: Asked) -> str:
        state = {"state": asked.state} if asked.state is not None else {}
        if asked.user is None:
            denied = "The resource owner or authorization server denied the request"
            words = {"error": "access_denied", "error_description": denied}
        else:
            code = self._world.secret(secrets.token_urlsafe(22))
            self._codes[code] = Code(asked, self._world.now() + CODE_LIFETIME)
            words = {"code": code}
        return f"{asked.redirect_uri}?{urlencode(words | state)}"


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _refusal(error: str, description: str = "", status: int = 400) -> DiscordError:
    refusal = DiscordError(status, 0, error)
    refusal.body = {"error": error} | ({"error_description": description} if description else {})
    return refusal


def _page(body: str, status: int = 200) -> web.Response:
    head = '<!doctype html><meta charset="utf-8"><title>Fake Discord</title>'
    return web.Response(text=f"{head}<body>{body}</body>", status=status, content_type="text/html")
