"""Spotify's links: tracks and episodes. Only an episode's link can say where to start."""

import re

from providers.address import Address, Kind, Link, Service, ShortLink, several

_ID = re.compile("[0-9A-Za-z]{22}")
_LANGUAGE = re.compile("intl-[a-z]{2}(?:-[a-z0-9]{2,4})?")
_KINDS: dict[str, Kind] = {"track": "track", "episode": "episode"}


def _read(address: Address) -> Link | ShortLink | None:
    words, path = address.words, address.path
    if address.host in ("spotify.link", "spotify.app.link"):
        return address.short("spotify", *path) if len(path) == 1 else None
    while words and (words[0] in ("embed", "embed-podcast") or _LANGUAGE.fullmatch(words[0])):
        words, path = words[1:], path[1:]
    match words:
        case ("s", _):
            return address.short("spotify", "s", path[1])
        case ("track" | "episode" as kind, _):
            return address.link("spotify", path[1], _KINDS[kind]) if _ID.fullmatch(path[1]) else None
        case ("album", *_):
            raise several("an album", "track")
        case ("playlist" | "user", *_):
            raise several("a playlist or a profile", "track")
        case ("show" | "artist" as what, *_):
            raise several("a show", "episode") if what == "show" else several("an artist", "track")
    return None


def _page(link: Link, start: int | None) -> str:
    at = f"?t={start}" if link.kind == "episode" and start is not None else ""
    return f"https://open.spotify.com/{link.kind}/{link.media_id}{at}"


SPOTIFY = Service(
    slug="spotify",
    name="Spotify",
    hosts=("open.spotify.com", "play.spotify.com", "spotify.link", "spotify.app.link"),
    read=_read,
    page=_page,
    example="https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
)
