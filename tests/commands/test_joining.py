"""A Discord channel that marks along with a stream: who may ask, what its people may do there, and what ends it."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.discord.translate import DISCORD
from bot.twitch.translate import TWITCH
from commands import connecting, joining, private_links
from commands.access import LOWEST_ROLE
from commands.authority import Viewer, role_of
from commands.dispatch import Dispatcher
from commands.forgetme import forget
from commands.model import Heard, Reply
from commands.registry import COMMANDS
from moments.errors import NotAllowed, NotFound, Refusal
from moments.live import Author, Place
from moments.people import Account, Role
from moments.sessions import Channel
from storage import Totals, Transaction, audit, barred, channels, connections, joined
from storage.keys import digest_of
from storage.retention import JOIN_CODE
from tests.chat import Chat, open_chat
from tests.guild import BOSS, CLIPS, DEN, FOXES, MUSIC, OWLS, KnownGuilds, boss_manages, typed, with_twitch

OWL = Author("twitch", "1001", "Nightowl")
STREAM = Place(*OWL)
LIVE = sorted(name for name, command in COMMANDS.items() if command.live)


def plain(text: str) -> str:
    """Without what sets somebody's words apart."""
    return text.replace("\u2068", "").replace("\u2069", "")


@dataclass
class Town:
    """A streamer's channel with a session, and two Discord servers; nothing is joined yet."""

    chat: Chat
    guilds: KnownGuilds

    async def types(
        self,
        line: str,
        name: str = "rook",
        role: Role = Role.VIEWER,
        *,
        place: Place = CLIPS,
        manages: bool | None = None,
    ) -> str:
        """What a slash command in a server's channel is answered."""
        now = self.chat.watch.now
        reply = await typed(self.chat.services, now, line, name, role=role, place=place, manages=manages)
        return reply.text if reply else ""

    async def reply(self, line: str, name: str, role: Role) -> Reply | None:
        return await typed(self.chat.services, self.chat.watch.now, line, name, role=role)

    async def says(self, line: str, name: str = "nightowl", role: Role = Role.BROADCASTER) -> str:
        """A line in the stream's chat on Twitch."""
        who = OWL if name == "nightowl" else Author("twitch", f"id-{name}", name.title())
        heard = Heard(replace(TWITCH, once_seconds=0), STREAM, who, role, line, self.chat.watch.now)
        reply = await Dispatcher(self.chat.services).hear(heard)
        return reply.text if reply else ""

    async def code(self, place: Place = CLIPS) -> str:
        """What `setup join` gives."""
        found = re.search(
            r"/join\?code=([\w-]{32})$", await self.types("/setup join", "boss", Role.BROADCASTER, place=place)
        )
        assert found
        return found[1]

    async def join(self, place: Place = CLIPS, *, moderators: bool = False) -> None:
        await self.agree(await self.code(place), place, moderators=moderators)

    async def agree(self, code: str, place: Place = CLIPS, by: Author = OWL, *, moderators: bool = False) -> Place:
        read, now = (place.platform_id, by.user_id), self.chat.watch.now
        return await joining.agree(self.chat.services, code, by, read=read, moderators=moderators, now=now)

    async def joined(self, place: Place = CLIPS) -> joined.Joined | None:
        return await joined.of_discord(self.chat.store, place.platform_id)

    async def totals(self, place: Place = STREAM) -> Totals:
        session = await self.chat.store.newest_session(*place[:2])
        return Totals(0, 0) if session is None else await self.chat.store.totals(session)

    async def acts(self, place: Place = STREAM) -> list[tuple[str, str]]:
        channel = await self.chat.store.channel(*place[:2])
        return (
            [(each.act, each.actor_user_id) for each in await audit.entries(self.chat.store, channel)]
            if channel
            else []
        )


@pytest.fixture
async def town(database: Path) -> AsyncIterator[Town]:
    async with open_chat(database) as chat:
        guilds = KnownGuilds(boss_manages())
        chat.services = with_twitch(replace(chat.services, guilds=guilds))
        town = Town(chat, guilds)

        async def connect(transaction: Transaction) -> None:
            await channels.stored(transaction, STREAM)
            await connections.connect(transaction, STREAM, frozenset(), chat.watch.now)

        await chat.store.run(connect, message=None, now=chat.watch.now)
        await town.says("!start Any% attempts")
        chat.passes(60)
        yield town


# --- asking


async def test_who_may_manage_the_server_is_given_a_code_in_private(town: Town) -> None:
    reply = await town.reply("/setup join", "boss", Role.BROADCASTER)
    assert reply
    assert reply.private
    assert reply.text.startswith("Hand this to the streamer, and to nobody else.")
    code = reply.text.partition("code=")[2]
    request = await joining.asked(town.chat.services, code)
    assert request == ("7001", "9001", "Night Owls", "#clips", "discord:50boss", "Boss")
    assert not [row for row in await town.chat.store.fetch("SELECT * FROM join_request") if code in str(row)]
    assert await town.acts(CLIPS) == [("ask to join", "50boss")]


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.BROADCASTER])
@pytest.mark.parametrize("value", ["", " off"])
async def test_AZ_4_without_leave_to_manage_the_server_nobody_joins_whatever_discord_let_through(
    town: Town, role: Role, value: str
) -> None:
    await town.join()
    for place in (CLIPS, MUSIC):
        said = await town.types(f"/setup join{value}", role=role, manages=False, place=place)
        assert said.startswith("Only who may manage this server")
    assert await town.joined()
    assert await town.chat.store.fetch("SELECT * FROM join_request") == []


async def test_AZ_1_viewers_ask_for_nothing(town: Town) -> None:
    assert await town.types("/setup join", manages=True) == "Only moderators can use setup."


async def test_elsewhere_it_is_said_where_joining_begins(town: Town) -> None:
    assert "types /setup join in the channel" in await town.says("!setup join")
    assert (await town.says("!setup join off")).endswith("http://localhost:8080/me")


async def test_a_second_code_voids_the_first_and_another_word_gives_none(town: Town) -> None:
    first = await town.code()
    second = await town.code()
    with pytest.raises(NotFound):
        await joining.asked(town.chat.services, first)
    said = await town.types(f"/setup join {second}", "boss", Role.BROADCASTER, place=DEN)
    assert said.startswith("Say /setup join to be given a code")
    assert await town.joined(DEN) is None


# --- agreeing


async def test_AZ_4_a_code_is_used_once_and_within_ten_minutes(town: Town) -> None:
    code = await town.code()
    town.chat.watch.now += JOIN_CODE
    with pytest.raises(NotFound, match="has run out"):
        await town.agree(code)
    code = await town.code()
    town.chat.watch.now += JOIN_CODE - timedelta(seconds=1)
    assert await town.agree(code) == CLIPS
    with pytest.raises(NotFound, match="was used already"):
        await town.agree(code)


async def test_AZ_4_a_code_of_one_server_joins_no_channel_of_another(town: Town) -> None:
    code = await town.code()
    await town.code(DEN)
    with pytest.raises(NotAllowed):
        await town.agree(code, DEN)
    assert (await town.joined(), await town.joined(DEN)) == (None, None)
    await town.agree(code)
    assert await town.joined(DEN) is None


@pytest.mark.parametrize("who", [Author("twitch", "77", "Sable"), Author("discord", "1001", "Owl")])
async def test_AZ_4_a_moderator_cannot_agree_for_the_streamer(town: Town, who: Author) -> None:
    code = await town.code()
    for read in ((CLIPS.platform_id, who.user_id), (CLIPS.platform_id, OWL.user_id)):
        with pytest.raises(NotAllowed):
            await joining.agree(town.chat.services, code, who, read=read, moderators=True, now=town.chat.watch.now)
    with pytest.raises(NotAllowed):
        await joining.own_channel(town.chat.services, who)
    assert await town.joined() is None


async def test_AZ_4_another_streamer_who_read_this_ones_page_joins_nothing(town: Town) -> None:
    other, code = Author("twitch", "1002", "Lark"), await town.code()

    async def connect(transaction: Transaction) -> None:
        await channels.stored(transaction, Place(*other))
        await connections.connect(transaction, Place(*other), frozenset(), town.chat.watch.now)

    await town.chat.store.run(connect, message=None, now=town.chat.watch.now)
    read = (CLIPS.platform_id, OWL.user_id)
    with pytest.raises(NotAllowed):
        await joining.agree(town.chat.services, code, other, read=read, moderators=True, now=town.chat.watch.now)
    assert await town.joined() is None


async def test_one_discord_channel_joins_one_stream_and_its_own_session_ends(town: Town) -> None:
    await town.types("/start Movie night", "boss", Role.BROADCASTER)
    stale = await town.code()
    await town.agree(stale)
    own = await town.chat.store.newest_session(*CLIPS[:2])
    assert own
    assert own.status == "ended"
    said = await town.types("/setup join", "boss", Role.BROADCASTER)
    assert said.startswith("Now: joined to \u2068Nightowl\u2069 on Twitch.")


async def test_a_code_given_before_another_joined_the_channel_joins_it_to_no_second_stream(town: Town) -> None:
    code = await town.code()

    async def meanwhile(transaction: Transaction) -> None:
        channel = await channels.stored(transaction, STREAM)
        request = await joined.asked(transaction, digest_of(code), town.chat.watch.now)
        assert request
        await joined.join(transaction, request, channel, OWL, moderators=False, now=town.chat.watch.now)

    await town.chat.store.run(meanwhile, message=None, now=town.chat.watch.now)
    with pytest.raises(Refusal, match="joined to a stream already"):
        await town.agree(code)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MODERATOR])
async def test_AZ_4_who_asked_and_manages_the_server_no_more_is_not_agreed_to(town: Town, role: Role) -> None:
    code = await town.code()
    town.guilds.roles["9001", CLIPS.platform_id, BOSS] = role
    with pytest.raises(Refusal, match="may not manage that server any more"):
        await town.agree(code)
    assert await town.joined() is None
    town.guilds.roles = boss_manages()
    await town.agree(code)
    assert town.guilds.afresh == town.guilds.asked == 2


async def test_AZ_4_nothing_is_joined_while_discord_does_not_say_who_manages_the_server(town: Town) -> None:
    code, town.guilds.down = await town.code(), True
    with pytest.raises(Refusal, match=r"^Discord does not say just now .* Try again in a minute\.$"):
        await town.agree(code)
    services, town.chat.services = town.chat.services, replace(town.chat.services, guilds=None)
    with pytest.raises(Refusal, match="Discord does not say"):
        await town.agree(code)
    town.chat.services, town.guilds.down = services, False
    assert await town.joined() is None
    await town.agree(code)


# --- marking along


async def test_both_chats_mark_in_the_same_session_and_two_people_count_twice(town: Town) -> None:
    await town.join()
    assert (await town.says("!clip what a dodge", "ann", Role.VIEWER)).startswith("Marked #1 at 00:01:00")
    reply = await town.types("/clip what a dodge", "rook")
    assert reply.startswith("Marked #2 at 00:01:00 (segment 1)")
    assert reply.endswith("2 people within 15 s")
    assert await town.totals() == (2, 2)
    session = await town.chat.store.newest_session(*STREAM[:2])
    assert session
    marks = await town.chat.store.marks(session)
    assert [(each.platform, each.submitted_by) for each in marks] == [("twitch", "Ann"), ("discord", "Rook")]


async def test_one_person_with_two_accounts_counts_once_and_waits_once(town: Town) -> None:
    await town.join()
    await town.says("!clip", "ann", Role.VIEWER)
    town.chat.passes(5)
    await town.types("/clip", "rook")
    assert await town.totals() == (2, 2)

    async def link(transaction: Transaction) -> Account:
        ann = await transaction.account(Author("twitch", "id-ann", "Ann"))
        return await transaction.move_account(
            await transaction.account(Author("discord", "50rook", "Rook")), ann.person_id
        )

    await town.chat.store.run(link, message=None, now=town.chat.watch.now)
    assert await town.totals() == (2, 1)
    assert (await town.types("/clip", "rook")).startswith("Too fast")
    town.chat.passes(20)
    assert (await town.says("!clip", "ann", Role.VIEWER)).startswith("Marked #3")
    assert (await town.types("/clip", "rook")).startswith("Too fast: you can mark again in 15 seconds")
    assert (await town.types("/clip", "cleo")).endswith("2 people within 15 s")


async def test_ones_own_marks_are_changed_from_where_one_is(town: Town) -> None:
    await town.join()
    await town.types("/clip what a dodge")
    assert (await town.types("/adjust +5")).startswith("Moved #1 to 00:01:05")
    assert (await town.types("/renote what a save")).startswith("Now #1 says")
    assert (await town.types("/unclip", "ann")).startswith("You have no mark in this session")
    assert (await town.says("!unclip", "rook", Role.VIEWER)).startswith("You have no mark")  # another account's
    assert (await town.says("!delclip 1")).startswith("Removed #1")
    assert await town.totals() == (0, 0)
    await town.types("/clip", "ann")
    assert (await town.types("/unclip", "ann")).startswith("Removed #2")


async def test_the_streamers_settings_hold_for_marks_from_discord(town: Town) -> None:
    await town.join()
    await town.types("/clip", "rook")
    await town.says("!setup names off")
    await town.says("!setup who subscribers")
    town.chat.passes(60)
    assert await town.types("/clip", "rook") == "Only subscribers can mark here."
    session = await town.chat.store.newest_session(*STREAM[:2])
    assert session
    assert [each.submitted_by for each in await town.chat.store.marks(session)] == [""]
    await town.says("!setup visibility private")
    assert (await town.types("/clips")).startswith("This channel's pages are private")


async def test_a_private_stream_is_told_of_to_a_lent_moderator_alone(town: Town) -> None:
    await town.join(moderators=True)
    for role, words in ((Role.VIEWER, "Running: "), (Role.MODERATOR, "Running: ")):
        reply = await town.reply("/session", "mod", role)
        assert reply
        assert (reply.text.startswith(words), reply.private) == (True, False)
    await town.says("!setup visibility private")
    reply = await town.reply("/session", "mod", Role.MODERATOR)
    assert reply
    assert "Any% attempts" in reply.text
    assert reply.private
    reply = await town.reply("/session", "rook", Role.VIEWER)
    assert reply
    assert "Any% attempts" not in reply.text
    assert "Any% attempts" in await town.says("!session")


async def test_AZ_4_lent_powers_rest_while_the_streamers_leave_does_not_hold(town: Town) -> None:
    await town.join(moderators=True)
    await connecting.needs_authorisation(town.chat.services, "1001", town.chat.watch.now)
    for command in ("/pause", "/end", "/delclip 1", "/session"):
        reply = await town.reply(command, "mod", Role.MODERATOR)
        assert reply
        assert reply.text.startswith("Running") or "whose own moderators use" in reply.text
    assert (await town.types("/clip", "rook")).startswith("Marked #1")

    async def connect(transaction: Transaction) -> None:
        await connections.connect(transaction, STREAM, frozenset(), town.chat.watch.now)

    await town.chat.store.run(connect, message=None, now=town.chat.watch.now)
    assert (await town.types("/pause", "mod", Role.MODERATOR)).startswith("Paused")


async def test_the_stream_blocks_somebody_from_discord_by_name(town: Town) -> None:
    await town.join()
    await town.types("/clip", "rook")
    assert (await town.says("!setup block rook")).startswith("There is nobody called")
    assert (await town.says("!setup block @Rook@Discord")).startswith("Now blocked")
    channel = await town.chat.store.channel(*STREAM[:2])
    assert channel
    assert [row[:2] for row in await barred.listed(town.chat.store, channel)] == [("discord", "50rook")]
    town.chat.passes(60)
    assert (await town.types("/clip", "rook")).startswith("The moderators of this channel do not take marks from you")
    assert (await town.says("!setup unblock rook@discord")).startswith("Now not blocked")
    assert (await town.types("/clip", "rook")).startswith("Marked #2")


async def test_setup_in_a_joined_channel_is_about_that_channel_and_its_blocks_hold(town: Town) -> None:
    await town.types("/start", "boss", Role.BROADCASTER)
    await town.types("/clip", "rook")
    await town.join()
    assert (await town.types("/setup cooldown 99", "boss", Role.BROADCASTER)).startswith("Now: cooldown 99")
    stream, own = await town.chat.store.channel(*STREAM[:2]), await town.chat.store.channel(*CLIPS[:2])
    assert stream
    assert own
    assert (stream.settings.cooldown_seconds, own.settings.cooldown_seconds) == (None, 99)
    assert (await town.types("/setup block rook", "mod", Role.MODERATOR)).startswith("Now blocked")
    assert (await town.types("/clip", "rook")).startswith("The moderators of this server take nothing from you")
    assert await barred.listed(town.chat.store, stream) == []
    assert (await town.types("/clip", "ann")).startswith("Marked #1")


async def test_a_name_typed_there_is_also_whoever_marked_in_the_stream_from_discord(town: Town) -> None:
    await town.types("/start", "boss", Role.BROADCASTER)
    await town.types("/clip", "ann")
    await town.join()
    await town.says("!clip", "cleo", Role.VIEWER)
    await town.types("/clip", "rook")
    town.chat.passes(60)
    assert (await town.types("/setup block Rook", "mod", Role.MODERATOR)).startswith("Now blocked")
    assert (await town.types("/clip", "rook")).startswith("The moderators of this server take nothing from you")
    assert (await town.types("/setup unblock rook", "mod", Role.MODERATOR)).startswith("Now not blocked")
    await town.types("/clip", "ann")  # who has marks in both is one person all the same
    assert (await town.types("/setup block ann", "mod", Role.MODERATOR)).startswith("Now blocked")
    for name, place in (("cleo", CLIPS), ("rook", MUSIC), ("rook", DEN)):
        said = await town.types(f"/setup block {name}", "mod", Role.MODERATOR, place=place)
        assert said.startswith("There is nobody called"), name
    lying = Heard(
        DISCORD,
        CLIPS,
        Author("discord", "50mod", "Mod"),
        Role.MODERATOR,
        "/setup block rook",
        town.chat.watch.now,
        guild=FOXES,
    )
    reply = await Dispatcher(town.chat.services).hear(lying)
    assert reply
    assert reply.text.startswith("There is nobody called")


async def test_clips_that_are_off_are_switched_on_where_the_stream_is(town: Town) -> None:
    await town.join(moderators=True)
    await town.types("/clip", "rook")
    said = await town.types("/promote 1", "mod", Role.MODERATOR)
    assert said == "Clips are off here. The streamer turns them on by typing !setup clips on in the Twitch chat."
    assert await town.says("!promote 1") == said


# --- whose power it is


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.BROADCASTER])
@pytest.mark.parametrize("name", [name for name in LIVE if LOWEST_ROLE[name] >= Role.MODERATOR])
async def test_AZ_4_a_servers_moderators_have_no_power_over_the_stream_by_default(
    town: Town, name: str, role: Role
) -> None:
    await town.join()
    await town.types("/clip", "ann")
    before = await town.acts()
    said = await town.types(f"/{name} 1", "boss", role)
    assert said == f"This channel marks along with Nightowl, whose own moderators use {name} on Twitch."
    assert await town.acts() == before
    assert await town.totals() == (1, 1)


async def test_AZ_4_ticked_they_moderate_its_sessions_and_nothing_else(town: Town) -> None:
    await town.join(moderators=True)
    assert (await town.types("/pause", "mod", Role.MODERATOR)).startswith("Paused")
    assert (await town.types("/resume", "boss", Role.BROADCASTER)).startswith("Resumed")
    assert await town.types("/end", "rook") == "Only moderators can use end."
    assert (await town.types("/end", "mod", Role.MODERATOR)).startswith("Ended")
    assert [act for act in await town.acts() if act[0] in {"pause", "resume", "end"}] == [
        ("end", "50mod"),
        ("resume", "50boss"),
        ("pause", "50mod"),
    ]
    await town.types("/setup visibility private", "boss", Role.BROADCASTER)
    stream = await town.chat.store.channel(*STREAM[:2])
    assert stream
    assert stream.visibility == "public"
    town.guilds.roles["9001", CLIPS.platform_id, "50boss"] = Role.BROADCASTER
    who = Viewer("discord", "50boss", "Boss")
    assert await role_of(town.chat.services, who, stream, act=False) is Role.VIEWER


async def test_AZ_4_the_servers_other_channels_and_other_servers_reach_nothing(town: Town) -> None:
    await town.join(moderators=True)
    for place in (MUSIC, DEN):
        assert (await town.types("/clip", place=place)).startswith("Not live")
        await town.types("/start", "boss", Role.BROADCASTER, place=place)
        await town.types("/end", "boss", Role.BROADCASTER, place=place)
    session = await town.chat.store.newest_session(*STREAM[:2])
    assert session
    assert session.status == "active"


async def test_AZ_4_a_message_that_says_its_channel_is_another_servers_reaches_nothing(town: Town) -> None:
    await town.join(moderators=True)
    who, now = Author("discord", "50boss", "Boss"), town.chat.watch.now
    heard = Heard(DISCORD, CLIPS, who, Role.BROADCASTER, "/end", now, guild=OWLS._replace(id="6666"))
    reply = await Dispatcher(town.chat.services).hear(heard)
    assert reply
    assert reply.text.startswith("Not live")


@pytest.mark.parametrize("name", LIVE)
async def test_AZ_4_where_the_bot_is_no_member_nothing_reaches_a_session(town: Town, name: str) -> None:
    await town.join(moderators=True)
    direct = Place("discord", "8008", "a direct message")
    who, now = Author("discord", "50boss", "Boss"), town.chat.watch.now
    brought = OWLS._replace(has_bot=False, may_manage=True)
    for place, guild, private in ((direct, None, True), (CLIPS, brought, True), (CLIPS, brought, False)):
        heard = Heard(DISCORD, place, who, Role.BROADCASTER, f"/{name} 1", now, private=private, guild=guild)
        reply = await Dispatcher(town.chat.services).hear(heard)
        assert reply
        assert reply.text.startswith("Sessions belong to a server's channel")
        assert reply.private
    heard = Heard(DISCORD, CLIPS, who, Role.BROADCASTER, "/setup join off", now, private=True, guild=brought)
    reply = await Dispatcher(town.chat.services).hear(heard)
    assert reply
    assert reply.text.startswith("Sessions belong to a server's channel")
    assert await town.joined()
    assert await town.totals() == (0, 0)


async def test_AZ_4_whose_a_channel_is_is_learnt_only_where_the_bot_is_a_member(town: Town) -> None:
    who, now = Author("discord", "50mod", "Mod"), town.chat.watch.now
    for guild, learnt in ((OWLS._replace(has_bot=False), None), (OWLS, OWLS.id)):
        heard = Heard(DISCORD, CLIPS, who, Role.MODERATOR, "/mymoments", now, guild=guild)
        assert await Dispatcher(town.chat.services).hear(heard)
        assert await joined.guild_of(town.chat.store, CLIPS.platform_id) == learnt


# --- what ends it


async def test_AZ_4_either_side_ends_it_alone(town: Town) -> None:
    await town.join()
    assert (await town.types("/setup join off", "boss", Role.BROADCASTER)).startswith(
        "Now this channel is joined to no stream"
    )
    assert await town.joined() is None
    assert (await town.types("/setup join off", "boss", Role.BROADCASTER)).startswith(
        "This channel is joined to no stream."
    )
    assert (await town.types("/clip")).startswith("Not live")
    await town.join()
    other = Author("twitch", "1002", "Lark")
    assert not await joining.leave(town.chat.services, other, CLIPS.platform_id, town.chat.watch.now)
    assert await town.joined()
    assert await joining.leave(town.chat.services, OWL, CLIPS.platform_id, town.chat.watch.now)
    assert not await joining.leave(town.chat.services, OWL, CLIPS.platform_id, town.chat.watch.now)
    assert (await town.types("/clip")).startswith("Not live")
    assert await town.acts() == [
        *(("unjoin", "1001"), ("join", "1001"), ("unjoin", "50boss"), ("join", "1001"), ("start", "1001")),
    ]


async def test_settings_of_a_joined_channel_say_whose_settings_count_for_its_sessions(town: Town) -> None:
    boss = ("boss", Role.BROADCASTER)
    theirs = " Sessions here are those of Nightowl, whose own settings count for them."
    assert "· feed off · joined to nobody. Change one" in await town.types("/setup", *boss)
    assert (await town.types("/setup cooldown 30", *boss)) == "Now: cooldown 30."
    await town.join()
    await town.types("/setup feed crowd 3", *boss)
    assert "· feed crowd 3 · joined to Nightowl. Change one" in plain(await town.types("/setup", *boss))
    for words in ("visibility private", "who moderators", "cooldown 20", "window 20", "lead 5", "names off"):
        assert plain(await town.types(f"/setup {words}", *boss)) == f"Now: {words}.{theirs}"
    assert plain(await town.types("/setup cooldown 20", *boss)) == f"Already so: cooldown 20.{theirs}"
    assert plain(await town.types("/setup cooldown", *boss)).startswith(f"Now: cooldown 20.{theirs} Change it: /setup")
    assert (await town.types("/setup replies brief", *boss)) == "Now: replies brief."
    assert "feed" not in await town.says("!setup")


@pytest.mark.parametrize(
    ("setting", "what"),
    [("visibility private", "visibility"), ("names off", "names"), ("moderator rook", "moderators")],
)
async def test_AZ_1_what_is_not_a_moderators_in_a_server_names_the_permission_it_needs(
    town: Town, setting: str, what: str
) -> None:
    said = await town.types(f"/setup {setting}", "mod", Role.MODERATOR)
    assert said == f"Not yours to change: only who may manage this server (Manage Server) sets {what} here."


async def test_where_twitch_is_not_set_up_there_is_no_stream_to_join_and_that_is_said(town: Town) -> None:
    town.chat.services = replace(town.chat.services, twitch=None)
    said = await town.types("/setup join", "boss", Role.BROADCASTER)
    assert said == (
        "This Moments is not on Twitch, so there is no stream to join. This channel has sessions of its own: "
        "type /start."
    )
    assert await town.chat.store.fetch("SELECT * FROM join_request") == []


async def test_a_code_that_was_given_out_is_taken_back(town: Town) -> None:
    code = await town.code()
    assert await town.types("/setup join off", "boss", Role.BROADCASTER) == "Now the code that was given out is void."
    with pytest.raises(NotFound):
        await town.agree(code)


@pytest.mark.parametrize("how", ["disconnected", "revoked", "forgotten"])
async def test_AZ_4_it_ends_when_the_streamer_takes_back_their_leave(town: Town, how: str) -> None:
    await town.join(moderators=True)
    services, now = town.chat.services, town.chat.watch.now
    match how:
        case "disconnected":
            await connecting.disconnect(services, "1001", OWL, now)
        case "revoked":
            await connecting.revoked(services, "1001", "authorization_revoked", now)
        case "forgotten":
            await forget(services, OWL, now)
    assert await town.joined() is None
    assert (await town.types("/end", "mod", Role.MODERATOR)).startswith("Not live")
    code = await town.code()
    with pytest.raises(NotAllowed):
        await town.agree(code)


async def test_a_token_that_died_ends_nothing_and_joins_nothing_new(town: Town) -> None:
    await town.join()
    code = await town.code(MUSIC)
    await connecting.needs_authorisation(town.chat.services, "1001", town.chat.watch.now)
    assert (await town.types("/clip")).startswith("Marked #1")
    with pytest.raises(NotAllowed):
        await town.agree(code, MUSIC)


async def test_AZ_4_a_server_without_the_bot_has_no_power_and_nothing_joined(town: Town) -> None:
    await town.join(moderators=True)
    await town.join(DEN)
    pending = await town.code(MUSIC)
    for place in (CLIPS, DEN):
        await town.types("/setup feed each", "boss", Role.BROADCASTER, place=place)
    await joining.guild_left(town.chat.services, "9001", town.chat.watch.now)
    assert await town.joined() is None
    assert await town.joined(DEN)
    assert await town.chat.store.fetch("SELECT guild_id FROM feed") == [("9002",)]  # nothing is posted there
    with pytest.raises(NotFound):
        await town.agree(pending, MUSIC)
    assert (await town.types("/clip")).startswith("Not live")
    assert (await town.acts())[0] == ("unjoin", "9001")
    await joining.guild_left(town.chat.services, "9001", town.chat.watch.now)  # told twice
    await joining.reconcile(town.chat.services, {"9002"}, town.chat.watch.now)
    assert await town.joined(DEN)
    await joining.reconcile(town.chat.services, set(), town.chat.watch.now)
    assert await town.joined(DEN) is None


# --- Discord channels' own sessions, settings and pages


async def test_settings_that_make_no_sense_there_are_neither_offered_nor_taken(town: Town) -> None:
    boss = ("boss", Role.BROADCASTER)
    listed = await town.types("/setup", *boss)
    for name in ("help", "link", "profile", "export", "markers", "clips"):
        assert f" {name} " not in listed
        said = await town.types(f"/setup {name} on", *boss)
        assert said.startswith(("There is nothing to switch for", "There are no")), name
    for word in ("subscribers", "vips"):
        assert await town.types(f"/setup who {word}", *boss) == (
            "Say what who should be: /setup who everyone or moderators."
        )
    assert (await town.types("/setup who moderators", *boss)).startswith("Now: who moderators")
    assert "visibility public" in listed


async def private_channel(town: Town, place: Place = CLIPS) -> Channel:
    await town.types("/start Rehearsal", "boss", Role.BROADCASTER, place=place)
    await town.types("/setup visibility private", "boss", Role.BROADCASTER, place=place)
    channel = await town.chat.store.channel(*place[:2])
    assert channel
    return channel


async def test_LINK_1_a_private_discord_channel_gives_its_moderators_links_that_only_they_read(town: Town) -> None:
    await private_channel(town)
    town.guilds.roles["9001", CLIPS.platform_id, "50mod"] = Role.MODERATOR
    reply = await town.reply("/clips", "mod", Role.MODERATOR)
    assert reply
    assert reply.private
    assert "/link/" in reply.text
    assert "/link/" not in await town.types("/clips", "rook")
    # Whom Discord no longer calls a moderator is shown the login, whatever their message said.
    said = await town.types("/export csv", "gone", Role.MODERATOR)
    assert "/link/" not in said
    assert "/login/discord?return=/s/" in said


async def test_LINK_3_a_link_ends_with_its_givers_role_in_the_server(town: Town) -> None:
    await private_channel(town)
    here = ("9001", CLIPS.platform_id, "50mod")
    town.guilds.roles[here] = Role.MODERATOR
    word = (await town.types("/clips", "mod", Role.MODERATOR)).partition("/link/")[2]
    assert (await private_links.redeem(town.chat.services, word)).user_id == "50mod"
    town.guilds.down = True
    with pytest.raises(NotAllowed):
        await private_links.redeem(town.chat.services, word)
    town.guilds.down = False
    await private_links.redeem(town.chat.services, word)
    del town.guilds.roles[here]
    with pytest.raises(NotAllowed):
        await private_links.redeem(town.chat.services, word)


async def test_AZ_3_on_the_site_discord_says_who_moderates_a_channel_of_its_servers(town: Town) -> None:
    channel = await private_channel(town)
    mod, boss = Viewer("discord", "50mod", "Mod"), Viewer("discord", "50boss", "Boss")
    town.guilds.roles["9001", CLIPS.platform_id, "50mod"] = Role.MODERATOR
    town.guilds.roles["9001", CLIPS.platform_id, "50boss"] = Role.BROADCASTER

    async def role(who: Viewer) -> Role:
        return await role_of(town.chat.services, who, channel, act=True)

    assert (await role(mod), await role(boss)) == (Role.MODERATOR, Role.BROADCASTER)
    assert await role(Viewer("discord", "50rook", "Rook")) is Role.VIEWER
    assert await role(Viewer("twitch", "50boss", "Boss")) is Role.VIEWER
    town.guilds.down = True
    assert await role(boss) is Role.VIEWER
    town.guilds.down = False
    await joining.guild_left(town.chat.services, "9001", town.chat.watch.now)
    assert await role(boss) is Role.VIEWER


async def test_nobody_is_a_discord_channel_by_having_its_number(town: Town) -> None:
    channel = await private_channel(town)
    same = Viewer("discord", channel.platform_id, "Same")
    assert await role_of(town.chat.services, same, channel, act=True) is Role.VIEWER
    assert not await private_links.may_issue(town.chat.services, channel, Author("discord", channel.platform_id, ""))


async def test_whose_a_channel_is_is_learnt_once_from_its_moderators_commands(town: Town) -> None:
    await town.types("/help", "rook")
    assert await joined.guild_of(town.chat.store, CLIPS.platform_id) is None
    for _ in range(2):
        await town.types("/help", "mod", Role.MODERATOR)
    assert await joined.guild_of(town.chat.store, CLIPS.platform_id) == "9001"


async def test_who_asks_from_a_channel_that_not_everybody_reads_is_told_that_marks_are_read_elsewhere(
    town: Town,
) -> None:
    boss, guild = Author("discord", "50boss", "Boss"), OWLS._replace(may_manage=True)
    for hidden in (True, False):
        heard = Heard(DISCORD, MUSIC, boss, Role.BROADCASTER, "/setup join", town.chat.watch.now)
        reply = await Dispatcher(town.chat.services).hear(heard._replace(guild=guild, hidden=hidden))
        assert reply
        assert reply.text.startswith("Hand this to the streamer")
        assert reply.aside.startswith("Not everybody in this server can read this channel.") is hidden
