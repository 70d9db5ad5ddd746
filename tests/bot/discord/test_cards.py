"""Bodies of messages: within Discord's limits whatever is on a card, and pinging nobody."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.cards import body, card_body, text_body
from commands.model import Button, Card, Reply, quoted
from tests.bot.discord.markdown import seen
from tests.bot.discord.test_text import HOSTILE, SITE
from tests.fake_discord.rules import broken
from tests.fake_discord.spec import Checks, document_path, load
from tests.fake_discord.world import DiscordError

EVIL = "**x** https://youtu.be/jNQXAC9IVRw [y](https://evil.example) <@1> @everyone discord.gg/x <t:0:R>"
CARD = Card(
    head="0:45–1:00 · Saved by 3 people",
    title=f"Title {EVIL}",
    by_line=f"Author {EVIL}",
    note=f"Note {EVIL}",
    lines=("Title by YouTube.", f"“{quoted(EVIL)}” {SITE}/t/abc"),
    picture=f"{SITE}/m/abc/heat.png?v=1",
    buttons=(
        Button("Open", url="https://youtu.be/jNQXAC9IVRw?t=45"),
        Button("Page", url=f"{SITE}/m/abc"),
        Button("Save this too", press="save:abc"),
    ),
    moment="abc",
)
PATCH = "/webhooks/1/token/messages/@original"


def problems(made: dict[str, Any]) -> list[str]:
    """What Discord's own document says against a changed answer."""
    found: list[str] = []
    with contextlib.suppress(DiscordError):
        Checks(load(document_path()), found.append).request("PATCH", PATCH, made)
    return found


words = st.one_of(
    st.text(max_size=50),
    st.sampled_from([*HOSTILE, EVIL, "*" * 6_000, "👨‍👩‍👧‍👦" * 900, "x" * 9_000, "مرحبا", "\n\n# x\n"]),
)
buttons = st.builds(
    Button,
    label=st.sampled_from(["Open", "Save this too", "x" * 200]),
    url=st.sampled_from(["", "https://youtu.be/x", "https://x.example/" + "y" * 600, "javascript:alert(1)"]),
    press=st.one_of(st.just(""), st.integers(0, 10**6).map("save:{}".format), st.just("save:" + "x" * 100)),
)
cards = st.builds(
    Card,
    head=st.sampled_from(["0:45–1:00 · Saved by 3 people", "x" * 300]),
    title=words,
    by_line=words,
    note=words,
    lines=st.lists(words.map(quoted), max_size=20).map(tuple),
    picture=st.sampled_from(["", f"{SITE}/m/x/heat.png", "data:image/png;base64,x", f"{SITE}/" + "x" * 3_000]),
    buttons=st.lists(buttons, max_size=40, unique_by=lambda button: button.press or object()).map(tuple),
)
replies = st.builds(Reply, text=words, private=st.booleans(), card=st.one_of(st.none(), cards))


@given(reply=replies)
def test_CHAT_1_every_reply_pings_nobody_and_is_within_every_limit(reply: Reply) -> None:
    made = body(reply, SITE)
    assert made["allowed_mentions"] == {"parse": []}
    assert broken("PATCH", PATCH, made) == ([], [])
    assert len(made["content"]) <= 2_000
    assert bool(made["flags"] & 4) == (not made["embeds"]), "no previews of people's links, and our own card is shown"
    for embed in made["embeds"]:
        assert len(embed["title"]) <= 256
        assert len(embed.get("description", "")) <= 4_096
        assert embed.get("description") != ""
    for row in made["components"]:
        assert 1 <= len(row["components"]) <= 5
        for button in row["components"]:
            assert len(button["label"]) <= 80
            assert len(button.get("custom_id", "")) <= 100
            assert len(button.get("url", "")) <= 512
    assert len(made["components"]) <= 5


@pytest.mark.skipif(not document_path().is_file(), reason="no Discord document; set MOMENTS_SHARED_DATA")
def test_CHAT_1_discords_own_document_finds_nothing_wrong_with_a_card() -> None:
    for made in (card_body(CARD, SITE), text_body("x"), body(Reply(EVIL), SITE)):
        assert problems(made) == []
    assert problems(card_body(CARD, SITE) | {"content": "x" * 4_001}) != []


def test_CHAT_2_peoples_words_are_in_the_description_alone_and_are_seen_as_words() -> None:
    made = card_body(CARD, SITE)
    (embed,) = made["embeds"]
    assert embed["title"] == CARD.head
    assert set(embed) == {"title", "description", "color", "image"}
    assert "evil" not in str(embed["title"]) + str(embed["image"]) + str(made["components"])
    shown, entities = seen(embed["description"])
    assert set(entities) == {"strong", "quote", "link"}
    assert entities.count("link") == 1
    plain = EVIL.replace("\n", " ")
    assert shown.replace("\u200b", "") == (
        f"Title {plain} · Author {plain}\nNote {plain}\nTitle by YouTube.\n“{plain}” {SITE}/t/abc"
    )


def test_CHAT_2_what_a_refusal_names_is_no_link() -> None:
    text = '"So https://youtu.be/jNQXAC9IVRw" is running already.'
    assert "<" in body(Reply(text), SITE)["content"]
    assert "<" not in body(Reply(text, kind="refusal"), SITE)["content"]


def test_CHAT_6_words_of_another_direction_leave_ours_in_order() -> None:
    description = card_body(CARD._replace(title="مرحبا", by_line="Rook"), SITE)["embeds"][0]["description"]
    assert description.startswith("**\u2068مرحبا\u2069** · Rook\n")


def test_a_card_that_lost_something_leaves_nothing_of_it() -> None:
    bare = card_body(Card("Gone"), SITE)
    assert bare["embeds"] == [{"title": "Gone", "color": bare["embeds"][0]["color"]}]
    assert (bare["content"], bare["components"], bare["flags"]) == ("", [], 0)
    assert body(Reply("Gone."), SITE) | {"allowed_mentions": 0} == {
        "content": "Gone.",
        "embeds": [],
        "components": [],
        "flags": 4,
        "allowed_mentions": 0,
    }


def test_buttons_lead_where_they_say_and_what_discord_would_refuse_is_left_out() -> None:
    (row,) = card_body(CARD, SITE)["components"]
    assert row["components"] == [
        {"type": 2, "style": 5, "label": "Open", "url": "https://youtu.be/jNQXAC9IVRw?t=45"},
        {"type": 2, "style": 5, "label": "Page", "url": f"{SITE}/m/abc"},
        {"type": 2, "style": 2, "label": "Save this too", "custom_id": "press:save:abc"},
    ]
    odd = (Button("x", press="y" * 100), Button("x", url="ftp://x"), Button("x"))
    assert card_body(Card("x", buttons=odd), SITE)["components"] == []


def test_the_most_a_card_can_say_keeps_its_first_lines() -> None:
    full = Card("x", title="*" * 900, note="_" * 900, lines=tuple(str(number) * 950 for number in range(9)))
    description = card_body(full, SITE)["embeds"][0]["description"]
    assert len(description) <= 4_096
    assert re.match(r"\*\*\\\*", description)
    assert "\n0000" in description
    assert "\n9" not in description
