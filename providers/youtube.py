"""YouTube's links: videos on every host and path it has had. A clip's id does not tell its video."""

import re

from moments.errors import BadLink
from providers.address import Address, Link, Service, several

_ID = re.compile("[0-9A-Za-z_-]{11}")
_OTHERS = ("videoseries", "live_stream")  # eleven letters each, in the place of an id
_CLIP = "YouTube does not tell which video a clip is from: paste the video's own link, then a range like 0:45-1:00."


def _read(address: Address) -> Link | None:
    match address.words:
        case ("clip", *_):
            raise BadLink(_CLIP)
        case ("playlist", *_) | (_, "videoseries"):
            raise several("a playlist", "video")
        case (first, *_) if first.startswith("@") or first in ("channel", "c", "user", "feed", "results"):
            raise several("a channel or a list", "video")
        case ("shorts" | "live" | "embed" | "v" | "e" | "watch", _):
            media_id = address.path[1]
        case () | ("watch" | "watch_popup" | "movie",):
            media_id = address.one("v")
        case (_,) if address.host.endswith("youtu.be"):
            media_id = address.path[0]
        case _:
            return None
    return address.link("youtube", media_id, "video") if _ID.fullmatch(media_id) and media_id not in _OTHERS else None


def _page(link: Link, start: int | None) -> str:
    return f"https://www.youtube.com/watch?v={link.media_id}" + ("" if start is None else f"&t={start}s")


YOUTUBE = Service(
    slug="youtube",
    name="YouTube",
    hosts=(
        "youtube.com",
        "*.youtube.com",
        "youtu.be",
        "www.youtu.be",
        "youtube-nocookie.com",
        "www.youtube-nocookie.com",
        "youtubekids.com",
        "www.youtubekids.com",
        "youtube.googleapis.com",
    ),
    read=_read,
    page=_page,
    example="https://youtu.be/jNQXAC9IVRw",
)
