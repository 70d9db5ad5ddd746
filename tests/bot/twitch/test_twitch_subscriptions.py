"""What Twitch should send us, compared with what it says it does."""

from collections.abc import Collection
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from bot.twitch import subscriptions as under_test
from bot.twitch.subscriptions import BotNotAuthorised, Subscriptions
from commands import connecting
from commands.services import Services
from moments.errors import ProviderError
from storage.connections import State
from tests.bot.twitch.rig import BOT_SCOPES, Rig, eventually
from tests.fake_twitch.people import FakeUser


class Told:
    """Which streamers were told, and whether the bot's own grant holds."""

    def __init__(self) -> None:
        self.channels: list[str] = []
        self.bot_holds = True

    async def refused(self, channel_id: str) -> None:
        self.channels.append(channel_id)

    async def holds(self) -> bool:
        return self.bot_holds


async def subscriptions(rig: Rig, told: Told) -> Subscriptions:
    conduit = await rig.api.helix.create_conduit(2)
    return Subscriptions(rig.api.helix, conduit.id, rig.bot.id, bot_holds=told.holds, refused=told.refused)


def kinds(rig: Rig, channel: FakeUser) -> set[str]:
    return {kind for kind, channel_id in rig.enabled() if channel_id == channel.id}


LIST = "/helix/eventsub/subscriptions"
EVERYTHING = {
    "channel.chat.message",
    "channel.chat.message_delete",
    "channel.chat.clear_user_messages",
    "stream.online",
    "stream.offline",
    "channel.update",
}


async def test_each_connected_channel_gets_everything_and_a_second_look_asks_for_nothing(rig: Rig) -> None:
    told = Told()
    subs, streamers = await subscriptions(rig, told), [await rig.streamer(f"s{number}") for number in range(3)]
    assert await subs.sync([streamer.id for streamer in streamers]) == 0
    assert all(kinds(rig, streamer) == EVERYTHING for streamer in streamers)
    before = len(rig.twitch.requests)
    assert await subs.sync([streamer.id for streamer in streamers]) == 0
    assert [request.method for request in rig.twitch.requests[before:]] == ["GET"]


async def test_trap_2_what_failed_is_counted_and_asked_for_at_the_next_look(rig: Rig) -> None:
    told = Told()
    subs, streamer = await subscriptions(rig, told), await rig.streamer("nightowl")
    rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", status=500, times=1)
    rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", abort=True, times=1)
    rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", status=429, times=1)
    assert await subs.sync([streamer.id]) == 3
    assert len(kinds(rig, streamer)) == 3
    assert await subs.sync([streamer.id]) == 0
    assert kinds(rig, streamer) == EVERYTHING
    assert told.channels == []


async def test_one_that_exists_already_is_fine(rig: Rig) -> None:
    told = Told()
    subs, streamer = await subscriptions(rig, told), await rig.streamer("nightowl")
    conflict = {"error": "Conflict", "status": 409, "message": "subscription already exists"}
    rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", status=409, body=conflict, times=6)
    assert await subs.sync([streamer.id]) == 0
    assert told.channels == []


async def test_a_streamer_who_took_it_back_is_told_and_the_others_go_on(rig: Rig) -> None:
    told = Told()
    subs, gone, stays = await subscriptions(rig, told), await rig.streamer("gone"), await rig.streamer("stays")
    rig.twitch.tokens.end_grants(gone)
    assert await subs.sync([gone.id, stays.id]) == 0
    assert told.channels == [gone.id]
    assert kinds(rig, stays) == EVERYTHING
    before = len(rig.twitch.requests)
    await subs.sync([gone.id, stays.id])
    assert [request.method for request in rig.twitch.requests[before:]] == ["GET"], "left alone for a while"
    rig.twitch.mint(gone, ["channel:bot"])
    subs.forgive()
    await subs.sync([gone.id, stays.id])
    assert kinds(rig, gone) == EVERYTHING


async def test_when_it_was_the_bot_that_took_it_back_no_streamer_is_bothered(rig: Rig) -> None:
    told = Told()
    subs, streamer = await subscriptions(rig, told), await rig.streamer("nightowl")
    rig.twitch.tokens.end_grants(rig.bot)
    told.bot_holds = False
    with pytest.raises(BotNotAuthorised):
        await subs.sync([streamer.id])
    assert told.channels == []


async def test_a_channel_that_is_no_longer_connected_is_let_go(rig: Rig) -> None:
    told = Told()
    subs, gone, stays = await subscriptions(rig, told), await rig.streamer("gone"), await rig.streamer("stays")
    await subs.sync([gone.id, stays.id])
    rig.twitch.faults.add("DELETE", "/helix/eventsub/subscriptions", status=500, times=2)
    await subs.sync([stays.id])
    await subs.sync([stays.id])
    assert (kinds(rig, gone), kinds(rig, stays)) == (set(), EVERYTHING)


async def test_subscriptions_of_another_conduit_are_nobodys_business(rig: Rig) -> None:
    told = Told()
    ours, theirs, streamer = await subscriptions(rig, told), await subscriptions(rig, told), await rig.streamer("owl")
    await theirs.sync([streamer.id])
    await ours.sync([streamer.id])
    assert len(rig.enabled()) == 12
    await ours.sync([])
    assert len(rig.enabled()) == 6


async def test_one_that_is_there_but_not_enabled_is_replaced(rig: Rig) -> None:
    told = Told()
    subs, streamer = await subscriptions(rig, told), await rig.streamer("nightowl")
    await subs.sync([streamer.id])
    next(iter(rig.twitch.eventsub.subscriptions.values())).status = "authorization_revoked"
    await subs.sync([streamer.id])
    assert kinds(rig, streamer) == EVERYTHING
    assert len(rig.twitch.eventsub.subscriptions) == 6


async def test_a_list_that_cannot_be_had_changes_nothing(rig: Rig) -> None:
    told = Told()
    subs, streamer = await subscriptions(rig, told), await rig.streamer("nightowl")
    await subs.sync([streamer.id])
    rig.twitch.faults.add("GET", "/helix/eventsub/subscriptions", status=500, times=None)
    with pytest.raises(ProviderError):
        await subs.sync([])
    assert kinds(rig, streamer) == EVERYTHING


async def test_a_channel_connected_while_running_is_heard_at_once(rig: Rig) -> None:
    async with rig.running(rig.pace(look=60)):
        await rig.board.until("ready")
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        assert len(await rig.until_notes(streamer, 1)) == 1


async def test_a_streamer_who_disconnects_at_twitch_is_marked_and_nobody_else_notices(rig: Rig) -> None:
    async with rig.running():
        stays, goes = await rig.live("stays"), await rig.live("goes")
        await rig.twitch.revoke(goes)

        async def marked() -> bool:
            return await rig.state(goes) is State.NEEDS_AUTHORISATION

        await rig.pulse.until(marked)
        await rig.twitch.say(stays, rig.twitch.user("rook"), "!clip goes on")
        assert await rig.until_notes(stays, 1) == ["goes on"]
        assert rig.board.now == "ready"
        await rig.connect(goes)
        await rig.until_subscribed(2)


async def test_a_streamer_twitch_refused_for_a_while_is_not_asked_to_connect_for_ever(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[list[str]] = []
    granted_again = connecting.granted_again

    async def noting(services: Services, channel_ids: Collection[str], now: datetime) -> None:
        noted.append(list(channel_ids))
        await granted_again(services, channel_ids, now)

    async def is_in(state: State) -> bool:
        return await rig.state(streamer) is state

    monkeypatch.setattr(connecting, "granted_again", noting)
    monkeypatch.setattr(under_test, "HOLD_SECONDS", 0.3)
    streamer = await rig.streamer("nightowl")
    rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", status=403, times=6)
    async with rig.running():
        await rig.pulse.until(lambda: is_in(State.NEEDS_AUTHORISATION))
        assert noted == [], "Twitch does not send it all"
        await rig.pulse.until(lambda: is_in(State.CONNECTED))
        looks = len(rig.twitch.requests)
        await eventually(lambda: [request.path for request in rig.twitch.requests[looks:]].count(LIST) >= 2)
    assert noted == [[streamer.id]], "asked for while it is needed only"


async def test_complete_is_a_channel_of_which_twitch_lists_everything(rig: Rig) -> None:
    told = Told()
    subs, whole, gone = await subscriptions(rig, told), await rig.streamer("whole"), await rig.streamer("gone")
    rig.twitch.tokens.end_grants(gone)
    await subs.sync([whole.id, gone.id])
    assert subs.complete == set(), "what was asked for just now is not listed yet"
    await subs.sync([whole.id, gone.id])
    assert subs.complete == {whole.id}
    next(sub for sub in rig.twitch.eventsub.subscriptions.values()).status = "authorization_revoked"
    await subs.sync([whole.id, gone.id])
    assert subs.complete == set()


async def test_who_took_it_back_is_logged_once_however_often_they_are_asked_for(rig: Rig) -> None:
    told = Told()
    subs, gone = await subscriptions(rig, told), await rig.streamer("gone")
    rig.twitch.tokens.end_grants(gone)
    with capture_logs() as lines:
        for _ in range(3):
            await subs.sync([gone.id])
            subs.forgive()
        rig.twitch.mint(gone, ["channel:bot"])
        await subs.sync([gone.id])
    counts = [(line["asked"], line["failed"]) for line in lines if line["event"] == "subscribed to Twitch events"]
    assert counts == [(6, 3), (3, 0)]


async def test_when_the_bots_account_is_disconnected_it_waits_for_its_operator(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        await rig.twitch.revoke(rig.bot)
        await rig.board.until("waiting for authorisation")
        assert await rig.state(streamer) is State.CONNECTED
        assert rig.asked == 1
        rig.twitch.mint(rig.bot, BOT_SCOPES)
        await rig.authorise_bot()
        await rig.ready()


async def test_PLAT_3_a_disconnected_channel_is_not_heard_any_more(rig: Rig) -> None:
    async with rig.running():
        streamer, other = await rig.live(), await rig.live("other")
        # Twitch cannot be told, so its events still come:
        rig.twitch.faults.add("DELETE", "/helix/eventsub/subscriptions", status=500, times=None)
        await rig.disconnect(streamer)
        refused = len(rig.twitch.requests)
        await rig.twitch.until(
            lambda: any(request.method == "DELETE" for request in rig.twitch.requests[refused - 1 :])
        )
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip too late")
        await rig.twitch.say(other, rig.twitch.user("rook"), "!clip here")
        assert await rig.until_notes(other, 1) == ["here"]
        assert await rig.notes(streamer) == []
