"""A pasted link taken apart without asking anyone, and what a streaming service makes of it.

Nothing here is ever fetched: a link becomes a service and an id, and every address we use is built anew from those
(OUT-1). The strictness about what is a link at all is OUT-3.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import parse_qsl, unquote

from moments.errors import BadLink
from moments.ranges import LONGEST_SECONDS, read_time

LONGEST = 2_000
"""Characters of a link."""
NUMBER = re.compile("[1-9][0-9]{0,19}")
"""An id in digits, written in one way only."""
UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Kind = Literal["video", "track", "episode", "vod", "clip", "recording"]

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]{0,30}")
_CODE = re.compile("[0-9A-Za-z_-]{1,64}")
_WITH_FRACTION = re.compile("([0-9]{1,6})[.][0-9]{1,9}[sS]?")
_STARTS = ("t", "start", "time_continue", "start_time", "startTime", "time")
_ENDS = ("end", "end_time")


@dataclass(frozen=True, slots=True)
class Link:
    """One thing on one service, and the part of it the link names. Times are whole seconds."""

    provider: str
    media_id: str
    """With the provider it says what is meant: two links to one thing have the same."""
    kind: Kind
    start_seconds: int | None = None
    end_seconds: int | None = None
    beside: str = ""
    """What its address needs besides: a channel's name, the key of an unlisted thing. No part of what it is."""


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A link that only its service can resolve: `providers.shortlinks` follows it."""

    provider: str
    host: str
    path: str
    start_seconds: int | None = None
    end_seconds: int | None = None

    @property
    def url(self) -> str:
        """Built from a host of our table and a code of letters and digits; the query people pasted is left out."""
        return f"https://{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a link, decoded. Names in paths are compared in any case: `words`."""

    scheme: str
    host: str
    path: tuple[str, ...]
    """Without the empty parts that doubled and trailing slashes make."""
    query: Mapping[str, str]
    """Of a repeated parameter the first that says anything."""
    fragment: Mapping[str, str]
    words: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(part.lower() for part in self.path))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a link apart, or raise BadLink. `<link>`, as Discord wraps them, is read; so is one without https://."""
        link = text[1:-1] if text[:1] == "<" and text[-1:] == ">" else text
        if len(link) > LONGEST:
            raise BadLink("That link is too long: paste the one the service's share button gives.")
        if not link.isprintable() or " " in link or "\\" in link:
            raise BadLink("There are characters in that link which no link has: copy it again from the service.")
        scheme, rest = _scheme(link.replace("&amp;", "&"))
        rest, _, fragment = rest.partition("#")
        rest, _, query = rest.partition("?")
        authority, _, path = rest.partition("/")
        path, _, more = path.partition("&")  # youtu.be/ID&t=90 and /v/ID&hl=en, as people and old players write them
        parts = tuple(unquote(part) for part in path.split("/") if part)
        if "." in parts or ".." in parts:
            raise BadLink("Paste the link as the service gives it, without dots for folders.")
        return cls(scheme, _host(authority), parts, _pairs(f"{query}&{more}"), _fragment(fragment))

    def one(self, name: str) -> str:
        """A parameter of the query, or else of the fragment; "" when there is none."""
        return self.query.get(name) or self.fragment.get(name, "")

    def link(self, provider: str, media_id: str, kind: Kind, beside: str = "") -> Link:
        """The thing of that id, with the times this address names."""
        return Link(provider, media_id, kind, *self._times(), beside)

    def short(self, provider: str, *path: str) -> ShortLink | None:
        """A short link of this host, when the last of its path is a code."""
        if not _CODE.fullmatch(path[-1]):
            return None
        return ShortLink(provider, self.host, "/".join(path), *self._times())

    def _times(self) -> tuple[int | None, int | None]:
        start, end = self._time(_STARTS), self._time(_ENDS)
        return start, end if end is not None and end > (start or 0) else None

    def _time(self, names: tuple[str, ...]) -> int | None:
        for parameters in (self.query, self.fragment):
            for name in names:
                seconds = _link_time(parameters.get(name, ""))
                if seconds is not None:
                    return seconds
        return None


@dataclass(frozen=True, slots=True)
class Service:
    """What we know of a service's links. One a file, listed in `providers.links`."""

    slug: str
    name: str
    hosts: tuple[str, ...]
    """Each exactly, or `*.` and a parent for any one label before it."""
    read: Callable[[Address], Link | ShortLink | None]
    """What an address on these hosts leads to; BadLink where there is something to say, None for all else."""
    page: Callable[[Link, int | None], str]
    """The address people open, from a second on where the service's links can say so."""
    example: str
    schemes: tuple[str, ...] = ("https", "http")


def several(what: str, one: str) -> BadLink:
    """The refusal of a link to more than one thing."""
    return BadLink(f"That is {what}: open the {one} you mean and paste its link.")


def _scheme(link: str) -> tuple[str, str]:
    scheme, found, rest = link.partition("://")
    return (scheme.lower(), rest) if found and _SCHEME.fullmatch(scheme) else ("https", link)


def _host(authority: str) -> str:
    if "@" in authority:
        raise BadLink("Paste the link as the service gives it, without a user name before the address.")
    host, _, port = authority.partition(":")
    if not (port.isascii() and port.isdecimal()) and port:
        return ""  # javascript:… and the like
    if port not in ("", "443", "80"):
        raise BadLink("Paste the link as the service gives it, without a port.")
    if not host.isascii():  # before lower(): it makes a k of the Kelvin sign
        raise BadLink("The address of that link has letters that only look right: copy it again from the service.")
    return host.lower().removesuffix(".")


def _pairs(text: str) -> dict[str, str]:
    """Of a repeated name the first; a second `?`, as apps that add a time to a link write it, parts like an `&`."""
    return dict(reversed(parse_qsl(text.replace("?", "&"), errors="replace")))


def _fragment(text: str) -> dict[str, str]:
    """`t=90`, `!v=ID` and `/watch?v=ID` alike."""
    before, found, after = text.partition("?")
    return _pairs(after if found and "=" not in before else text.lstrip("!/"))


def _link_time(text: str) -> int | None:
    """Seconds, fractions dropped; None for what is no time of ours."""
    found = _WITH_FRACTION.fullmatch(text)
    seconds = int(found[1]) if found else read_time(text)
    return seconds if seconds is not None and seconds <= LONGEST_SECONDS else None
