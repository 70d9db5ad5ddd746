"""A channel's own settings: who may change which, in which words, and that each does what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.twitch.translate import TWITCH
from commands.choices import CHOICES, MOST_SECONDS, parse_seconds
from commands.dispatch import Dispatcher
from commands.setup import OTHERS
from moments.errors import ProviderDown
from moments.live import Place
from moments.people import Role
from moments.sessions import Channel, ReplyLevel, Visibility
from providers.twitch.shapes import User
from storage import Transaction, barred, connections, named_moderators
from tests.chat import ROOM, Chat

TWITCH_ROOM = Place("twitch", "4242", "Nightowl")


@dataclass
class Users:
    """What Helix knows of names."""

    known: dict[str, str]
    down: bool = False

    async def users(self, ids: Sequence[str] = (), logins: Sequence[str] = ()) -> list[User]:
        if self.down:
            raise ProviderDown("GET /users: 503")
        began = datetime(2020, 1, 1, tzinfo=UTC)
        return [User(self.known[login], login, login.title(), began) for login in logins if login in self.known]


def on_twitch(chat: Chat, **known: str) -> Users:
    """Make the chat one on Twitch, whose Helix knows these logins."""
    users = Users(known)
    chat.platform = replace(TWITCH, once_seconds=0)
    chat.services = replace(chat.services, twitch=SimpleNamespace(helix=users))  # type: ignore[arg-type]
    chat.dispatcher = Dispatcher(chat.services)
    return users


async def said(chat: Chat, line: str) -> str:
    reply = await chat.hears(line, place=TWITCH_ROOM)
    return reply.text if reply else ""


async def channel(chat: Chat, place: Place = ROOM) -> Channel:
    found = await chat.store.channel(*place[:2])
    assert found is not None
    return found


async def test_setup_alone_lists_the_settings(chat: Chat) -> None:
    assert await chat.says("<@sable> !setup") == (
        "Now: who everyone · cooldown 15 (default) · window 15 (default) · lead 20 (default) · replies full (default)"
        " · names on · visibility public · help off · link off · profile off · export off."
        " Change one like this: !setup cooldown 30"
    )
    assert await chat.store.channel(*ROOM[:2]) is None  # only asking stores nothing


@pytest.mark.parametrize("name", [*CHOICES, *OTHERS, "", "nonsense"])
async def test_AZ_1_viewers_set_nothing_up(chat: Chat, name: str) -> None:
    for role in (Role.VIEWER, Role.SUBSCRIBER, Role.VIP):
        reply = await chat.hears(f"<rook> !setup {name} on", role=role)
        assert reply is not None
        assert reply.text == "Only moderators can use setup."
    assert await chat.store.channel(*ROOM[:2]) is None


@pytest.mark.parametrize(
    "words", ["names off", "visibility private", "moderator rook", "unmoderator rook", "links revoke"]
)
async def test_AZ_1_what_is_the_streamers_own_is_not_the_moderators(live: Chat, words: str) -> None:
    await live.says("<rook> !clip")
    before = await channel(live)
    assert (await live.says(f"<@sable> !setup {words}")).startswith("Not yours to change: only the broadcaster")
    assert await channel(live) == before
    assert (await live.says(f"<~nightowl> !setup {words}")).startswith(("Now", "Not a named", "All signed links"))


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("who everyone", "who_may_mark", Role.VIEWER),
        ("who subscribers", "who_may_mark", Role.SUBSCRIBER),
        ("who vips", "who_may_mark", Role.VIP),
        ("WHO Moderators", "who_may_mark", Role.MODERATOR),
        ("cooldown 30", "cooldown_seconds", 30),
        ("cooldown 30s", "cooldown_seconds", 30),
        ("cooldown 0", "cooldown_seconds", 0),
        ("window 3600", "crowd_window_seconds", 3600),
        ("lead 5", "lead_seconds", 5),
        ("replies brief", "reply_level", ReplyLevel.BRIEF),
        ("replies none", "reply_level", ReplyLevel.NONE),
        ("names off", "names", False),
        ("help on", "bare_commands", frozenset({"help"})),
    ],
)
async def test_each_setting_is_kept_and_said_once(chat: Chat, words: str, field: str, value: object) -> None:
    words, wanted = words.lower(), words
    name, _, word = words.partition(" ")
    await chat.says("<~nightowl> !setup cooldown 20")
    first = await chat.says(f"<~nightowl> !setup {wanted}")
    again = await chat.says(f"<~nightowl> !setup {wanted}")
    told = f"{name} {word}."
    assert (first, again) in ((f"Now: {told}", f"Already so: {told}"), (f"Already so: {told}",) * 2)
    assert getattr((await channel(chat)).settings, field) == value


async def test_a_choice_can_be_taken_back(chat: Chat) -> None:
    for words in ("cooldown 30", "cooldown default", "replies none", "replies default", "help on", "help off"):
        await chat.says(f"<~nightowl> !setup {words}")
    own = (await channel(chat)).settings
    assert (own.cooldown_seconds, own.reply_level, own.bare_commands) == (None, None, frozenset())


@pytest.mark.parametrize(
    "words",
    [
        *("who followers", "who", "cooldown -1", "cooldown 3601", "cooldown १२", "cooldown 1_0", "cooldown ²"),
        *("cooldown 30 please", "cooldown " + "9" * 400, "replies loud", "names maybe", "visibility secret"),
        *("help", "links", "block"),
    ],
)
async def test_TXT_4_what_cannot_be_meant_is_said_and_changes_nothing(chat: Chat, words: str) -> None:
    await chat.says("<~nightowl> !setup lead 20")
    before = await channel(chat)
    reply = await chat.hears(f"<~nightowl> !setup {words}")
    assert reply is not None
    assert reply.kind == "refusal"
    assert "!setup" in reply.text or reply.text.startswith("Say whom")
    assert await channel(chat) == before


@given(st.text(max_size=8))
def test_TXT_4_only_plain_digits_are_seconds(word: str) -> None:
    seconds = parse_seconds(word)
    plain = word.removesuffix("s").removesuffix("S") if len(word) > 1 else word
    if seconds is not None:
        assert set(plain) <= set("0123456789")
        assert 0 <= seconds <= MOST_SECONDS


async def test_an_unknown_word_is_answered_with_what_is_possible(chat: Chat) -> None:
    text = await chat.says("<@sable> !setup colour red")
    assert text.startswith("There is no setting of that name. !setup takes one of: who, cooldown, ")
    assert all(name in text for name in [*CHOICES, *OTHERS])


async def test_the_settings_are_in_force_at_once(live: Chat) -> None:
    await live.says("<rook> !clip")
    await live.says("<@sable> !setup cooldown 2")
    live.passes(2)
    assert (await live.says("<rook> !clip")).startswith("Marked #2")
    await live.says("<@sable> !setup window 1")
    assert (await live.says("<ann> !clip")).endswith("2 people within 1 s")
    await live.says("<@sable> !setup who subscribers")
    assert await live.says("<ben> !clip") == "Only subscribers can mark here."
    assert (await live.hears("<ben> !clip", role=Role.SUBSCRIBER)).text.startswith("Marked #4")  # type: ignore[union-attr]
    await live.says("<@sable> !setup replies none")
    assert await live.says("<cleo> !session") == ""
    assert (await live.says("<@sable> !setup replies full")) == "Now: replies full."


async def test_names_off_takes_them_from_everything_told_of_any_session(live: Chat) -> None:
    await live.says("<rook> !clip")
    old = await live.store.find_session("latest")
    await live.says("<~nightowl> !end")
    await live.says("<~nightowl> !start")
    feed, begun = live.services.feed, live.services.feed.position("nobody").partition("-")[0] + "-0"
    revision = await live.store.revision(old)
    await live.says("<~nightowl> !setup names off")
    assert await live.store.revision(old) > revision
    watcher = feed.watch(old.id, begun)
    assert (await anext(watcher)).kind == "stale"
    await watcher.aclose()
    now = await live.store.session(old.id)
    assert now is not None
    assert [mark.submitted_by for mark in await live.store.marks(now)] == [""]


async def test_visibility_private_is_the_broadcasters(live: Chat) -> None:
    assert await live.says("<~nightowl> !setup visibility private") == "Now: visibility private."
    assert (await channel(live)).visibility is Visibility.PRIVATE
    assert (await live.says("<rook> !clips")).startswith("This channel's pages are private")


async def test_turning_public_says_what_everyone_sees_from_now_on(live: Chat) -> None:
    await live.says("<~nightowl> !setup visibility private")
    assert await live.says("<~nightowl> !setup visibility public") == (
        "Now: visibility public. Everyone sees this channel's pages now, also what was marked while they were private."
    )
    assert await live.says("<~nightowl> !setup visibility public") == "Already so: visibility public."


async def test_delivered_again_a_setting_is_not_set_again(chat: Chat) -> None:
    await chat.says("<@sable> !setup cooldown 30", message_id="m1")
    await chat.says("<@sable> !setup cooldown 40", message_id="m2")
    assert await chat.says("<@sable> !setup cooldown 30", message_id="m1") == ""
    assert (await channel(chat)).settings.cooldown_seconds == 40


# --- people


async def test_a_block_is_by_id_and_outlives_a_new_name(live: Chat) -> None:
    await live.says("<rook> !clip")
    assert await live.says("<@sable> !setup block @ROOK") == 'Now blocked: "rook". No marks of theirs are taken.'
    assert await live.says("<@sable> !setup block rook") == 'Already blocked: "rook". No marks of theirs are taken.'
    live.passes(60)
    assert (await live.says("<rook> !clip")).startswith("The moderators of this channel")
    assert await live.says("<@sable> !setup blocked") == "Now blocked here: rook."
    assert await live.says("<@sable> !setup unblock Rook") == 'Now not blocked: "rook".'
    assert await live.says("<@sable> !setup unblock rook") == 'Not blocked: "rook".'
    assert (await live.says("<rook> !clip")).startswith("Marked #2")
    assert await live.says("<@sable> !setup blocked") == "Now nobody is blocked here."


async def test_nobody_and_two_of_a_name_are_said(live: Chat) -> None:
    assert (await live.says("<@sable> !setup block ghost")).startswith('There is nobody called "ghost" here.')
    for user in ("one", "two"):
        await live.says(f"<{user}> !clip")
    await live.store.run(_call_both_twin, message=None, now=live.watch.now)
    assert (await live.says("<@sable> !setup block twin")).startswith('There are 2 people called "twin" here')


async def _call_both_twin(transaction: Transaction) -> None:
    await transaction.execute("UPDATE account SET display_name = 'Twin'")


async def test_ID_1_on_twitch_a_name_is_whoever_has_it_today(chat: Chat) -> None:
    users = on_twitch(chat, rook="77")
    await said(chat, "<~nightowl> !start")
    assert (await said(chat, "<@sable> !setup block @Rook")).startswith('Now blocked: "Rook"')
    here = await channel(chat, TWITCH_ROOM)
    assert [(row.platform, row.user_id) for row in await barred.listed(chat.store, here)] == [("twitch", "77")]
    users.known = {"rook": "88"}
    assert (await said(chat, "<~nightowl> !setup moderator rook")).startswith("Now a moderator")
    assert await named_moderators.is_named(chat.store, here.id, "twitch", "88")
    assert not await named_moderators.is_named(chat.store, here.id, "twitch", "77")
    users.down = True
    assert (await said(chat, "<~nightowl> !setup moderator wren")).startswith("The service did not do that")
    assert await said(chat, "<~nightowl> !setup unmoderator rook") == (
        'Now no longer a named moderator of this channel\'s pages: "Rook".'
    )
    assert not await named_moderators.is_named(chat.store, here.id, "twitch", "88")
    assert await said(chat, "<@sable> !setup unblock 77") == 'Now not blocked: "Rook".'


async def test_a_long_list_is_cut(chat: Chat) -> None:
    on_twitch(chat, **{f"user{n}": str(n) for n in range(12)})
    for n in range(12):
        chat.passes(1)
        await said(chat, f"<@sable> !setup block user{n}")
    assert (await said(chat, "<@sable> !setup blocked")).endswith("User2 and 2 more.")


# --- Twitch's own


async def test_optional_features_say_which_permission_is_missing(chat: Chat) -> None:
    on_twitch(chat)
    assert await said(chat, "<@sable> !setup markers on") == (
        "Not yours to change: only the broadcaster sets markers here."
    )
    assert await said(chat, "<~nightowl> !setup markers on") == (
        "Now: markers on. It waits for your permission on Twitch, which you give at"
        " http://localhost:8080/twitch/connect"
    )
    assert (await channel(chat, TWITCH_ROOM)).settings.mirror_markers

    async def grant(transaction: Transaction) -> None:
        await connections.connect(
            transaction, TWITCH_ROOM, frozenset({"channel:bot", "channel:manage:clips"}), chat.watch.now
        )

    await chat.store.run(grant, message=None, now=chat.watch.now)
    assert await said(chat, "<~nightowl> !setup clips on") == "Now: clips on."
    assert await said(chat, "<~nightowl> !setup clips off") == "Now: clips off."
    assert (await said(chat, "<~nightowl> !setup markers on")).startswith("Already so: markers on. It waits")


async def test_elsewhere_there_are_none(chat: Chat) -> None:
    assert await chat.says("<~nightowl> !setup clips on") == (
        "There are no clips to switch on here; only channels on Twitch have them."
    )


async def test_help_answers_to_its_bare_name_once_that_is_switched_on(chat: Chat) -> None:
    on_twitch(chat)
    assert await said(chat, "<@sable> !help") == ""
    await said(chat, "<@sable> !setup help on")
    assert (await said(chat, "<@sable> !help")).startswith("You can type")


# --- links


async def test_all_signed_links_are_revoked_together(live: Chat) -> None:
    assert (await live.says("<~nightowl> !setup links")).startswith("Say !setup links revoke")
    assert (await channel(live)).link_epoch == 0
    assert (await live.says("<~nightowl> !setup links revoke")).startswith("All signed links")
    assert (await channel(live)).link_epoch == 1
