"""SoundCloud's links: tracks by user and name, or by number in players. A private track's link carries a key."""

import re

from providers.address import NUMBER, Address, Link, Service, ShortLink, several

_NAME = re.compile("[0-9a-z_-]{1,200}")
_KEY = re.compile("s-[0-9A-Za-z]{1,40}")
_NO_USERS = frozenset({"charts", "discover", "feed", "library", "pages", "people", "search", "stations", "stream"})
_NO_USERS |= {"tags", "upload", "you", "jobs", "pro", "settings", "messages", "notifications", "player", "tracks"}
_LISTS = frozenset({"albums", "comments", "followers", "following", "likes", "popular-tracks", "reposts", "sets"})
_LISTS |= {"spotlight", "toptracks", "tracks", "recommended"}


def _read(address: Address) -> Link | ShortLink | None:
    match address.host, address.words:
        case "on.soundcloud.com", (_,):
            return address.short("soundcloud", *address.path)
        case "w.soundcloud.com", ("player",):
            return _in_player(address)
        case "api.soundcloud.com" | "api-v2.soundcloud.com", ("tracks", track):
            number = track.removeprefix("soundcloud:tracks:")
            return _track(address, number) if NUMBER.fullmatch(number) else None
        case "soundcloud.com" | "www.soundcloud.com" | "m.soundcloud.com", words:
            return _by_name(address, words)
    return None


def _by_name(address: Address, words: tuple[str, ...]) -> Link | None:
    match words:
        case (user, *_) if user in _NO_USERS:
            return None
        case (_,) | (_, "sets", *_):
            raise several("a playlist or a profile", "track")
        case (_, name) if name in _LISTS:
            raise several("a list of tracks", "track")
        case (user, name) | (user, name, _) if _NAME.fullmatch(user) and _NAME.fullmatch(name):
            key = address.path[2] if len(words) == 3 else ""
            return _track(address, f"{user}/{name}", key) if not key or _KEY.fullmatch(key) else None
    return None


def _track(address: Address, media_id: str, key: str = "") -> Link:
    key = key or address.one("secret_token")
    return address.link("soundcloud", media_id, "track", key if _KEY.fullmatch(key) else "")


def _in_player(address: Address) -> Link | None:
    """The track inside of a player's address, when it is SoundCloud's own and no player again."""
    inner = Address.parse(address.one("url"))
    found = _read(inner) if inner.host != address.host else None
    return address.link("soundcloud", found.media_id, "track", found.beside) if isinstance(found, Link) else None


def _page(link: Link, start: int | None) -> str:
    if link.media_id.isdecimal():
        key = f"%3Fsecret_token%3D{link.beside}" if link.beside else ""
        return f"https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/{link.media_id}{key}"
    key = f"/{link.beside}" if link.beside else ""
    at = "" if start is None else f"#t={start // 60}:{start % 60:02d}"
    return f"https://soundcloud.com/{link.media_id}{key}{at}"


SOUNDCLOUD = Service(
    slug="soundcloud",
    name="SoundCloud",
    hosts=(
        "soundcloud.com",
        "www.soundcloud.com",
        "m.soundcloud.com",
        "on.soundcloud.com",
        "w.soundcloud.com",
        "api.soundcloud.com",
        "api-v2.soundcloud.com",
    ),
    read=_read,
    page=_page,
    example="https://soundcloud.com/user/track",
)
