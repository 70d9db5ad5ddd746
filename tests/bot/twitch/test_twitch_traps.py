"""The traps of research/twitch.md that belong to no one part, and what is asked of Twitch (PLAT-2, KEY-5, PLAT-3)."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.discord import post_sender
from bot.twitch.outbox import Outbox
from bot.twitch.translate import TWITCH
from commands import connecting, private_links
from commands.model import Heard, Reply
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Status
from providers.twitch.shapes import Sent
from storage import credentials, ledger, linking
from storage.keys import SecretKeys
from tests.bot.twitch.rig import Rig, eventually
from tests.chat import EVENING, Chat, open_chat
from tests.fake_twitch.server import FakeTwitch
from tests.twitch_process import open_stage
from tests.twitch_site import open_town
from web_export import csrf

ROOM = Place("twitch", "1", "Nightowl")
OWNER, ROOK = Author("twitch", "1", "Nightowl"), Author("twitch", "2", "rook")


@pytest.fixture
async def chat(database: Path) -> AsyncIterator[Chat]:
    async with open_chat(database) as chat:
        await says(chat, "!start Any%", OWNER, Role.BROADCASTER)
        yield chat


async def says(
    chat: Chat, text: str, who: Author = ROOK, role: Role = Role.VIEWER, message_id: str | None = None
) -> str:
    """A line in a Twitch chat; what is answered, empty for silence."""
    platform = replace(TWITCH, once_seconds=0)
    reply = await chat.dispatcher.hear(Heard(platform, ROOM, who, role, text, chat.watch.now, message_id))
    return reply.text if reply else ""


# --- 2: a subscription that failed


async def test_trap_2_what_failed_is_asked_for_at_the_next_look_though_nobody_connects_meanwhile(rig: Rig) -> None:
    def looks() -> int:
        listed = ("GET", "/helix/eventsub/subscriptions")
        return sum((request.method, request.path) == listed for request in rig.twitch.requests)

    async with rig.running():
        await rig.live("first")
        await eventually(lambda: not rig.services.changed.is_set())
        before = looks()
        await eventually(lambda: looks() >= before + 2)
        fault = rig.twitch.faults.add("POST", "/helix/eventsub/subscriptions", status=500, times=3)
        await rig.streamer("second")
        await rig.until_subscribed(2)
        assert fault.used == 3


# --- 7: the same message twice


async def test_trap_7_the_viewers_own_line_delivered_again_is_one_mark_and_one_answer(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        message_id = await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip once")
        (clip,) = [one for one in rig.twitch.deliveries if "!clip once" in one.frame]
        for _ in range(3):
            await rig.twitch.redeliver(clip)
        await rig.until_notes(streamer, 1)
        await rig.twitch.redeliver(clip)
        await rig.twitch.say(streamer, rig.twitch.user("sable"), "!clip after")
        assert set(await rig.until_notes(streamer, 2)) == {"once", "after"}
        await rig.twitch.until(lambda: len(rig.twitch.sent) == 3)
        assert [sent.reply_parent_message_id for sent in rig.twitch.sent].count(message_id) == 1


# --- 14: who speaks, and whether it was heard


async def test_trap_14_answers_go_out_with_the_apps_token_where_the_bot_is_nobody(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        await rig.until_notes(streamer, 1)
        await rig.twitch.until(lambda: len(rig.twitch.sent) == 2)
    spoken = [request for request in rig.twitch.requests if request.path == "/helix/chat/messages"]
    assert [request.token_kind for request in spoken] == ["app", "app"]
    assert not rig.twitch.people.is_moderator(streamer.id, rig.bot.id)


@pytest.mark.parametrize("code", ["msg_rejected", None])
async def test_trap_14_what_twitch_did_not_show_is_not_taken_for_said_and_the_next_is_said(
    rig: Rig, code: str | None
) -> None:
    async def send(channel_id: str, text: str, reply_to: str | None) -> Sent:
        return await rig.api.helix.send_message(channel_id, rig.bot.id, text, reply_to)

    streamer, outbox = await rig.streamer("nightowl"), Outbox(send)
    rig.twitch.drop_next(code)
    for number in (1, 2):
        outbox.put(streamer.id, Reply(f"Marked #{number}", kind="marked"), None)
    await rig.twitch.until(lambda: rig.twitch.sent and rig.twitch.dropped)
    await outbox.drain(5)
    assert (outbox.stats.refused, outbox.stats.sent) == (1, 1)
    assert [sent.text for sent in rig.twitch.sent] == ["Marked #2"]


# --- 20: a cooldown is counted once, and only by what was done


async def test_trap_20_a_cooldown_begins_with_a_mark_once_and_never_with_a_refusal(chat: Chat) -> None:
    for wrong in ("!clip -700 too far back", "!adjust", "!moment", "!renote"):
        await says(chat, wrong)
    assert (await says(chat, "!clip first")).startswith("Marked #1")
    chat.passes(14)
    assert await says(chat, "!clip too fast") == ""
    chat.passes(1)
    assert (await says(chat, "!clip second")).startswith("Marked #2")


# --- PLAT-3: whatever Twitch delivers again within days


async def test_PLAT_3_what_is_delivered_again_after_a_day_and_a_restart_does_nothing_twice(database: Path) -> None:
    async with open_chat(database) as chat:
        await says(chat, "!start Any%", OWNER, Role.BROADCASTER)
        assert await says(chat, "!clip once", message_id="m1")
        assert await says(chat, "!pause", OWNER, Role.BROADCASTER, message_id="m2")
        assert await says(chat, "!resume", OWNER, Role.BROADCASTER, message_id="m3")
    for days in (1, 2):
        async with open_chat(database, now=EVENING + timedelta(days=days, minutes=1)) as chat:
            new = Author("twitch", f"9{days}", "new")
            await says(chat, "!clip another", new, message_id=f"other {days}")
            assert await says(chat, "!adjust +1", new, message_id=f"adjusted {days}")  # with it, old ones are let go
            await says(chat, "!clip once", message_id="m1")
            await says(chat, "!pause", OWNER, Role.BROADCASTER, message_id="m2")
            session = await chat.store.newest_session("twitch", "1")
            assert session is not None
            assert session.status is Status.ACTIVE
            marks = await chat.store.marks(session, limit=10)
            assert [mark.note for mark in marks].count("once") == 1


# --- PLAT-2: what is asked of whom


async def test_PLAT_2_the_bot_asks_for_three_scopes_and_a_streamer_is_asked_for_a_seat_alone(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        bot, rosa = town.twitch.user("moments_bot"), town.twitch.user("rosa")
        code = await connecting.bot_code(town.services)
        for somebody, query in ((bot, f"?code={code}"), (rosa, "")):
            assert (await town.somebody().connect(somebody, query)).status == 303
        asked = {one.user.login: one.scopes - {"openid"} for one in town.twitch.asked if one.user}
        kept = {held.login: held.scopes - {"openid"} for held in await credentials.held(town.services.store)}
    three = {"user:read:chat", "user:write:chat", "user:bot"}
    assert asked == kept == {"moments_bot": three, "rosa": {"channel:bot"}}


async def test_PLAT_2_nothing_a_streamer_gave_us_is_used_to_mark(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        await rig.services.store.run(
            lambda transaction: credentials.remove(transaction, "twitch", streamer.id),
            message=None,
            now=rig.services.clock(),
        )
        rig.twitch.expire(streamer)
        before = len(rig.twitch.requests)
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip without a token of theirs")
        assert await rig.until_notes(streamer, 1) == ["without a token of theirs"]
        await rig.twitch.until(lambda: len(rig.twitch.sent) == 2)
    assert {request.token_kind for request in rig.twitch.requests[before:]} == {"app"}


async def test_PLAT_2_a_bot_with_less_than_its_three_scopes_is_not_taken(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        code = await connecting.bot_code(town.services)
        browser = town.somebody()
        address = await browser.leave(f"/twitch/connect/start?code={code}")
        back = await browser.agree(address.replace("user%3Awrite%3Achat", ""), town.twitch.user("moments_bot"))
        answer = await browser.get(back)
        assert answer.status != 303 or "said=bot" not in answer.location
        assert not await connecting.bot_is_authorised(town.services)
        assert await credentials.held(town.services.store) == []


# --- KEY-5 and KEY-1: files, keys


async def test_KEY_5_trap_10_the_process_leaves_no_file_of_twitchios_and_asks_after_every_token_at_its_start(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.lets_bot_in()
            await stage.connects("rosa", "ben")
            assert (await stage.stop())[0] == 0
        before = len(stage.twitch.requests)
        async with stage.running():
            await stage.until(lambda: validated(stage.twitch, before) >= 3, "all three are asked after")
            await stage.goes_live(stage.twitch.user("rosa"))
            await stage.marks_again(stage.twitch.user("rosa"), "here")
            assert (await stage.stop())[0] == 0
        names = {path.name for path in stage.folder.rglob("*")}
    assert names == {"moments.db", "moments.key", ".moments.db.twitch-lock"}


def logins(database: Path) -> list[str | None]:
    """What is known of the channels' present logins."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [login for (login,) in connection.execute("SELECT login FROM channel")]


def validated(twitch: FakeTwitch, since: int) -> int:
    """After how many tokens of people we have asked; the connection asks after the bot's only when refused."""
    return sum(request.path == "/oauth2/validate" for request in twitch.requests[since:])


async def test_PRIV_6_the_process_itself_deletes_what_twitch_told_a_day_ago(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.lets_bot_in()
            (rosa,) = await stage.connects("rosa")
            await stage.goes_live(rosa)
            await stage.until(lambda: stage.rows("api_stream"), "what the stream is called is known")
            assert (await stage.stop())[0] == 0
        await stage.twitch.offline(rosa)
        stage.hours.passes(hours=25)
        async with stage.running():
            await stage.until(lambda: not stage.rows("api_stream"), "it is deleted")
            assert stage.rows("channel", "login") == [(None,)]
            assert len(stage.rows("session")) == 1
            assert (await stage.stop())[0] == 0


async def test_PRIV_6_of_a_channel_that_is_disconnected_nothing_twitch_told_stays(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        rosa = town.twitch.user("rosa")
        await town.somebody().connect(rosa)
        assert logins(town.path) == ["rosa"]
        await connecting.disconnect(town.services, rosa.id, Author("twitch", rosa.id, "rosa"), town.watch.now)
        assert logins(town.path) == [None]


def test_KEY_1_every_purpose_in_use_has_a_name_of_its_own() -> None:
    purposes = [
        *(credentials.PURPOSE, ledger.PURPOSE, linking.PURPOSE),
        *(private_links.KEY, csrf.PURPOSE, post_sender.PURPOSE),
    ]
    assert len({SecretKeys(("k" * 40,)).derive(purpose) for purpose in purposes}) == len(purposes)
    packages = ("bot", "commands", "moments", "providers", "storage", "web_export")
    root = Path(credentials.__file__).parents[1]
    text = {path: path.read_text() for package in packages for path in (root / package).rglob("*.py")}
    used = {
        (path.stem, found[1])
        for path, source in text.items()
        if path.name != "keys.py" or path.parent.name != "storage"
        for found in re.finditer(r"\.derive(?:_all)?\((\w[\w.]*)", source)
    }
    assert sorted(used) == [
        ("credentials", "PURPOSE"),
        ("csrf", "PURPOSE"),
        ("forgetme", "ledger.PURPOSE"),
        ("linking", "linking.PURPOSE"),
        ("post_sender", "PURPOSE"),
        ("private_links", "KEY"),
        ("restore", "ledger.PURPOSE"),
    ]
