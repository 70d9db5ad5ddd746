"""Replies and cards as message bodies: within all of Discord's limits, pinging nobody (CHAT-1).

People's words stand in descriptions alone, never in a title, a link, a label or a custom_id (CHAT-2).
"""

from collections.abc import Iterator
from typing import Any

from bot.discord.text import discord_text, rendered
from commands.model import Button, Card, Reply
from moments.notes import isolate, shortened

Body = dict[str, Any]

SUPPRESS_EMBEDS = 1 << 2
"""No previews of links; embeds of our own would be hidden with them."""
EPHEMERAL = 1 << 6
"""For its caller alone."""
PRESS = "press"
"""What the custom_id of a button begins with; its press and argument follow."""

HEAD_LENGTH = 256
DESCRIPTION_LENGTH = 4_096
"""With the head that is less than the 6,000 all embeds of a message may have."""
LABEL_LENGTH = 80
CUSTOM_ID_LENGTH = 100
ADDRESS_LENGTH = 512
PICTURE_LENGTH = 2_048
BUTTONS_IN_A_ROW = 5
MOST_BUTTONS = 25
WORDS_LENGTH = 1_000
"""Characters of a title, a note or a sentence, as they are sent."""

_COLOUR = 0xFFB45C
"""The site's own."""
_ACTION_ROW, _BUTTON = 1, 2
_PRIMARY, _SECONDARY, _LINK = 1, 2, 5


def body(reply: Reply, site: str) -> Body:
    """The message that says a reply; as an edit it leaves nothing of what stood there before."""
    return card_body(reply.card, site) if reply.card else text_body(reply_text(reply, site))


def reply_text(reply: Reply, site: str) -> str:
    """The words of a reply; a refusal may name a session by its title, so no link but ours is one in it."""
    return rendered(reply.text, site, services=reply.kind != "refusal")


def text_body(content: str) -> Body:
    """A message of nothing but text, which is as Discord shall read it."""
    return _body(content, [], [], SUPPRESS_EMBEDS)


def card_body(card: Card, site: str) -> Body:
    """The message that shows a card; `site` is our own address, whose links are ones."""
    embed: Body = {"title": shortened(card.head, HEAD_LENGTH), "color": _COLOUR}
    if description := _description(card, site):
        embed["description"] = description
    if card.picture.startswith(("https://", "http://")) and len(card.picture) <= PICTURE_LENGTH:
        embed["image"] = {"url": card.picture}
    return _body("", [embed], _rows(card.buttons), 0)


def _body(content: str, embeds: list[Body], components: list[Body], flags: int) -> Body:
    return {
        "content": content,
        "embeds": embeds,
        "components": components,
        "flags": flags,
        "allowed_mentions": {"parse": []},
    }


def _description(card: Card, site: str) -> str:
    """The lines that fit, from the first on."""
    said = ""
    for line in _lines(card, site):
        longer = f"{said}\n{line}" if said else line
        if len(longer) > DESCRIPTION_LENGTH:
            break
        said = longer
    return said


def _lines(card: Card, site: str) -> Iterator[str]:
    named = [f"**{_words(card.title)}**"] if card.title else []
    if card.by_line:
        named.append(_words(card.by_line))
    if named:
        yield " · ".join(named)
    if card.note:
        yield f"> {_words(card.note)}"
    for line in card.lines:
        yield rendered(line, site, WORDS_LENGTH, services=False)


def _words(words: str) -> str:
    """In their own direction, so that ours around them stay in order (CHAT-6)."""
    return isolate(discord_text(words, WORDS_LENGTH))


def _rows(buttons: tuple[Button, ...]) -> list[Body]:
    made = [button for button in map(_button, buttons[:MOST_BUTTONS]) if button]
    rows = [made[start : start + BUTTONS_IN_A_ROW] for start in range(0, len(made), BUTTONS_IN_A_ROW)]
    return [{"type": _ACTION_ROW, "components": row} for row in rows]


def _button(button: Button) -> Body | None:
    """None for one that Discord would refuse, and the whole message with it."""
    custom_id, made = f"{PRESS}:{button.press}", {"type": _BUTTON, "label": shortened(button.label, LABEL_LENGTH)}
    if button.press and len(custom_id) <= CUSTOM_ID_LENGTH:
        return made | {"style": _SECONDARY, "custom_id": custom_id}
    if button.url.startswith(("https://", "http://")) and len(button.url) <= ADDRESS_LENGTH:
        return made | {"style": _LINK, "url": button.url}
    return None
