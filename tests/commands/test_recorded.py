"""Saving parts of songs and videos from a chat, and asking what others saved: what is answered."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.console import CONSOLE
from bot.twitch.translate import TWITCH
from commands.model import Heard, Platform
from commands.services import Services
from moments.errors import BadLink
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import ReplyLevel
from providers.links import Link, ShortLink
from storage import Transaction, sources, tracks
from storage.rows import Row
from storage.sources import State, Told
from tests.chat import Chat

VIDEO = "https://youtu.be/jNQXAC9IVRw"
SONG = "https://www.deezer.com/track/3135556"
APPLE = "https://music.apple.com/us/song/1440841730"
SPOTIFY = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
SHORT = "https://link.deezer.com/s/30abc"
SITE = "http://localhost:8080"
TWITCH_ROOM = Place("twitch", "4242", "Nightowl")
LOUD = replace(TWITCH, default_level=ReplyLevel.FULL)


async def on_twitch(
    chat: Chat, text: str, name: str = "rook", platform: Platform = TWITCH, message_id: str | None = None
) -> str:
    """What is said there, empty when nothing is."""
    author = Author("twitch", f"id of {name}", name)
    heard = Heard(platform, TWITCH_ROOM, author, Role.VIEWER, text, chat.watch.now, message_id)
    reply = await chat.dispatcher.hear(heard)
    return reply.text if reply else ""


async def learn(chat: Chat, provider: str, media_id: str, **told: object) -> None:
    """Let a service have told something, for a day."""
    now = chat.watch.now
    facts = Told(provider, media_id, now, now + timedelta(days=1), **told)  # type: ignore[arg-type]
    await chat.store.run(lambda transaction: sources.put(transaction, facts), message=None, now=now)


async def merged(chat: Chat, one: tuple[str, str], other: tuple[str, str]) -> None:
    """Let two things be the same song."""
    now = chat.watch.now

    async def job(transaction: Transaction) -> None:
        pair = [await tracks.open_source(transaction, *thing, "track", now) for thing in (one, other)]
        await tracks.merge(transaction, pair[0], pair[1], "isrc", 100, (), "test", now)

    await chat.store.run(job, message=None, now=now)


def without_ids(text: str) -> str:
    """The reply with the names nobody can guess as `ID`."""
    return re.sub(r"/([mt])/\w{22}\b", r"/\1/ID", text)


# --- moment


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (f"{VIDEO} 0:45-1:00 that drop!", "0:45–1:00"),
        (f"{VIDEO} 0:45+15", "0:45–1:00"),
        (f"{VIDEO} 0:45 to 1:00", "0:45–1:00"),
        (f"<{VIDEO}> 45s → 1m", "0:45–1:00"),
        (f"{VIDEO}?t=45 15 what a drop", "0:45–1:00"),
        (f"{VIDEO}?t=45 2:00-2:10", "2:00–2:10"),
        (f"{VIDEO}?start=45&end=60", "0:45–1:00"),
        (f"{VIDEO}?start=45&end=60 what a drop", "0:45–1:00"),
        (f"{SONG} 1:02:03–1:02:20", "1:02:03–1:02:20"),
    ],
)
async def test_a_save_says_its_part_its_count_and_its_page(chat: Chat, typed: str, part: str) -> None:
    reply = await chat.hears(f"<rook> !moment {typed}")
    assert reply is not None
    assert without_ids(reply.text) == f"Moment {part} · Saved by 1 person · {SITE}/m/ID"
    assert reply.kind == "marked"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("", "Say the link of a song or video: !moment url."),
        ("0:45-1:00", "Paste a link that starts with https://, from one of: YouTube, Spotify, "),
        ("https://youtu.evil.example/jNQXAC9IVRw 0:45-1:00", "Paste a link that starts with https://"),
        ("https://www.youtube.com/@jawed 0:45-1:00", "That is a channel or a list: open the video you mean"),
        ("https://youtu.be/x 0:45-1:00", "That YouTube link names no single video or track: paste one like "),
        (VIDEO, "Say from when to when, for example 0:45-1:00."),
        (f"{VIDEO} that drop", "Say from when to when, for example 0:45-1:00."),
        (f"{VIDEO} 1:00-0:45", "That ends before it starts: try 0:45-1:00."),
        (f"{VIDEO} 0:45-0:45", "That ends where it starts: try 0:45-1:00."),
        (f"{VIDEO} 0:45", "Say where it ends too, for example 0:45-1:00."),
        (f"{VIDEO} 1:5-1:20", "Write two digits after each colon, for example 1:05-1:20."),
        (f"{VIDEO}?t=45", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        (f"{VIDEO} 0:45-999999:00", "Times go up to 168 hours"),
        (f"{SHORT} 0:45-1:00", "Short links cannot be followed here: open it and paste the address it leads to."),
    ],
)
async def test_a_refusal_says_what_to_type_instead_and_nothing_is_kept(chat: Chat, typed: str, answer: str) -> None:
    reply = await chat.hears(f"<rook> !moment {typed}")
    assert reply is not None
    assert reply.text.startswith(answer), reply.text
    assert (reply.private, reply.kind) == (True, "refusal")
    assert await chat.store.fetch("SELECT id FROM save") == []
    assert (await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00")).startswith("Moment"), "the refused one counted"


async def test_beyond_the_end_is_refused_when_the_length_is_known(chat: Chat) -> None:
    await learn(chat, "youtube", "jNQXAC9IVRw", duration_seconds=59)
    reply = await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00")
    assert reply == "That is beyond the end: it lasts 00:00:59."
    assert (await chat.says(f"<rook> !moment {VIDEO} 0:45-0:59")).startswith("Moment 0:45–0:59 ")


async def test_a_later_save_moves_the_earlier_and_says_from_where(chat: Chat) -> None:
    await chat.says(f"<rook> !moment {VIDEO} 0:44-0:59")
    chat.passes(15)
    answer = f"Moment 0:45–1:00 · Saved by 1 person · Moved your earlier save 0:44–0:59 · {SITE}/m/ID"
    assert without_ids(await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00")) == answer
    chat.passes(15)
    again = without_ids(await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00 louder"))
    assert again == f"Moment 0:45–1:00 · Saved by 1 person · {SITE}/m/ID", "the same part has not moved"
    chat.passes(15)
    await chat.says(f"<rook> !moment {VIDEO} 0:50-1:05")
    chat.passes(15)
    both = without_ids(await chat.says(f"<rook> !moment {VIDEO} 0:48-1:02"))
    assert both == f"Moment 0:48–1:02 · Saved by 1 person · Moved your earlier saves 0:50–1:05, 0:45–1:00 · {SITE}/m/ID"


async def test_a_long_note_is_cut_with_a_notice(chat: Chat) -> None:
    reply = await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00 {'o' * 101}")
    assert without_ids(reply) == f"Moment 0:45–1:00 · Saved by 1 person · note cut to 100 characters · {SITE}/m/ID"
    assert (await chat.store.fetch("SELECT note FROM save"))[0][0] == "o" * 100


async def test_three_people_on_two_platforms_and_three_services_saved_the_same_part(chat: Chat) -> None:
    await merged(chat, ("youtube", "jNQXAC9IVRw"), ("deezer", "3135556"))
    await merged(chat, ("deezer", "3135556"), ("apple_music", "1440841730"))
    assert "Saved by 1 person " in await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00 that drop!")
    assert "Saved by 2 people " in await on_twitch(chat, f"!moment {SONG} 0:45-1:00", "ann")
    assert "Saved by 3 people " in await on_twitch(chat, f"!moment {APPLE} 0:46-1:01", "ben")
    for url in (VIDEO, SONG, APPLE):
        answer = f"Saved by 3 people · 0:45–1:00 · {SITE}/t/ID"
        assert without_ids(await chat.says(f"!saved {url} 0:45-1:00")) == answer
        assert "0:45–1:00 · Saved by 3 people" in await chat.says(f"!best {url}")
    await chat.says("<rook> !forgetme")
    await chat.says("<rook> !forgetme")
    assert "Saved by 2 people " in await chat.says(f"!saved {VIDEO} 0:45-1:00")
    assert "that drop!" not in await chat.says(f"!best {VIDEO}")


async def test_forgetting_counts_saved_moments_and_says_so(chat: Chat) -> None:
    await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00")
    asks = await chat.says("<rook> !forgetme")
    assert asks.startswith("This deletes your 1 saved moment everywhere, for good.")
    assert await chat.says("<rook> !forgetme") == "Forgotten: 1 saved moment and 1 account are gone."
    assert await chat.says(f"!saved {VIDEO} 0:45-1:00") != ""
    assert await chat.store.fetch("SELECT id FROM save") == []


# --- titles


async def test_a_title_is_said_while_it_may_be(chat: Chat) -> None:
    await learn(chat, "youtube", "jNQXAC9IVRw", title="Me at the zoo")
    await chat.says(f"<ann> !moment {VIDEO} 0:03-0:09")
    answer = f'Moment "Me at the zoo" 0:03–0:09 · Saved by 2 people · {SITE}/m/ID'
    assert without_ids(await chat.says(f"<rook> !moment {VIDEO} 0:03-0:09")) == answer
    assert await chat.says(f"!saved {VIDEO} 0:03-0:09") != ""
    chat.passes(86_400)
    assert "zoo" not in await chat.says(f"!saved {VIDEO} 0:03-0:09")
    assert "Saved by 2 people" in await chat.says(f"!saved {VIDEO} 0:03-0:09")


@pytest.mark.parametrize("state", [State.GONE, State.PRIVATE])
async def test_what_is_gone_or_private_has_no_title(chat: Chat, state: State) -> None:
    await learn(chat, "youtube", "jNQXAC9IVRw", title="Me at the zoo", state=state)
    assert "zoo" not in await chat.says(f"<rook> !moment {VIDEO} 0:03-0:09")


async def test_LEG_2_spotifys_words_are_never_in_a_line_of_chat(chat: Chat) -> None:
    await learn(chat, "spotify", "4uLU6hMCjMI75M1A2tKUQC", title="Secret Song")
    for text in (f"<rook> !moment {SPOTIFY} 0:45-1:00", f"!saved {SPOTIFY}", f"!best {SPOTIFY}", "<rook> !mymoments"):
        said = await chat.says(text)
        assert "0:45–1:00" in said
        assert "Secret" not in said


async def test_CHAT_4_a_hostile_title_leaves_the_reply_short_and_its_links_hidden(chat: Chat) -> None:
    chat.platform = LOUD
    title = "`end` see evil.example \u05d0\r\n@everyone " + "x" * 600
    await learn(chat, "youtube", "jNQXAC9IVRw", title=title)
    said = await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00", platform=LOUD)
    assert said.startswith('Moment "\u2068`\u2060end` see [link]')
    assert "@everyone" not in said
    assert re.search(rf"Saved by 1 person · {SITE}/m/\w{{22}}$", said)


# --- saved, best, mymoments


async def test_saved_counts_the_part_asked_for_the_links_own_or_else_the_most_saved(chat: Chat) -> None:
    for name in ("ann", "ben"):
        await chat.says(f"<{name}> !moment {VIDEO} 0:45-1:00")
    await chat.says(f"<rook> !moment {VIDEO} 2:00-2:10")
    table = {
        f"{VIDEO} 0:45-1:00": f"Saved by 2 people · 0:45–1:00 · {SITE}/t/ID",
        f"{VIDEO} 0:47-1:02 please": f"Saved by 2 people · 0:47–1:02 · {SITE}/t/ID",
        f"{VIDEO}?start=120&end=130": f"Saved by 1 person · 2:00–2:10 · {SITE}/t/ID",
        f"{VIDEO}?t=45 15s": f"Saved by 2 people · 0:45–1:00 · {SITE}/t/ID",
        VIDEO: f"Most saved: 0:45–1:00 · Saved by 2 people · {SITE}/t/ID",
        f"{VIDEO}?t=99": f"Most saved: 0:45–1:00 · Saved by 2 people · {SITE}/t/ID",
        f"{VIDEO} 3:00-3:10": "Nobody has saved 3:00–3:10 of this yet. Type !moment and the link to be first.",
        f"{SONG} 0:45-1:00": "Nobody has saved 0:45–1:00 of this yet. Type !moment and the link to be first.",
        SONG: "Nobody has saved a part of this yet. Type !moment, the link and a range like 0:45-1:00 to be first.",
        f"{VIDEO} 1:00-0:45": "That ends before it starts: try 0:45-1:00.",
    }
    assert {typed: without_ids(await chat.says(f"!saved {typed}")) for typed in table} == table


async def test_the_best_part_comes_with_where_it_plays_and_what_was_said(chat: Chat) -> None:
    assert (await chat.says(f"!best {VIDEO}")).startswith("Nobody has saved a part of this yet. ")
    for name in ("ann", "ben", "cat", "dan"):
        await chat.says(f"<{name}> !moment {VIDEO} 0:45-1:00 by {name}")
    await chat.says(f"<rook> !moment {VIDEO} 2:00-2:10 elsewhere")
    plays = "https://www.youtube.com/watch?v=jNQXAC9IVRw&t=45s"
    best = f'Best part: 0:45–1:00 · Saved by 4 people · {plays} · "by dan" · "by cat" · "by ben"'
    assert await chat.says(f"!best {VIDEO}") == best
    await chat.says(f"<eve> !moment {VIDEO} 0:45-1:00")
    assert "Saved by 5 people" in await chat.says(f"!best {VIDEO}"), "it was worked out before that save"


async def test_a_link_too_long_for_chat_is_our_own_page(chat: Chat) -> None:
    url = f"https://soundcloud.com/{'a' * 200}/{'b' * 200}"
    await chat.says(f"<ann> !moment {url} 0:45-1:00")
    assert without_ids(await chat.says(f"!best {url}")).endswith(f" · {SITE}/t/ID")


async def test_brief_repeats_nobodys_words(chat: Chat) -> None:
    assert "capybara" not in await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00 capybara")
    assert "capybara" not in await on_twitch(chat, f"!best {VIDEO}")
    chat.passes(31)
    assert '· "capybara"' in await on_twitch(chat, f"!best {VIDEO}", platform=LOUD)


@pytest.mark.parametrize(
    "note", ["evil.com", "`end` !end", "@everyone hi", "\u202eevil", "a\r\n!end", "x" * 3000, "👨‍👩‍👧‍👦" * 90]
)
async def test_CHAT_3_CHAT_4_hostile_notes_are_no_links_commands_or_pings_and_ours_stay(chat: Chat, note: str) -> None:
    for name in ("ann", "ben", "cat"):
        await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00 {note}", name, LOUD)
    said = await on_twitch(chat, f"!best {VIDEO}", platform=LOUD)
    assert said.startswith(
        "Best part: 0:45–1:00 · Saved by 3 people · https://www.youtube.com/watch?v=jNQXAC9IVRw&t=45s · "
    )
    assert len(said) <= 500
    assert not re.search(r"evil\.com|`end`|@everyone|[\r\n\u202e]", said)


async def test_CHAT_3_a_refused_link_is_not_repeated_and_our_example_is_whole(chat: Chat) -> None:
    said = await on_twitch(chat, "!moment https://www.youtube.com/watch?v=evil.example 0:45-1:00")
    assert said.endswith("paste one like https://youtu.be/jNQXAC9IVRw")
    assert "evil" not in said
    chat.passes(31)
    assert "https://, from one of" in await on_twitch(chat, "!moment evil.example 0:45-1:00")


async def test_mymoments_lists_ones_newest_where_nobody_reads_along(chat: Chat) -> None:
    empty = "You have saved no moment yet. Type !moment, a link and a range like 0:45-1:00."
    assert await chat.says("<rook> !mymoments") == empty
    await learn(chat, "deezer", "3135556", title="Harder")
    for second in (1, 2, 3, 4):
        await chat.says(f"<rook> !moment {SONG} {second}:00-{second}:10")
        await chat.says(f"<ann> !moment {SONG} 9:00-9:10")
        chat.passes(15)
    reply = await chat.hears("<rook> !mymoments")
    assert reply is not None
    assert reply.private
    newest = [f'"Harder" {minute}:00–{minute}:10 {SITE}/m/ID' for minute in (4, 3, 2)]
    assert without_ids(reply.text) == f"Your newest: {' · '.join(newest)} · All: {SITE}/me"


async def test_LINK_1_on_twitch_mymoments_answers_with_a_page_that_asks_for_a_login(chat: Chat) -> None:
    await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00 secret")
    assert await on_twitch(chat, "!mymoments") == f"Your moments are on your own page; log in there: {SITE}/me"


async def test_on_twitch_the_same_question_is_answered_once_in_half_a_minute_and_every_save(chat: Chat) -> None:
    assert await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00", "ann")
    assert await on_twitch(chat, f"!moment {VIDEO} 0:45-1:00", "ben")
    assert await on_twitch(chat, f"!saved {VIDEO}", "ann")
    assert await on_twitch(chat, f"!saved {VIDEO}", "ben") == ""
    assert await on_twitch(chat, f"!best {VIDEO}", "ben")


async def test_the_console_knows_all_four(chat: Chat) -> None:
    chat.platform = CONSOLE
    listed = await chat.says("!help")
    assert all(f" !{name}," in listed for name in ("moment", "saved", "best", "mymoments"))
    assert (await chat.says("!help moment")).startswith(
        "Type !moment url [range] [note] — Save a part of a song or video."
    )


# --- what lies behind


class Followed:
    """Stands for the follower of short links: leads where it is told to."""

    def __init__(self, link: Link | None) -> None:
        self.link = link
        self.asked: list[tuple[str, str]] = []

    async def follow(self, short: ShortLink, person: str) -> Link:
        """The link, or what is said when there is none."""
        self.asked.append((short.url, person))
        if self.link is None:
            raise BadLink("That short link could not be followed: open it and paste the address it leads to.")
        return self.link


def with_services(chat: Chat, **more: object) -> Services:
    """Let the chat's commands lean on something else, too."""
    chat.services = replace(chat.services, **more)  # type: ignore[arg-type]
    chat.dispatcher._services = chat.services
    return chat.services


async def test_short_links_are_followed_where_somebody_follows_them(chat: Chat) -> None:
    followed = Followed(Link("deezer", "3135556", "track"))
    with_services(chat, short_links=followed)
    assert "Saved by 1 person" in await chat.says(f"<rook> !moment {SHORT} 0:45-1:00")
    assert "Saved by 1 person" in await chat.says(f"<rook> !saved {SONG} 0:45-1:00")
    assert followed.asked == [(SHORT, "console:rook")]
    followed.link = None
    assert (await chat.says(f"<ann> !best {SHORT}")).startswith("That short link could not be followed: ")


class Wanting:
    """Stands for the enricher."""

    def __init__(self, error: Exception | None = None) -> None:
        self.links: list[Link] = []
        self.error = error

    def wanted(self, link: Link) -> None:
        """Remember it, or fail."""
        self.links.append(link)
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, RuntimeError("the queue burst")])
async def test_what_is_saved_is_wanted_and_a_save_never_fails_for_it(chat: Chat, error: Exception | None) -> None:
    wanting = Wanting(error)
    with_services(chat, enricher=wanting)
    await chat.says(f"<rook> !moment {VIDEO} 1:00-0:45")
    await chat.says(f"<rook> !saved {VIDEO} 0:45-1:00")
    assert wanting.links == []
    assert "Saved by 1 person" in await chat.says(f"<rook> !moment {VIDEO} 0:45-1:00")
    assert wanting.links == [Link("youtube", "jNQXAC9IVRw", "video")]


async def test_many_who_ask_for_the_best_part_share_one_answer(chat: Chat) -> None:
    await chat.says(f"<ann> !moment {VIDEO} 0:45-1:00")
    asked: list[str] = []
    store = chat.store

    class Counting:
        async def fetch(self, sql: str, *parameters: object) -> list[Row]:
            asked.append(sql)
            return await store.fetch(sql, *parameters)

    track = await tracks.of_source(store, "youtube", "jNQXAC9IVRw")
    assert track is not None
    best = chat.services.best
    found = await asyncio.gather(*(best.of(Counting(), track) for _ in range(20)))
    assert await best.of(Counting(), track) == found[0]
    assert len(asked) == 1
    await best.of(Counting(), track._replace(version=track.version + 1))
    assert len(asked) == 2
    assert all(parts == found[0] for parts in found)
