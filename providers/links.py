"""The table of streaming services, and what a pasted link leads to. Adding one is adding a file and a line."""

import re

from moments.errors import BadLink
from providers.address import Address, Kind, Link, Service, ShortLink
from providers.apple_music import APPLE_MUSIC
from providers.apple_podcasts import APPLE_PODCASTS
from providers.bandcamp import BANDCAMP
from providers.dailymotion import DAILYMOTION
from providers.deezer import DEEZER
from providers.kick import KICK
from providers.musicbrainz import MUSICBRAINZ
from providers.soundcloud import SOUNDCLOUD
from providers.spotify import SPOTIFY
from providers.tiktok import TIKTOK
from providers.twitch.links import TWITCH
from providers.vimeo import VIMEO
from providers.youtube import YOUTUBE

__all__ = ["BY_SLUG", "SERVICES", "Kind", "Link", "Service", "ShortLink", "deep_link", "recognise", "service_at"]

SERVICES: tuple[Service, ...] = (
    YOUTUBE,
    SPOTIFY,
    TWITCH,
    SOUNDCLOUD,
    VIMEO,
    APPLE_MUSIC,
    DEEZER,
    DAILYMOTION,
    TIKTOK,
    BANDCAMP,
    KICK,
    MUSICBRAINZ,
    APPLE_PODCASTS,
)
BY_SLUG = {service.slug: service for service in SERVICES}

_BY_HOST = {host: service for service in SERVICES for host in service.hosts}
_LABEL = re.compile("(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_URI = re.compile("spotify:(?!//)", re.IGNORECASE)
_NAMES = ", ".join(service.name for service in SERVICES[:-1])


def recognise(text: str) -> Link | ShortLink:
    """What one pasted link leads to, with the times it names; else BadLink, whose text says what to paste instead.

    Nothing is fetched, and the time taken grows with the length of the link and no faster. A ShortLink still has to be
    followed, by `providers.shortlinks`.
    """
    uri = _URI.match(text)
    address = Address.parse("https://open.spotify.com/" + text[uri.end() :].replace(":", "/") if uri else text)
    service = service_at(address.host)
    if service is None or address.scheme not in service.schemes:
        raise BadLink(f"Paste a link that starts with https://, from one of: {_NAMES}, {SERVICES[-1].name}.")
    found = service.read(address)
    if found is None:
        raise BadLink(f"That {service.name} link names no single video or track: paste one like {service.example}")
    return found


def service_at(host: str) -> Service | None:
    """Whose host that is. Hosts are matched exactly; only what the table marks takes any one label before it."""
    label, _, parent = host.partition(".")
    return _BY_HOST.get(host) or (_BY_HOST.get(f"*.{parent}") if _LABEL.fullmatch(label) else None)


def deep_link(link: Link, start_seconds: int | None = None) -> str:
    """The page of a thing on its own service, from that second on where the service's links can say so."""
    return BY_SLUG[link.provider].page(link, start_seconds)
