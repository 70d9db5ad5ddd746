"""Twitch's links: recordings (VODs) by number, clips by name. Only a VOD's link can say where to start."""

import re

from moments.vod import vod_url
from providers.address import NUMBER, Address, Link, Service, several

_CLIP = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_NO_CLIPS = ("create", "embed", "clip")


def _read(address: Address) -> Link | None:
    if address.host == "clips.twitch.tv":
        return _clips_host(address)
    if address.host == "player.twitch.tv":
        return _vod(address, address.one("video"))
    match address.words:
        case ("videos", _) | (_, "v" | "video" | "videos", _):
            return _vod(address, address.path[-1])
        case ("clip", _) | (_, "clip", _):
            return _clip(address, address.path[-1])
        case (_, "schedule") if address.one("vodID"):
            return _vod(address, address.one("vodID"))
        case ("collections", *_):
            raise several("a collection", "video")
        case (_,) | (_, "videos" | "clips" | "schedule" | "about" | "home"):
            raise several("a channel", "video or clip")
    return None


def _clips_host(address: Address) -> Link | None:
    match address.words:
        case ("embed",):
            return _clip(address, address.one("clip"))
        case (_,):
            return _clip(address, address.path[0])
    return None


def _vod(address: Address, number: str) -> Link | None:
    number = number.removeprefix("v")  # players write v123
    return address.link("twitch", number, "vod") if NUMBER.fullmatch(number) else None


def _clip(address: Address, name: str) -> Link | None:
    usable = _CLIP.fullmatch(name) and not name.isdecimal() and name not in _NO_CLIPS
    return address.link("twitch", name, "clip") if usable else None


def _page(link: Link, start: int | None) -> str:
    if link.kind == "clip":
        return f"https://clips.twitch.tv/{link.media_id}"
    return f"https://www.twitch.tv/videos/{link.media_id}" if start is None else vod_url(link.media_id, start)


TWITCH = Service(
    slug="twitch",
    name="Twitch",
    hosts=("twitch.tv", "www.twitch.tv", "m.twitch.tv", "go.twitch.tv", "player.twitch.tv", "clips.twitch.tv"),
    read=_read,
    page=_page,
    example="https://www.twitch.tv/videos/123456789",
)
