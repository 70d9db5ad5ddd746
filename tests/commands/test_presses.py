"""Saving by a button and by a message's menu: whoever presses, once, and never without an answer."""

from dataclasses import replace

import pytest

from commands.model import Guild, Heard, Reply
from commands.pasted import find_own
from commands.presses import MENUS, Form, form_for
from commands.recorded import my_moments
from moments.errors import UsageError
from moments.live import Author, Place
from moments.notes import NOTE_LIMIT
from moments.people import Role
from providers.links import Link, recognise
from storage.retention import RETENTION
from tests.chat import CONSOLE, Chat
from tests.commands.test_recorded import SITE, SONG, VIDEO, merged, without_ids
from tests.commands.test_recorded_rules import TOO_FAST, rows

HERE = Place("discord", "555", "Night Owls › #clips")
DISCORD = replace(CONSOLE, name="discord", cards=True)
GUILD = Guild("777", "Night Owls", may_manage=False)
GONE = "There is no such moment any more: its author may have deleted it. Paste the link of the song or video."


async def presses(
    chat: Chat, who: str, name: str, message_id: str | None = None, guild: Guild | None = GUILD, private: bool = False,
    **options: str,
) -> Reply:  # fmt: skip
    """Whoever it is presses a button, or sends a form."""
    author = Author("discord", f"id of {who}", who)
    heard = Heard(
        DISCORD,
        HERE,
        author,
        Role.VIEWER,
        name,
        chat.watch.now,
        message_id,
        None,
        private,
        options=options,
        guild=guild,
    )
    reply = await chat.dispatcher.hear(heard)
    assert reply is not None
    return reply


async def first(chat: Chat, note: str = "that drop!", part: str = "0:45-1:00") -> str:
    """Somebody's moment, by its id."""
    chat.passes(60)
    await chat.says(f"<ann> !moment {VIDEO} {part} {note}")
    return str((await chat.store.fetch("SELECT public_id FROM save ORDER BY id DESC"))[0][0])


async def test_a_press_saves_the_same_part_for_whoever_pressed_without_a_word_of_the_authors(chat: Chat) -> None:
    moment = await first(chat)
    reply = await presses(chat, "rook", "save", moment=moment)
    assert without_ids(reply.text) == f"Moment 0:45–1:00 · Saved by 2 people · {SITE}/m/ID"
    assert reply.card is not None
    assert (reply.card.head, reply.card.moment, reply.card.note) == (
        "0:45–1:00 · Saved by 2 people",
        moment,
        "that drop!",
    )
    (kept,) = (await my_moments(chat.services, Author("discord", "id of rook", "rook"))).moments
    assert (kept.start_seconds, kept.end_seconds, kept.note, kept.private) == (45, 60, "", False)
    assert kept.url == "https://www.youtube.com/watch?v=jNQXAC9IVRw&t=45s"
    assert (await chat.store.fetch("SELECT origin FROM save ORDER BY id DESC"))[0][0] == "discord:555"


async def test_two_who_press_count_twice_one_who_presses_twice_once(chat: Chat) -> None:
    moment = await first(chat)
    for who, people in (("rook", 2), ("sable", 3)):
        assert f"Saved by {people} people" in (await presses(chat, who, "save", moment=moment)).text
    chat.passes(60)
    again = await presses(chat, "sable", "save", moment=moment)
    assert (again.text, again.private, again.kind) == (
        "You have saved this part already. Saved by 3 people.",
        True,
        "refusal",
    )
    assert await rows(chat) == 3


async def test_the_same_press_delivered_again_is_answered_as_the_first_time(chat: Chat) -> None:
    moment = await first(chat)
    once = await presses(chat, "rook", "save", "i1", moment=moment)
    assert await presses(chat, "rook", "save", "i1", moment=moment) == once
    assert await rows(chat) == 2


async def test_whoever_saved_about_the_same_on_another_service_has_it_already(chat: Chat) -> None:
    await merged(chat, ("youtube", "jNQXAC9IVRw"), ("deezer", "3135556"))
    moment = await first(chat)
    await presses(chat, "rook", "form-save", message="1-2", url=SONG, range="0:46-1:01")
    chat.passes(60)
    assert (await presses(chat, "rook", "save", moment=moment)).text.startswith("You have saved this part already. ")
    chat.passes(60)
    other = await first(chat, part="0:49-1:04")
    pressed = await presses(chat, "rook", "save", moment=other)
    assert ("Moved your earlier save 0:46–1:01" in pressed.text, pressed.aside) == (True, "")


async def test_what_has_no_place_on_a_card_is_said_beside_it(chat: Chat) -> None:
    saved = {"message": "1-2", "url": VIDEO, "range": "0:45-1:00"}
    assert (await presses(chat, "rook", "form-save", **saved)).aside == ""  # type: ignore[arg-type]  # as below
    chat.passes(60)
    moved = await presses(chat, "rook", "form-save", message="1-3", url=VIDEO, range="0:46-1:01", note="x" * 300)
    assert moved.card is not None
    assert moved.aside == f"Moved your earlier save 0:45–1:00 · note cut to {NOTE_LIMIT} characters."
    chat.passes(60)
    cut = await presses(chat, "sable", "form-save", message="1-4", url=VIDEO, range="0:46-1:01", note="x" * 300)
    assert cut.aside == f"Note cut to {NOTE_LIMIT} characters."


async def test_a_press_under_the_best_part_saves_that_and_shows_its_card_again(chat: Chat) -> None:
    await first(chat)
    (track,) = [row[0] for row in await chat.store.fetch("SELECT public_id FROM track")]
    reply = await presses(chat, "rook", "save", moment=f"t/{track} 45-60")
    assert "Saved by 2 people" in reply.text
    assert reply.card is not None
    assert (reply.card.head, reply.card.moment) == ("0:45–1:00 · Saved by 2 people", "")
    assert reply.card.lines[0] == "“\u2068that drop!\u2069”"


async def test_what_is_gone_is_said_kindly(chat: Chat) -> None:
    moment = await first(chat)
    await chat.says("<ann> !forgetme")
    await chat.says("<ann> !forgetme")
    for what in (moment, "nobodys", "t/nobodys 45-60"):
        assert (await presses(chat, "rook", "save", moment=what)).text == GONE
    assert await rows(chat) == 0


@pytest.mark.parametrize("argument", ["", "a b", "../x", "t/x", "t/x 60", "t/x 1234567-2", "m/x", "x" * 65, "\ud800"])
async def test_PLAT_5_what_no_button_of_ours_says_is_refused_in_words(chat: Chat, argument: str) -> None:
    reply = await presses(chat, "rook", "save", moment=argument)
    assert (reply.kind, await rows(chat)) == ("refusal", 0)
    assert "broke" not in reply.text


async def test_a_press_keeps_the_pace_of_its_place(chat: Chat) -> None:
    moment, other = await first(chat), await first(chat, part="3:00-3:10")
    await presses(chat, "rook", "save", moment=moment)
    reply = await presses(chat, "rook", "save", moment=other)
    assert (reply.text, reply.private) == (f"{TOO_FAST}15 seconds.", True)
    assert await rows(chat) == 3


# --- from a message


async def test_a_form_saves_with_the_link_to_the_message_which_its_author_alone_sees(chat: Chat) -> None:
    reply = await presses(
        chat, "rook", "form-save", "i1", message="555-9001", url=f" {VIDEO} ", range="0:45-1:00", note="that drop!"
    )
    assert without_ids(reply.text) == f"Moment 0:45–1:00 · Saved by 1 person · {SITE}/m/ID"
    assert reply.card is not None
    assert (reply.card.note, "9001" in repr(reply)) == ("that drop!", False)
    there = "https://discord.com/channels/777/555/9001"
    (kept,) = (await my_moments(chat.services, Author("discord", "id of rook", "rook"))).moments
    assert (kept.message_url, kept.url, kept.note) == (there, VIDEO, "that drop!")
    mine = await presses(chat, "rook", "mymoments")
    assert f"(from {there})" in mine.text
    assert mine.private
    assert "9001" not in (await presses(chat, "ann", "best", url=VIDEO)).text
    assert "save.message_url" in [column for kept in RETENTION for column in kept.columns]


@pytest.mark.parametrize(
    ("guild", "there"),
    [
        (None, "@me"),
        (GUILD._replace(has_bot=False), "777"),
        (GUILD._replace(id="777/../../evil"), "@me"),
    ],
)
async def test_where_a_message_is_is_built_from_ids_alone(chat: Chat, guild: Guild | None, there: str) -> None:
    await presses(
        chat, "rook", "form-save", guild=guild, private=True, message="5-6", url=VIDEO, range="45-60", note="x"
    )
    (kept,) = (await my_moments(chat.services, Author("discord", "id of rook", "rook"))).moments
    assert (kept.message_url, kept.private) == (f"https://discord.com/channels/{there}/5/6", True)


@pytest.mark.parametrize(
    ("filled", "says"),
    [
        ({"message": "5-x", "url": VIDEO, "range": "45-60"}, "Say which message"),
        ({"message": "https://evil.example/1-2", "url": VIDEO, "range": "45-60"}, "Say which message"),
        ({"message": "5-6", "url": "", "range": "45-60"}, "Paste a link"),
        ({"message": "5-6", "url": "evil.example", "range": "45-60"}, "Paste a link"),
        ({"message": "5-6", "url": VIDEO, "range": ""}, "Say from when to when"),
        ({"message": "5-6", "url": VIDEO, "range": "1:00-0:45"}, "That ends before it starts"),
        ({"url": VIDEO, "range": "45-60"}, "Say which message"),
    ],
)
async def test_a_form_that_cannot_be_used_is_refused_in_words(chat: Chat, filled: dict[str, str], says: str) -> None:
    reply = await presses(chat, "rook", "form-save", **filled)  # type: ignore[arg-type]  # none is named like another
    assert reply.text.startswith(says)
    assert (reply.private, await rows(chat)) == (True, 0)


def fields(form: Form) -> dict[str, str]:
    return {field.name: field.value for field in form.fields}


@pytest.mark.parametrize(
    ("text", "link", "part"),
    [
        (f"listen to {VIDEO}!!", VIDEO, ""),
        (f"<{VIDEO}?t=45>", f"{VIDEO}?t=45", ""),
        (f"[this]({VIDEO}?start=45&end=60) is it", f"{VIDEO}?start=45&end=60", "0:45–1:00"),
        (f"||{SONG}||", SONG, ""),
        (f"**{SONG}**", SONG, ""),
        (f"https://evil.example/x {SONG} {VIDEO}", SONG, ""),
        ("https://link.deezer.com/s/30abc", "https://link.deezer.com/s/30abc", ""),
        ("spotify:track:4uLU6hMCjMI75M1A2tKUQC", "spotify:track:4uLU6hMCjMI75M1A2tKUQC", ""),
        (f"see {SITE}/m/abc", f"{SITE}/m/abc", ""),
    ],
)
def test_the_form_begins_with_the_first_link_of_the_message(text: str, link: str, part: str) -> None:
    (menu,) = MENUS
    form = menu.form_for(text, SITE)
    assert (form.press, form.title) == (menu.form, "Save moment")
    assert fields(form) == {"url": link, "range": part, "note": ""}
    assert all(len(field.label) <= 45 and len(field.value) <= field.longest for field in form.fields)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no link", "https://evil.example/jNQXAC9IVRw", "https://youtu.be/x", f"{SITE}/s/abc", "https://[::1/"),
        *("x" * 9000, "https://evil.example " * 21 + VIDEO, "https://" * 2000),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_message_without_a_link_is_answered_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="That message has no link of a song or video that Moments knows"):
        form_for(text, SITE)


# --- our own pages as links


@pytest.mark.parametrize(
    "word",
    ["m/{m}", f"{SITE}/m/{{m}}", f"<{SITE}/m/{{m}}>", f" {SITE.upper()}/m/{{m}}?utm=x#y ", "localhost:8080/m/{m}/"],
)
async def test_a_moments_own_page_means_its_recording_and_its_part(chat: Chat, word: str) -> None:
    text = word.format(m=await first(chat))
    assert "0:45–1:00 · Saved by 2 people" in without_ids(await chat.says(f"<rook> !moment {text}"))
    chat.passes(60)
    assert "2:00–2:10 · Saved by 1 person" in await chat.says(f"<rook> !moment {text} 2:00-2:10")
    assert await chat.says(f"!best {text}") == await chat.says(f"!best {VIDEO}")
    assert "Saved by 2 people · 0:45–1:00" in await chat.says(f"!saved {text}")


async def test_a_tracks_own_page_means_its_recording(chat: Chat) -> None:
    await first(chat)
    (track,) = [row[0] for row in await chat.store.fetch("SELECT public_id FROM track")]
    for text in (f"t/{track}", f"{SITE}/t/{track}"):
        assert await chat.says(f"!best {text}") == await chat.says(f"!best {VIDEO}")
        assert await chat.says(f"<rook> !moment {text}") == "Say from when to when, for example 0:45-1:00."
    assert await chat.says(f"!best {SITE}/t/nobodys") == GONE
    assert (await chat.says(f"!best s/{track}")).startswith("Paste a link")
    assert (await chat.says(f"!best https://evil.example/t/{track}")).startswith("Paste a link")


async def test_what_a_link_needs_besides_comes_along_where_it_was_pasted_in_public(chat: Chat) -> None:
    unlisted = "https://vimeo.com/235352744/abcdef0123"
    await chat.says(f"<ann> !moment {unlisted} 0:45-1:00")
    ((moment,),) = await chat.store.fetch("SELECT public_id FROM save")
    await presses(chat, "rook", "save", moment=moment)
    ((url,),) = await chat.store.fetch("SELECT url FROM save ORDER BY id DESC LIMIT 1")
    found = recognise(url)
    assert isinstance(found, Link)
    assert found.beside == "abcdef0123"


def test_no_service_has_links_that_look_like_ours() -> None:
    assert find_own(SITE, VIDEO) is None
    assert find_own(SITE, f"{SITE}/m/") is None
    assert find_own(SITE, f"{SITE}.evil.example/m/x") is None
