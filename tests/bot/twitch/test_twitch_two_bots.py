"""CHAT-5 over real sockets: another bot in the room, and another Moments in the room."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from providers.twitch import TwitchApi
from tests.bot.twitch.rig import QUICK, Rig, open_rig

CHAT_BOT = {"set_id": "bot-badge", "id": "1", "info": ""}
PATIENT = replace(QUICK, patience=5.0, silence=8.0)
"""A busy machine is not taken for a silent Twitch: nobody says it all again."""
MODERATOR = {"set_id": "moderator", "id": "1", "info": ""}


@asynccontextmanager
async def another(database: Path, first: Rig) -> AsyncIterator[Rig]:
    """A Moments of somebody else on the same Twitch, with an account of its own."""
    async with open_rig(database, bot_authorised=False, twitch=first.twitch) as rig:
        rig.bot = first.twitch.user("other_moments")
        rig.api = TwitchApi(rig.api.oauth, rig.api.helix, rig.bot.id)
        rig.services = replace(rig.services, twitch=rig.api)
        rig.settings = replace(rig.settings, bot_id=rig.bot.id)
        await rig.authorise_bot()
        yield rig


async def until_replies(rig: Rig, count: int) -> None:
    await rig.twitch.until(lambda: len(rig.twitch.sent) >= count)


async def test_CHAT_5_two_bots_in_one_room_each_give_one_reply_to_a_person_and_none_to_the_other(
    rig: Rig, tmp_path: Path
) -> None:
    async with another(tmp_path / "other.db", rig) as other, rig.running(PATIENT), other.running(PATIENT):
        streamer = await rig.streamer("nightowl")
        for bot in (rig.bot, other.bot):
            rig.twitch.make_moderator(streamer, bot)
        await other.connect(streamer)
        await rig.until_subscribed(2)
        for said, text in enumerate(["!start !clip | !end", "!clip !clip", "!clip !moments end"], start=1):
            await rig.twitch.say(streamer, streamer, text)
            await until_replies(rig, 2 * said)
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip the last")
        assert await rig.until_notes(streamer, 3) == ["!clip", "!moments end", "the last"]
        assert await other.until_notes(streamer, 3) == ["!clip", "!moments end", "the last"]
        await until_replies(rig, 8)
        replies = Counter(sent.sender_id for sent in rig.twitch.sent)
        assert replies == {rig.bot.id: 4, other.bot.id: 4}, [sent.text for sent in rig.twitch.sent]


async def test_CHAT_5_a_timer_of_another_bot_marks_nothing_and_stops_nothing(rig: Rig) -> None:
    async with rig.running(PATIENT):
        streamer = await rig.live()
        nightbot = rig.twitch.user("nightbot")
        for text in ("!clip from a timer", "!end", "!moments clip again"):
            await rig.twitch.say(streamer, nightbot, text, badges=[MODERATOR, CHAT_BOT])
        for viewer in ("rook", "sable"):  # one on each socket, behind what the bot said there
            await rig.twitch.say(streamer, rig.twitch.user(viewer), "!clip typed")
        assert await rig.until_notes(streamer, 2) == ["typed", "typed"]
