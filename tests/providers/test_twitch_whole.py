"""Both halves against the fake Twitch, which others wrote: every call once, and tokens that end in earnest."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from moments.errors import NotAuthorised
from providers.http import Http, open_http
from providers.twitch import Endpoints
from providers.twitch.helix import Helix
from providers.twitch.oauth import (
    BOT_SCOPES,
    CLIPS_SCOPE,
    CONNECT_SCOPE,
    LOGIN_SCOPE,
    MARKERS_SCOPE,
    MODERATES_SCOPE,
    TwitchOAuth,
    check_identity,
)
from tests.fake_twitch.server import FakeTwitch, FakeUser
from tests.providers.conftest import Kept

BACK = "http://localhost:8080/twitch/connect/callback"
SCOPES = frozenset({CONNECT_SCOPE, MARKERS_SCOPE, CLIPS_SCOPE, MODERATES_SCOPE, LOGIN_SCOPE})


@pytest.fixture
async def twitch() -> AsyncIterator[FakeTwitch]:
    async with FakeTwitch() as twitch:
        twitch.redirect_uris.add(BACK)
        yield twitch


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def endpoints(twitch: FakeTwitch) -> Endpoints:
    return Endpoints(api=twitch.api_url, auth=twitch.auth_url, eventsub=twitch.eventsub_url)


@pytest.fixture
async def http(endpoints: Endpoints) -> AsyncIterator[Http]:
    async with open_http([endpoints.api, endpoints.auth]) as http:
        yield http


@pytest.fixture
def oauth(twitch: FakeTwitch, http: Http, endpoints: Endpoints) -> TwitchOAuth:
    return TwitchOAuth(http, endpoints, twitch.client_id, twitch.client_secret)


@pytest.fixture
async def helix(http: Http, endpoints: Endpoints, oauth: TwitchOAuth, kept: Kept) -> AsyncIterator[Helix]:
    helix = Helix(http, endpoints, oauth, kept, clock=lambda: datetime.now(UTC))
    yield helix
    await helix.settle()


@pytest.fixture
def rosa(twitch: FakeTwitch) -> FakeUser:
    return twitch.user("rosa", "Rosa")


async def authorised(twitch: FakeTwitch, oauth: TwitchOAuth, user: FakeUser, nonce: str | None = None) -> str:
    """The code a browser brings back after the person pressed the button."""
    url = oauth.authorize_url(redirect_uri=BACK, scopes=SCOPES, state="a-state", nonce=nonce, force_verify=True)
    async with httpx.AsyncClient(trust_env=False) as browser:
        back = await browser.get(f"{url}&fake_user={user.id}")
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert query["state"] == ["a-state"]
    return query["code"][0]


async def test_a_person_authorises_and_is_known(twitch: FakeTwitch, oauth: TwitchOAuth, rosa: FakeUser) -> None:
    grant, claims = await oauth.exchange(await authorised(twitch, oauth, rosa, nonce="a-nonce"), BACK)
    assert (grant.user_id, grant.login, grant.scopes) == (rosa.id, "rosa", SCOPES)
    assert check_identity(claims, "a-nonce", twitch.client_id, datetime.now(UTC)) == rosa.id
    await oauth.revoke(grant.access_token)
    assert await oauth.validate(grant.access_token) is None
    with pytest.raises(NotAuthorised):
        await oauth.refresh(grant)


async def test_trap_8_one_time_refresh_tokens_survive_many_calls_at_once(
    twitch: FakeTwitch, helix: Helix, oauth: TwitchOAuth, kept: Kept, rosa: FakeUser
) -> None:
    kept.grants[rosa.id] = (await oauth.exchange(await authorised(twitch, oauth, rosa), BACK)).grant
    await twitch.online(rosa)
    for _ in range(3):
        twitch.expire(rosa)
        await asyncio.gather(*(helix.create_marker(rosa.id, "wow") for _ in range(5)))
    assert len(twitch.markers) == 15
    assert kept.buried == []
    refreshes = [request for request in twitch.requests if request.form.get("grant_type") == "refresh_token"]
    assert len(refreshes) == 3


async def test_a_grant_that_was_taken_back_is_reported_dead(
    twitch: FakeTwitch, helix: Helix, oauth: TwitchOAuth, kept: Kept, rosa: FakeUser
) -> None:
    kept.grants[rosa.id] = (await oauth.exchange(await authorised(twitch, oauth, rosa), BACK)).grant
    await twitch.revoke(rosa)
    with pytest.raises(NotAuthorised) as caught:
        await helix.create_marker(rosa.id, "wow")
    assert kept.buried == [rosa.id]
    assert not [secret for secret in twitch.secrets if secret in repr(caught.value)]


async def test_every_call_is_understood(
    twitch: FakeTwitch, helix: Helix, oauth: TwitchOAuth, kept: Kept, rosa: FakeUser
) -> None:
    bot, other = twitch.user("moments_bot"), twitch.user("lena")
    twitch.mint(bot, BOT_SCOPES)
    grant = kept.grants[rosa.id] = (await oauth.exchange(await authorised(twitch, oauth, rosa), BACK)).grant
    twitch.make_moderator(other, rosa)
    await twitch.online(rosa, title="Any%", category="Celeste")

    assert {user.login for user in await helix.users([rosa.id], logins=["lena"])} == {"rosa", "lena"}
    stream = (await helix.streams([rosa.id, other.id]))[0]
    assert (stream.user_id, stream.type, stream.title, stream.category) == (rosa.id, "live", "Any%", "Celeste")
    assert [(info.title, info.category) for info in await helix.channels([rosa.id])] == [("Any%", "Celeste")]
    assert [channel.login for channel in await helix.moderated_channels(rosa.id, grant.access_token)] == ["lena"]

    conduit = await helix.create_conduit(2)
    assert await helix.conduits() == [conduit]
    assert await helix.shards(conduit.id) == []
    made = await helix.subscribe("stream.online", "1", {"broadcaster_user_id": rosa.id}, conduit.id)
    assert await helix.subscriptions() == [made]
    assert (made.status, made.conduit_id, made.condition["broadcaster_user_id"]) == ("enabled", conduit.id, rosa.id)
    for _ in range(2):
        await helix.unsubscribe(made.id)

    assert (await helix.send_message(rosa.id, bot.id, "Marked #1")).is_sent
    assert (twitch.sent[0].text, twitch.sent[0].token_kind) == ("Marked #1", "app")
    assert (await helix.create_marker(rosa.id, "wow")).position_seconds >= 0
    began = datetime.now(UTC) - timedelta(hours=1)
    video_id = twitch.archive(rosa, stream.id, began, 3600, [(60, 30)])
    video = (await helix.videos(rosa.id))[0]
    assert (video.id, video.stream_id, video.duration_seconds, video.muted) == (video_id, stream.id, 3600, ((60, 30),))
    clip = await helix.create_clip_from_vod(rosa.id, video_id, ends_at_seconds=90, duration_seconds=30, title="wow")
    assert [found.id for found in await helix.clips([clip.id])] == [clip.id]

    for _ in range(2):
        await helix.delete_conduit(conduit.id)
    assert await helix.conduits() == []


async def test_a_flood_of_reads_is_paced_and_none_is_lost(helix: Helix, rosa: FakeUser) -> None:
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(helix.users([rosa.id])) for _ in range(60)]
    assert all(read.result()[0].login == "rosa" for read in reads)
