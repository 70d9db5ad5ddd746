"""Vimeo's links: videos by number, wherever they are shown. An unlisted one's link carries a key."""

import re

from providers.address import NUMBER, Address, Link, Service, several

_KEY = re.compile("[0-9a-f]{6,40}")


def _read(address: Address) -> Link | None:
    match address.words:
        case (number,) | ("video" | "videos", number) | ("channels" | "ondemand", _, number) if NUMBER.fullmatch(
            number
        ):
            return _video(address, number)
        case ("groups", _, "videos", number) | ("manage", "videos", number):
            return _video(address, number)
        case ("album" | "showcase", _, "video", number):
            return _video(address, number)
        case (number, key) | ("video" | "videos", number, key) if NUMBER.fullmatch(number) and _KEY.fullmatch(key):
            return _video(address, number, address.path[-1])
        case ("album" | "showcase" | "channels" | "groups" | "ondemand" | "event", *_):
            raise several("a collection", "video")
        case (_,):
            raise several("a channel", "video")
    return None


def _video(address: Address, number: str, key: str = "") -> Link | None:
    key = key or address.one("h")
    beside = key if _KEY.fullmatch(key) else ""
    return address.link("vimeo", number, "video", beside) if NUMBER.fullmatch(number) else None


def _page(link: Link, start: int | None) -> str:
    key = f"/{link.beside}" if link.beside else ""
    return f"https://vimeo.com/{link.media_id}{key}" + ("" if start is None else f"#t={start}s")


VIMEO = Service(
    slug="vimeo",
    name="Vimeo",
    hosts=("vimeo.com", "www.vimeo.com", "player.vimeo.com"),
    read=_read,
    page=_page,
    example="https://vimeo.com/76979871",
)
