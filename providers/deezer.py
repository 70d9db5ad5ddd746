"""Deezer's links: tracks by number. They say no start."""

import re

from providers.address import NUMBER, Address, Link, Service, ShortLink, several

_LANGUAGE = re.compile("[a-z]{2}(?:-[a-z]{2})?")


def _read(address: Address) -> Link | ShortLink | None:
    words = address.words
    if address.host == "link.deezer.com":
        return _shared(address)
    if address.host == "widget.deezer.com":
        words = words[2:] if words[:1] == ("widget",) else ()  # widget/dark/track/N
    elif words and _LANGUAGE.fullmatch(words[0]):
        words = words[1:]
    match words:
        case ("track", number):
            return address.link("deezer", number, "track") if NUMBER.fullmatch(number) else None
        case ("album" | "playlist" | "artist" | "show" | "episode" as what, *_):
            raise several(f"an {what}" if what[0] in "ae" else f"a {what}", "track")
    return None


def _shared(address: Address) -> Link | ShortLink | None:
    """A share link, or the page it leads to, which names the track in `dest`."""
    if len(address.path) == 2 and address.words[0] == "s":
        return address.short("deezer", "s", address.path[1])
    inner = Address.parse(address.one("dest"))
    return _read(inner) if inner.host in DEEZER.hosts and inner.host != address.host else None


def _page(link: Link, _: int | None) -> str:
    return f"https://www.deezer.com/track/{link.media_id}"


DEEZER = Service(
    slug="deezer",
    name="Deezer",
    hosts=("deezer.com", "www.deezer.com", "m.deezer.com", "widget.deezer.com", "link.deezer.com"),
    read=_read,
    page=_page,
    example="https://www.deezer.com/track/3135556",
)
