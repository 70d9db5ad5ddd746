"""Kick's links: recordings and clips by id, under their channel's name. Held as links alone."""

import re

from providers.address import UUID, Address, Kind, Link, Service, several

_CLIP = re.compile("clip_[0-9A-Za-z]{1,60}")
_CHANNEL = re.compile("[0-9a-z_-]{1,60}")


def _read(address: Address) -> Link | None:
    clip = address.one("clip")
    match address.words:
        case (channel, "videos", _):
            return _thing(address, channel, address.words[2], "vod")
        case ("video", _):
            return _thing(address, "", address.words[1], "vod")
        case (channel, "clips", _):
            return _thing(address, channel, address.path[2], "clip")
        case ("clips", _):
            return _thing(address, "", address.path[1], "clip")
        case (channel, *_) if clip:
            return _thing(address, channel, clip, "clip")
        case (_,) | (_, "videos" | "clips" | "about"):
            raise several("a channel", "video or clip")
    return None


def _thing(address: Address, channel: str, media_id: str, kind: Kind) -> Link | None:
    if channel and not _CHANNEL.fullmatch(channel):
        return None
    pattern = UUID if kind == "vod" else _CLIP
    return address.link("kick", media_id, kind, channel) if pattern.fullmatch(media_id) else None


def _page(link: Link, start: int | None) -> str:
    channel = f"{link.beside}/" if link.beside else ""
    if link.kind == "clip":
        return f"https://kick.com/{channel}clips/{link.media_id}"
    at = "" if start is None else f"?t={start}"
    return f"https://kick.com/{channel}{'videos' if channel else 'video'}/{link.media_id}{at}"


KICK = Service(
    slug="kick",
    name="Kick",
    hosts=("kick.com", "www.kick.com", "m.kick.com", "player.kick.com"),
    read=_read,
    page=_page,
    example="https://kick.com/channel/videos/8dd97a8d-e17f-48fb-8bc3-565f88dbc9ea",
)
