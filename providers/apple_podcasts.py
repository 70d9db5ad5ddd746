"""Apple Podcasts' links: an episode, which only its show's page leads to. Held as links alone."""

import re

from providers.address import NUMBER, Address, Link, Service, several

_SHOW = re.compile(f"id({NUMBER.pattern})")


def _read(address: Address) -> Link | None:
    show = _SHOW.fullmatch(address.words[-1]) if "podcast" in address.words[:2] else None
    if show is None:
        return None
    episode = address.one("i")
    if not NUMBER.fullmatch(episode):
        raise several("a podcast", "episode")
    return address.link("apple_podcasts", f"{show[1]}/{episode}", "episode")


def _page(link: Link, start: int | None) -> str:
    show, _, episode = link.media_id.partition("/")
    at = "" if start is None else f"&t={start}"
    return f"https://podcasts.apple.com/us/podcast/id{show}?i={episode}{at}"


APPLE_PODCASTS = Service(
    slug="apple_podcasts",
    name="Apple Podcasts",
    hosts=("podcasts.apple.com", "embed.podcasts.apple.com"),
    read=_read,
    page=_page,
    example="https://podcasts.apple.com/us/podcast/id1200361736?i=1000654321987",
)
