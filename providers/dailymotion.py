"""Dailymotion's links: videos by a name that starts with x, or k for a private one."""

import re

from providers.address import Address, Link, Service, several

_ID = re.compile("[xk][0-9A-Za-z]{1,30}")


def _read(address: Address) -> Link | None:
    match address.words:
        case ("video", _) | ("embed" | "swf", "video", _):
            return _video(address, address.path[-1])
        case (_,) if address.host == "dai.ly":
            return _video(address, address.path[0])
        case ("playlist", *_):
            raise several("a playlist", "video")
    if address.one("video"):  # a player's address; before 2015 a page's fragment
        return _video(address, address.one("video"))
    if len(address.path) == 1 and address.host != "geo.dailymotion.com":
        raise several("a channel", "video")
    return None


def _video(address: Address, name: str) -> Link | None:
    name = name.partition("_")[0]  # a title may follow
    return address.link("dailymotion", name, "video") if _ID.fullmatch(name) else None


def _page(link: Link, start: int | None) -> str:
    return f"https://www.dailymotion.com/video/{link.media_id}" + ("" if start is None else f"?start={start}")


DAILYMOTION = Service(
    slug="dailymotion",
    name="Dailymotion",
    hosts=("dailymotion.com", "www.dailymotion.com", "touch.dailymotion.com", "geo.dailymotion.com", "dai.ly"),
    read=_read,
    page=_page,
    example="https://www.dailymotion.com/video/x5e9eog",
)
