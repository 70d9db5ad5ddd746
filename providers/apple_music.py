"""Apple Music's links: songs by number, the same in every country's store. They say no start."""

import re

from providers.address import NUMBER, Address, Kind, Link, Service, several

_COUNTRY = re.compile("[a-z]{2}")
_KINDS: dict[str, Kind] = {"song": "track", "music-video": "video"}


def _read(address: Address) -> Link | None:
    words = address.words
    if words and _COUNTRY.fullmatch(words[0]):
        words = words[1:]
    match words:
        case ("album", *_) if NUMBER.fullmatch(address.one("i")):
            return address.link("apple_music", address.one("i"), "track")
        case ("song" | "music-video" as what, *_, number):
            number = number.removeprefix("id")
            return address.link("apple_music", number, _KINDS[what]) if NUMBER.fullmatch(number) else None
        case ("album", *_):
            raise several("an album", "song")
        case ("playlist" | "artist" | "station" | "curator" | "room", *_):
            raise several("a playlist, station or artist", "song")
        case ("podcast", *_):
            raise several("a podcast", "episode on podcasts.apple.com")
    return None


def _page(link: Link, _: int | None) -> str:
    what = "music-video" if link.kind == "video" else "song"
    return f"https://music.apple.com/us/{what}/{link.media_id}"


APPLE_MUSIC = Service(
    slug="apple_music",
    name="Apple Music",
    hosts=(
        "music.apple.com",
        "geo.music.apple.com",
        "embed.music.apple.com",
        "beta.music.apple.com",
        "itunes.apple.com",
        "geo.itunes.apple.com",
    ),
    read=_read,
    page=_page,
    example="https://music.apple.com/us/album/1440841384?i=1440841730",
    schemes=("https", "http", "music"),  # the app's own
)
