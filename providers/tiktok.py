"""TikTok's links: videos by number, under any user's name. They say no start."""

from providers.address import NUMBER, Address, Link, Service, ShortLink, several


def _read(address: Address) -> Link | ShortLink | None:
    if address.host in ("vm.tiktok.com", "vt.tiktok.com"):
        return address.short("tiktok", *address.path) if len(address.path) == 1 else None
    match address.words:
        case ("t", _):
            return address.short("tiktok", "t", address.path[1])
        case (user, "video", number) if user.startswith("@"):
            return _video(address, number)
        case ("embed" | "video", number) | ("share", "video", number) | ("embed", "v2", number):
            return _video(address, number)
        case ("player", "v1", number):
            return _video(address, number)
        case ("v", number):
            return _video(address, number.removesuffix(".html"))
        case (user, "photo", *_) if user.startswith("@"):
            raise several("a picture", "video")
        case (user, *_) if user.startswith("@"):
            raise several("a profile", "video")
    return None


def _video(address: Address, number: str) -> Link | None:
    return address.link("tiktok", number, "video") if NUMBER.fullmatch(number) else None


def _page(link: Link, _: int | None) -> str:
    return f"https://www.tiktok.com/@_/video/{link.media_id}"  # whatever the name, the number decides


TIKTOK = Service(
    slug="tiktok",
    name="TikTok",
    hosts=("tiktok.com", "www.tiktok.com", "m.tiktok.com", "vm.tiktok.com", "vt.tiktok.com"),
    read=_read,
    page=_page,
    example="https://www.tiktok.com/@user/video/6718335390845095173",
)
