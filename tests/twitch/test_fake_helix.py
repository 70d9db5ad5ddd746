"""The fake's limits, faults and records."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.fake_twitch.application import Answer, Application
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch

BOT_SCOPES = ("user:read:chat", "user:write:chat", "user:bot")


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def twitch(hands: Hands) -> AsyncIterator[FakeTwitch]:
    async with FakeTwitch(clock=hands) as twitch:
        yield twitch


@pytest.fixture
async def app(twitch: FakeTwitch) -> AsyncIterator[Application]:
    async with Application.at(twitch) as app:
        yield app


@pytest.fixture
def bot(twitch: FakeTwitch) -> FakeUser:
    bot = twitch.user("bot")
    twitch.mint(bot, BOT_SCOPES)
    return bot


@pytest.fixture
def streamer(twitch: FakeTwitch) -> FakeUser:
    streamer = twitch.user("streamer")
    twitch.mint(streamer, ["channel:bot"])
    return streamer


async def send(app: Application, channel: FakeUser, bot: FakeUser, text: str) -> Answer:
    message = {"broadcaster_id": channel.id, "sender_id": bot.id, "message": text}
    return await app.helix("POST", "chat/messages", json=message)


@pytest.mark.parametrize(("moderator", "limit"), [(False, 20), (True, 100)])
async def test_a_channel_takes_so_many_messages_in_thirty_seconds(
    twitch: FakeTwitch, app: Application, hands: Hands, bot: FakeUser, streamer: FakeUser, moderator: bool, limit: int
) -> None:
    if moderator:
        twitch.make_moderator(streamer, bot)
    shown = [(await send(app, streamer, bot, f"line {number}")).data[0]["is_sent"] for number in range(limit + 1)]
    assert (shown.count(True), shown[-1]) == (limit, False)
    assert (len(twitch.sent), [each.drop_code for each in twitch.dropped]) == (limit, ["msg_ratelimit"])
    assert twitch.most_sent(streamer) == limit + 1
    hands.forward(30)
    assert (await send(app, streamer, bot, "later")).data[0]["is_sent"]


async def test_a_repeated_message_is_dropped_unless_from_a_moderator(
    twitch: FakeTwitch, app: Application, bot: FakeUser, streamer: FakeUser
) -> None:
    for _ in range(2):
        await send(app, streamer, bot, "same")
    twitch.make_moderator(streamer, bot)
    assert (await send(app, streamer, bot, "same")).data[0]["is_sent"]
    assert [each.drop_code for each in twitch.dropped] == ["msg_duplicate"]


async def test_points_run_out_and_come_back(twitch: FakeTwitch, app: Application, hands: Hands) -> None:
    twitch.access.points = 3
    statuses = [(await app.helix("GET", "users", {"login": "x"})).status for _ in range(4)]
    last = await app.helix("GET", "users", {"login": "x"})
    assert statuses == [200, 200, 200, 429]
    assert (last.status, last.headers["Ratelimit-Remaining"]) == (429, "0")
    assert int(last.headers["Ratelimit-Reset"]) == (hands.now + timedelta(minutes=1)).timestamp()
    hands.forward(60)
    assert (await app.helix("GET", "users", {"login": "x"})).status == 200


async def test_faults_happen_as_often_as_planned(twitch: FakeTwitch, app: Application) -> None:
    twitch.faults.add("GET", "/helix/users", status=503, headers={"Retry-After": "1"}, times=2)
    answers = [await app.helix("GET", "users", {"login": "x"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert (answers[0].headers["Retry-After"], answers[0].body["error"]) == ("1", "Service Unavailable")
    twitch.faults.add("*", "/helix/*", body=b"not json", times=None)
    assert {(await app.helix("GET", path)).text for path in ("users", "streams", "users")} == {"not json"}
    twitch.faults.clear()
    assert (await app.helix("GET", "streams")).status == 200


async def test_a_connection_is_cut_before_or_after_the_request_took_effect(
    twitch: FakeTwitch, app: Application, bot: FakeUser, streamer: FakeUser
) -> None:
    for after in (False, True):
        twitch.faults.add("POST", "/helix/chat/messages", abort=True, after=after)
        with pytest.raises(aiohttp.ClientError):
            await send(app, streamer, bot, f"after: {after}")
    assert [sent.text for sent in twitch.sent] == ["after: True"]


async def test_a_delay_alone_only_delays(twitch: FakeTwitch, app: Application) -> None:
    twitch.faults.add("GET", "/helix/users", delay=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await app.helix("GET", "users", {"login": "x"})
    twitch.faults.add("GET", "/helix/users", delay=0.01)
    assert (await app.helix("GET", "users", {"login": "x"})).status == 200


async def test_requests_are_recorded_with_who_asked(twitch: FakeTwitch, app: Application, bot: FakeUser) -> None:
    token, _ = twitch.mint(bot, [])
    await app.helix("GET", "users", {"login": "x"})
    await app.helix("GET", "users", token=token.value)
    await app.helix("GET", "users", token="nonsense")
    kinds = [(each.path, each.token_kind, each.user_id) for each in twitch.requests]
    path = "/helix/users"
    assert kinds == [(path, "app", None), (path, "user", bot.id), (path, "unknown", None)]
    assert twitch.requests[0].query["login"] == "x"


async def test_a_scope_is_missing_by_name(twitch: FakeTwitch, app: Application, bot: FakeUser) -> None:
    token, _ = twitch.mint(bot, ["user:read:chat"])
    answer = await app.helix("POST", "streams/markers", json={"user_id": bot.id}, token=token.value)
    assert (answer.status, answer.body["message"]) == (401, "Missing scope: channel:manage:broadcast")


async def test_a_renamed_login_is_free_for_somebody_else(twitch: FakeTwitch, app: Application) -> None:
    old = twitch.user("river")
    twitch.rename(old, "brook")
    new = twitch.user("river")
    found = (await app.helix("GET", "users", [("login", "river"), ("login", "brook")])).data
    assert [each["id"] for each in found] == [new.id, old.id]


async def test_archives_come_newest_first_in_pages(
    twitch: FakeTwitch, app: Application, hands: Hands, streamer: FakeUser
) -> None:
    ids = [twitch.archive(streamer, str(day), hands.now + timedelta(days=day), 3723) for day in range(3)]
    first = await app.helix("GET", "videos", {"user_id": streamer.id, "type": "archive", "first": "2"})
    after = {"user_id": streamer.id, "first": "2", "after": first.body["pagination"]["cursor"]}
    second = await app.helix("GET", "videos", after)
    assert [video["id"] for video in first.data + second.data] == ids[::-1]
    assert (first.data[0]["duration"], first.data[0]["muted_segments"]) == ("1h2m3s", None)


async def test_a_clip_appears_when_it_is_due(
    twitch: FakeTwitch, app: Application, hands: Hands, streamer: FakeUser
) -> None:
    token, _ = twitch.mint(streamer, ["channel:manage:clips"])
    vod = twitch.archive(streamer, "1", hands.now, 600)
    twitch.videos_room.clip_seconds = 10
    asked = {"editor_id": streamer.id, "broadcaster_id": streamer.id, "vod_id": vod, "vod_offset": "90", "title": "Wow"}
    made = await app.helix("POST", "videos/clips", asked | {"duration": "20"}, token=token.value)
    wanted = {"id": made.data[0]["id"]}
    assert (await app.helix("GET", "clips", wanted)).data == []
    hands.forward(10)
    clip = (await app.helix("GET", "clips", wanted)).data[0]
    assert (clip["duration"], clip["vod_offset"], clip["video_id"]) == (20, 70, vod)


async def test_until_is_woken_by_a_change_and_says_what_happened_when_not(twitch: FakeTwitch, app: Application) -> None:
    waiting = asyncio.create_task(twitch.until(lambda: twitch.requests))
    await app.helix("GET", "streams")
    assert [each.path for each in await waiting] == ["/helix/streams"]
    with pytest.raises(TimeoutError, match="the last: GET /helix/streams"):
        await twitch.until(lambda: twitch.sent, timeout=0.01)


async def test_the_control_page_plays_twitch_by_hand(
    twitch: FakeTwitch, app: Application, bot: FakeUser, streamer: FakeUser
) -> None:
    async def press(act: str, **fields: str) -> str:
        async with app.http.post(f"{twitch.api_url}/control/{act}", data=fields) as response:
            assert (response.status, response.url.path) == (200, "/")
            return await response.text()

    assert "newcomer" in await press("user", login="newcomer")
    page = await press("say", channel=streamer.id, user=bot.id, text="<b>hi</b>")
    assert "&lt;b&gt;hi&lt;/b&gt;" in page
    assert "Any%" in await press("online", channel=streamer.id, title="Any%", category="Celeste")
    assert (await app.helix("GET", "streams", {"user_id": streamer.id})).data[0]["game_name"] == "Celeste"
    await press("offline", channel=streamer.id)
    assert not twitch.streams
    await send(app, streamer, bot, "Marked #1")
    assert "Marked #1" in await press("role", channel=streamer.id, user=bot.id, role="moderator")
    assert (streamer.id, bot.id) in twitch.people.moderators
