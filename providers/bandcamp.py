"""Bandcamp's links: tracks by artist and name. Artists' own domains cannot be told from any other site."""

import re

from providers.address import Address, Link, Service, several

_SLUG = re.compile("[0-9a-z_-]{1,200}")
_NO_ARTISTS = ("www", "m", "daily", "get", "blog", "help", "status", "bandcamp")


def _read(address: Address) -> Link | None:
    artist, _, parent = address.host.partition(".")
    if parent != "bandcamp.com" or artist in _NO_ARTISTS:
        return None
    match address.words:
        case ("track", name):
            return address.link("bandcamp", f"{artist}/{name}", "track") if _SLUG.fullmatch(name) else None
        case ("album", *_):
            raise several("an album", "track")
        case () | ("music" | "merch" | "community",):
            raise several("an artist", "track")
    return None


def _page(link: Link, _: int | None) -> str:
    artist, name = link.media_id.split("/")
    return f"https://{artist}.bandcamp.com/track/{name}"


BANDCAMP = Service(
    slug="bandcamp",
    name="Bandcamp",
    hosts=("bandcamp.com", "*.bandcamp.com"),
    read=_read,
    page=_page,
    example="https://artist.bandcamp.com/track/name",
)
