"""Tokens, and what each person has granted: every Helix right is looked up here."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.world import ApiError, World

INVALID = "Invalid OAuth token"


@dataclass(slots=True, eq=False)
class Grant:
    """One press of "Authorise": it lives until it is revoked, while access tokens come and go."""

    user_id: str
    scopes: frozenset[str]
    nonce: str | None = None
    alive: bool = True


@dataclass(slots=True, eq=False)
class Token:
    """An access token; an app's has no grant."""

    value: str = field(repr=False)
    expires_at: datetime
    grant: Grant | None = None

    @property
    def user_id(self) -> str | None:
        return self.grant.user_id if self.grant else None

    @property
    def kind(self) -> str:
        return "user" if self.grant else "app"

    @property
    def scopes(self) -> frozenset[str]:
        return self.grant.scopes if self.grant else frozenset()

    def require(self, *scopes: str) -> None:
        """At least one of these scopes."""
        if self.grant and not self.grant.scopes & set(scopes):
            raise ApiError(401, f"Missing scope: {' or '.join(scopes)}")

    def require_user(self, user_id: str) -> None:
        """Only a token of that very person."""
        if self.grant is None:
            raise ApiError(401, "Missing User OAUTH Token")
        if self.user_id != user_id:
            raise ApiError(401, "The user ID in the request must match the user ID in the access token")


class Tokens:
    """Mints, refreshes, expires and revokes.

    By default a refresh rotates the refresh token and the old one is dead, the harshest Twitch is allowed to be.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.user_token_seconds = 4 * 3600
        self.app_token_seconds = 60 * 24 * 3600
        self.rotate_refresh_tokens = True
        self.one_time_refresh_tokens = True
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Grant] = {}
        self._grants: list[Grant] = []
        self._refused: set[str | None] = set()

    def secret(self, length: int = 15) -> str:
        """A new secret, remembered so that tests can search logs for it."""
        value = secrets.token_hex(length)
        self._world.secrets.add(value)
        return value

    def app_token(self) -> Token:
        return self._mint(None, self.app_token_seconds)

    def mint(self, user: FakeUser, scopes: Iterable[str], nonce: str | None = None) -> tuple[Token, str]:
        """A fresh grant's access token and refresh token, as if the person had just authorised."""
        grant = Grant(user.id, frozenset(scopes), nonce)
        self._grants.append(grant)
        refresh = self.secret(25)
        self._refresh[refresh] = grant
        return self._mint(grant, self.user_token_seconds), refresh

    def refresh(self, refresh_token: str) -> tuple[Token, str]:
        grant = self._refresh.get(refresh_token)
        if grant is None or not grant.alive:
            raise ApiError(400, "Invalid refresh token")
        if self.rotate_refresh_tokens:
            if self.one_time_refresh_tokens:
                del self._refresh[refresh_token]
            refresh_token = self.secret(25)
            self._refresh[refresh_token] = grant
        return self._mint(grant, self.user_token_seconds), refresh_token

    def find(self, value: str) -> Token | None:
        """The token when it is good now."""
        token = self._access.get(value)
        good = token and token.expires_at > self._world.clock() and (token.grant is None or token.grant.alive)
        return token if good else None

    def known(self, value: str) -> Token | None:
        """The token, good or not."""
        return self._access.get(value)

    def granted(self, user_id: str | None, *scopes: str) -> bool:
        """Whether the person has granted all of these to this application, by whichever grants still live."""
        live = [grant for grant in self._grants if grant.alive and grant.user_id == user_id]
        return bool(live) and set(scopes) <= {scope for grant in live for scope in grant.scopes}

    def expire(self, user: FakeUser | None) -> None:
        """The person's access tokens are too old from now on (None: the app's); refreshing works."""
        for token in self._access.values():
            if token.user_id == (user.id if user else None):
                token.expires_at = self._world.clock()

    def persistent_401(self, user: FakeUser | None, *, on: bool = True) -> None:
        """Helix refuses every token of the person, fresh ones too (None: the app's)."""
        user_id = user.id if user else None
        if on:
            self._refused.add(user_id)
        else:
            self._refused.discard(user_id)

    def end_grants(self, user: FakeUser) -> None:
        """The person disconnects the application: access and refresh tokens are dead."""
        for grant in self._grants:
            if grant.user_id == user.id:
                grant.alive = False

    def end_token(self, value: str) -> bool:
        """/oauth2/revoke: the grant it came from is dead. Whether there was one."""
        token = self.find(value)
        if token is None:
            return False
        if token.grant:
            token.grant.alive = False
        else:
            del self._access[value]
        return True

    def of_request(self, request: web.Request) -> Token:
        """Who asks Helix; raises the 401 Twitch gives."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if not value or scheme.lower() not in ("bearer", "oauth"):
            raise ApiError(401, "OAuth token is missing")
        token = self.find(value.strip())
        if token is None or token.user_id in self._refused or scheme.lower() != "bearer":
            raise ApiError(401, INVALID)
        if request.headers.get("Client-Id") != self._world.client_id:
            raise ApiError(401, "Client ID and OAuth token do not match")
        return token

    def _mint(self, grant: Grant | None, seconds: int) -> Token:
        token = Token(self.secret(), self._world.clock() + timedelta(seconds=seconds), grant)
        self._access[token.value] = token
        return token
