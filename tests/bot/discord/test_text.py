"""People's words in Discord are words, whatever Discord would make of them."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.discord.text import discord_text, rendered
from moments.notes import clean_note, isolate
from tests.bot.discord.markdown import seen

SITE = "https://moments.example"
HOSTILE = (
    "**b** *i* _i_ __u__ ~~s~~",
    "||spoiler||",
    "`code` ``more`` ```\nblock```",
    "[free nitro](https://evil.example)",
    "[x](<https://evil.example>)",
    "<https://evil.example>",
    "<t:0:R> <t:1618953630>",
    "</clip:123456789012345678>",
    "<:a:1> <a:b:2>",
    "<@1> <@!1> <@&1> <#1>",
    "<id:guide> <id:browse>",
    "https://evil.example/x_y_z HTTPS://EVIL.EXAMPLE",
    "discord.gg/abcdef discord.com/invite/abc discord.gift/xyz",
    "http://localhost:8080.evil.example",
    "steam://run/1 discord://x/y javascript://evil",
    "# heading",
    "### heading",
    "-# small",
    "> quote",
    ">>> quote",
    "- list",
    "  * list",
    "1. list",
    "\u200b# heading",
    ":smile: :100: x:+1: 1:100:2",
    "@everyone @here @silent",
    "back\\slash \\* \\\\* \\",
    "¯\\_(ツ)_/¯",
    "a\n# b\r\n- c\u2028> d",
    "*" * 300,
    "5 * 3 * 2 and snake_case_name_",
    "(no link) [nor this] 2/3",
    "at 1:02:03, 0:45–1:00: wow",
    "@",
    "",
)


def plain(words: str) -> str:
    """What must be seen: the words on one line; what nobody sees does not count."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", words).replace("\u200b", "")


def check(words: str) -> None:
    sent = discord_text(words, 10_000)
    shown, entities = seen(sent)
    assert entities == ()
    assert shown.replace("\u200b", "") == plain(words)


@pytest.mark.parametrize("words", HOSTILE)
def test_CHAT_2_words_are_seen_as_they_were_typed_and_as_nothing_else(words: str) -> None:
    check(words)


@pytest.mark.parametrize("words", [words for words in HOSTILE[:27] if "slash" not in words])
def test_our_model_of_discord_finds_something_in_all_of_them(words: str) -> None:
    assert seen(words.replace("\u200b", "")).entities


@settings(max_examples=1_000)
@given(st.text(alphabet=st.one_of(st.sampled_from("*_~`|<>[]():/\\@#-+. \n!&0189abegt"), st.characters()), max_size=80))
@example("<t:0:R>")
@example("x :a:")
def test_CHAT_2_whatever_is_typed_is_seen_so(words: str) -> None:
    check(words)


@given(st.lists(st.sampled_from(HOSTILE), max_size=4).map(" ".join))
def test_CHAT_2_several_of_them_together_are_seen_so_too(words: str) -> None:
    check(words)


@given(
    st.lists(st.sampled_from([*HOSTILE, "👨‍👩‍👧‍👦", "Z" + "\u0321" * 8, "مرحبا", "x"]), max_size=60),
    st.integers(1, 300),
)
def test_CHAT_2_what_does_not_fit_is_cut_before_it_is_escaped(parts: list[str], longest: int) -> None:
    words = clean_note(" ".join(parts), 1_000).text
    sent = discord_text(words, longest)
    assert len(sent) <= longest
    shown, entities = seen(sent)
    assert entities == ()
    kept = shown.replace("\u200b", "")
    if kept != plain(words):
        assert kept.endswith("…")
        assert plain(words).startswith(kept[:-1])


def test_CHAT_2_a_cut_takes_whole_characters_and_as_many_as_fit() -> None:
    assert discord_text("*" * 100, 20) == "\\*" * 9 + "…"
    family = "👨‍👩‍👧‍👦"
    assert discord_text(family * 10, 30) == family * 4 + "…"


def test_CHAT_2_direction_overrides_and_zalgo_end_at_the_note_cleaner() -> None:
    words = clean_note("\u202eevil\u2066 **\u2069" + "Z" + "\u0321" * 40).text
    assert len(words) < 20
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", discord_text(words))
    check(words)


def test_CHAT_2_a_hostile_text_is_done_in_no_time() -> None:
    begin = time.perf_counter()
    for words in ("1" * 6_000, ":" * 6_000, " " * 6_000 + "#", "*" * 6_000, "https://" * 750, "\u2068" * 6_000):
        discord_text(words)
        rendered(words, SITE)
    assert time.perf_counter() - begin < 0.5


# --- replies


@pytest.mark.parametrize(
    "link",
    [
        f"{SITE}/m/abcDEF",
        f"{SITE}/s/x_y_z?a=1&b=2",
        SITE,
        "https://youtu.be/jNQXAC9IVRw?t=3",
        "https://open.spotify.com/track/4cOdK2wGLETKBW3PvgPWqT",
    ],
)
def test_links_of_ours_and_of_services_we_know_are_links(link: str) -> None:
    assert seen(rendered(f"Saved · {link}, and more.", SITE)) == (f"Saved · {link}, and more.", ("link",))


@pytest.mark.parametrize(
    "link",
    [
        f"{SITE}.evil.com/a",
        f"{SITE}@evil.com/a",
        f"{SITE}:99/a",
        "https://evil.example",
        f"{SITE}/m/x)[evil](https://evil.example",
        f"x{SITE}/m/a",
        "https://youtu.be/",
    ],
)
def test_CHAT_2_no_other_link_is_one(link: str) -> None:
    shown, entities = seen(rendered(f"Saved · {link} and more", SITE))
    assert shown.replace("\u200b", "") == f"Saved · {link} and more"
    assert entities == ()


def test_CHAT_2_inside_of_what_somebody_said_no_link_is_one() -> None:
    words = f"\u2068{SITE}/m/abc https://youtu.be/jNQXAC9IVRw\u2069"
    assert seen(rendered(f'Marked: "{words}"', SITE)) == (f'Marked: "{words[1:-1]}"', ())
    assert seen(rendered(f"{isolate('مرحبا **x**')} {SITE}/m/abc", SITE)).entities == ("link",)


def test_CHAT_6_words_are_marked_off_only_where_their_direction_needs_it() -> None:
    assert rendered("Marked: \u2068مرحبا\u2069", SITE) == "Marked: \u2068مرحبا\u2069"
    assert rendered("Marked: \u2068hello\u2069", SITE) == "Marked: hello"


def test_CHAT_2_where_only_our_own_links_are_wanted_no_other_is_one() -> None:
    text = f"{SITE}/m/abc https://youtu.be/jNQXAC9IVRw"
    assert seen(rendered(text, SITE, services=False)) == (text, ("link",))
    assert seen(rendered(text, SITE)).entities == ("link", "link")


@given(st.lists(st.sampled_from([*HOSTILE, f"{SITE}/m/abc"]), max_size=30).map(" ".join), st.integers(1, 200))
def test_CHAT_2_a_reply_is_never_too_long_nor_is_half_a_link_in_it(text: str, longest: int) -> None:
    sent = rendered(text, SITE, longest)
    assert len(sent) <= longest
    shown, entities = seen(sent)
    assert set(entities) <= {"link"}
    assert len(entities) == sent.count(f"<{SITE}/m/abc>")
    assert shown.rstrip("…").replace("\u200b", "") in plain(text)


def test_a_reply_says_what_it_said() -> None:
    text = f'Marked #12 at 01:12:34 (segment 2): "so **good**" · 3 people within 15 s · {SITE}/m/abc'
    assert seen(rendered(text, SITE)).text == text
