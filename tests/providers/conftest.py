"""A service to ask, the client that asks it, and Twitch's two halves on top."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import stamina

from moments.grants import Grant
from providers.http import Http, open_http
from providers.twitch import Endpoints
from providers.twitch.helix import Helix
from providers.twitch.oauth import TwitchOAuth
from tests.providers.service import Service, running, says

CLIENT_ID = "our-client"
CLIENT_SECRET = "canary-client-secret"
NOW = datetime(2026, 3, 1, 12, 0, 0, 800_000, tzinfo=UTC)
GRANT = Grant("twitch", "1001", "rosa", "canary-old-access", "canary-old-refresh", frozenset({"channel:bot"}))


class Kept:
    """Grants, kept in memory."""

    def __init__(self, *grants: Grant) -> None:
        self.grants = {grant.user_id: grant for grant in grants}
        self.buried: list[str] = []

    async def load(self, user_id: str) -> Grant | None:
        return self.grants.get(user_id)

    async def save(self, grant: Grant) -> None:
        self.grants[grant.user_id] = grant

    async def dead(self, grant: Grant) -> None:
        if self.grants.get(grant.user_id) == grant:
            self.buried.append(grant.user_id)
            del self.grants[grant.user_id]


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Reads are repeated as often as in earnest, without the seconds between."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running() as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[Http]:
    async with open_http([service.url]) as http:
        yield http


@pytest.fixture
def endpoints(service: Service) -> Endpoints:
    return Endpoints(api=service.url, auth=service.url)


@pytest.fixture
def oauth(http: Http, endpoints: Endpoints) -> TwitchOAuth:
    return TwitchOAuth(http, endpoints, CLIENT_ID, CLIENT_SECRET, clock=lambda: NOW)


@pytest.fixture
def kept() -> Kept:
    return Kept(replace(GRANT))


@pytest.fixture
async def helix(
    http: Http, endpoints: Endpoints, oauth: TwitchOAuth, kept: Kept, service: Service
) -> AsyncIterator[Helix]:
    service.plan("POST", "/oauth2/token", says(200, {"access_token": "app", "expires_in": 5_000_000}))
    helix = Helix(http, endpoints, oauth, kept, clock=lambda: NOW)
    yield helix
    await helix.settle()
