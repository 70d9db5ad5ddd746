"""Words as Discord shows them: somebody's stay plain words, whatever Discord would make of them (CHAT-2)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from moments.errors import BadLink
from moments.notes import isolate, shortened
from providers.links import recognise

MESSAGE_LENGTH = 2_000
"""Characters of a message's content, as they are sent: with everything that is escaped in them."""

_NO_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

# Discord hides a backslash before anything that is neither a letter, a digit nor a space. In all that it reads besides
# markdown is one of these: <t:0:R>, </cmd:1>, <:a:1>, <@1>, <id:guide>, https://…, discord.gg/…, :smile:.
_COLONS = r"|(?<![0-9]):(?=\S)|(?<=[0-9]):(?![0-9]{2}(?![0-9])|\s|\Z)"  # a clock's stay bare, and a sentence's
_SPECIAL = re.compile(r"[\\*_~`|<\[\](/]" + _COLONS)
_SPECIAL_IN_OURS = re.compile(r"[\\*_~`|<\[]|(?<=\S)/(?=\S)" + _COLONS)
"""Our own sentences are read by programs too, so `(` and `/clip` stay; a title in them can still make nothing."""
# A heading, a quote, small print, a list.
_AT_START = re.compile(r"\A([\s\u200b-\u200f\u2060-\u2069\ufeff]*(?:(?=[-+#>])|[0-9]+(?=\.)))")
_AT = re.compile(r"@(?=[^\s\u200b])")

_PIECE = re.compile(r"\u2068[^\u2069]*\u2069?|(?<![^\s(\"])https?://[^\s<>\u2068\u2069]+")
_BEHIND_A_LINK = ".,:;\"')]!?…"
_MESSAGE = re.compile(r"https://discord\.com/channels/(?:@me|[0-9]{1,20})/[0-9]{1,20}/[0-9]{1,20}", re.ASCII)
_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&+,;=%-]+")


def discord_text(words: str, longest: int = MESSAGE_LENGTH) -> str:
    """Somebody's words, so that Discord shows just them, on one line: nothing in them is an order, a link or a ping.

    What no longer fits in `longest` characters (at least 1) is cut, before escaping and by whole characters.
    """
    words = _NO_LINE.sub(" ", words)
    sent = _escaped(words)
    if len(sent) <= longest:
        return sent
    fits, too_long = 0, min(len(words), longest + 1)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if len(_escaped(shortened(words, middle))) <= longest:
            fits = middle
        else:
            too_long = middle
    return _escaped(shortened(words, fits))


def rendered(text: str, site: str, longest: int = MESSAGE_LENGTH, *, services: bool = True) -> str:
    """A reply's text as Discord may show it: plain words, and links to our `site` or to `services` that we know.

    Inside of U+2068…U+2069 are people's words, where no link is one.
    """
    said: list[str] = []
    for piece in _pieces(text, site, services=services):
        sent, room = f"<{piece.text}>" if piece.is_link else _escaped(*piece[:2]), longest - sum(map(len, said))
        if len(sent) > room:
            return "".join([*said, *([] if not room else ["…"] if piece.is_link else [discord_text(piece.text, room)])])
        said.append(sent)
    return "".join(said)


class _Piece(NamedTuple):
    text: str
    special: re.Pattern[str] = _SPECIAL_IN_OURS
    is_link: bool = False
    """Whether it is a link, and may be one."""


def _pieces(text: str, site: str, *, services: bool) -> Iterator[_Piece]:
    text = _NO_LINE.sub(" ", text)
    done = 0
    for found in _PIECE.finditer(text):
        link = found[0].rstrip(_BEHIND_A_LINK)
        if found[0][0] == "\u2068":
            yield _Piece(text[done : found.start()])
            yield _Piece(
                isolate(found[0].strip("\u2068\u2069")), _SPECIAL
            )  # in our own direction they need no mark any more
            done = found.end()
        elif _LINK.fullmatch(link) and (f"{link}/".startswith(f"{site}/") or (services and _is_known(link))):
            yield _Piece(text[done : found.start()])
            yield _Piece(link, is_link=True)
            done = found.start() + len(link)
    yield _Piece(text[done:])


def _is_known(link: str) -> bool:
    if _MESSAGE.fullmatch(link):
        return True
    try:
        recognise(link)
    except BadLink:
        return False
    return True


def _escaped(words: str, special: re.Pattern[str] = _SPECIAL) -> str:
    """The words, which are one line, in Discord's way of writing; who reads it sees them alone."""
    return _AT_START.sub(r"\1\\", _AT.sub("@\u200b", special.sub(r"\\\g<0>", words)))
