"""Follows the short links of a fixed list of hosts to what they stand for. No page of theirs is read (OUT-4).

The name is looked up here, once a hop, and the connection goes to the very address that was judged, so that a second
answer of the resolver's can lead nowhere else.
"""

import asyncio
import socket
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

import httpx

from moments.errors import BadLink, TooFast
from providers.links import Link, ShortLink, recognise

MOST_HOPS = 3
TOTAL_SECONDS = 3.0
"""For all hops together."""
PERSON_SECONDS = 5.0
"""Between two of one person's."""
MOST_A_SECOND = 5
"""Of all people's."""
KEPT_SECONDS = 3_600.0
FAILURE_KEPT_SECONDS = 60.0
MOST_KEPT = 1_000

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host."""

_ADDRESSES_TRIED = 3
_HEADERS = {"User-Agent": "Moments", "Accept": "text/html", "Accept-Encoding": "identity"}
_NAT64 = IPv6Network("64:ff9b::/96")
_LOST = "That short link could not be followed: open it and paste the address it leads to."
_WAIT = "Short links take a few seconds each: try again in a moment, or open it and paste the address it leads to."


class _Known(NamedTuple):
    until: float
    outcome: Link | str
    """What it leads to, or the sentence about why not."""


class ShortLinks:
    """One for the whole process, since its limits are. Made by `open_short_links`."""

    def __init__(self, client: httpx.AsyncClient, lookup: Lookup, clock: Callable[[], float]) -> None:
        self._client = client
        self._lookup = lookup
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._people: OrderedDict[str, float] = OrderedDict()
        self._latest: deque[float] = deque(maxlen=MOST_A_SECOND)

    async def follow(self, short: ShortLink, person: str) -> Link:
        """What a short link stands for, with the times written on it; BadLink when it cannot be found out.

        Raises TooFast for a person's second within five seconds, and for everybody's sixth within one. What was found
        is remembered for an hour, a failure for a minute, and costs nobody a turn.
        """
        known = self._known.get(short.url)
        if known is None or known.until <= self._clock():
            self._admit(person)
            known = await self._ask(short)
            self._known[short.url] = known
            _keep_newest(self._known, short.url)
        if isinstance(known.outcome, str):
            raise BadLink(known.outcome)
        if short.start_seconds is None:
            return known.outcome
        return replace(known.outcome, start_seconds=short.start_seconds, end_seconds=short.end_seconds)

    def _admit(self, person: str) -> None:
        now = self._clock()
        if now - self._people.get(person, float("-inf")) < PERSON_SECONDS:
            raise TooFast(_WAIT)
        if len(self._latest) == MOST_A_SECOND and now - self._latest[0] < 1:
            raise TooFast(_WAIT)
        self._people[person] = now
        _keep_newest(self._people, person)
        self._latest.append(now)

    async def _ask(self, short: ShortLink) -> _Known:
        outcome: Link | str = _LOST
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                outcome = await self._walk(short)
        except BadLink as error:
            outcome = str(error)
        except (TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL):
            pass  # whatever went wrong out there, the way on is the same
        kept = KEPT_SECONDS if isinstance(outcome, Link) else FAILURE_KEPT_SECONDS
        return _Known(self._clock() + kept, outcome)

    async def _walk(self, short: ShortLink) -> Link:
        for _ in range(MOST_HOPS):
            found = recognise(_absolute(short, await self._location(short)))
            if found.provider != short.provider:
                break
            if isinstance(found, Link):
                return found
            short = found
        raise BadLink(_LOST)

    async def _location(self, short: ShortLink) -> str:
        """Where one hop points; its body is left unread."""
        addresses = await self._lookup(short.host)
        if not addresses or not all(map(is_public, addresses)):
            raise BadLink(_LOST)
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return await self._location_at(short, address)
            except httpx.ConnectError:
                continue
        raise BadLink(_LOST)

    async def _location_at(self, short: ShortLink, address: str) -> str:
        url = httpx.URL(short.url)
        request = self._client.build_request(
            "GET", url.copy_with(host=address), headers={"Host": url.host}, extensions={"sni_hostname": url.host}
        )
        response = await self._client.send(request, stream=True)
        try:
            locations = response.headers.get_list("Location") if response.is_redirect else []
        finally:
            await response.aclose()
        if len(locations) != 1:
            raise BadLink(_LOST)
        return str(locations[0])


@asynccontextmanager
async def open_short_links(
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    lookup: Lookup | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ShortLinks]:
    """Open the follower; a transport and a lookup of their own are for tests, which have no such hosts."""
    async with httpx.AsyncClient(
        headers=_HEADERS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(TOTAL_SECONDS),
        limits=httpx.Limits(max_connections=MOST_A_SECOND * 4, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
        transport=transport,
    ) as client:
        yield ShortLinks(client, lookup or _addresses, clock)


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet's, also where an IPv6 one only carries an IPv4 one."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped or ip.sixtofour or ip.teredo:
            return False
        if ip in _NAT64:
            return _is_global(IPv4Address(int(ip) & 0xFFFFFFFF))
    return _is_global(ip)


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not ip.is_multicast  # ipaddress calls some multicast global


def _absolute(short: ShortLink, location: str) -> str:
    if location.startswith("//"):
        return f"https:{location}"
    return f"https://{short.host}{location}" if location.startswith("/") else location


def _keep_newest(kept: OrderedDict[str, Any], newest: str) -> None:
    kept.move_to_end(newest)
    if len(kept) > MOST_KEPT:
        kept.popitem(last=False)


async def _addresses(host: str) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))
