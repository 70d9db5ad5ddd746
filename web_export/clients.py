"""Whose request this is: the client's address, told through trusted proxies only (RES-2)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

TRUSTED = web.AppKey("trusted", tuple)
"""The networks of SiteConfig.trusted_proxies, read once."""
_FORWARDED = ("forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip")


def networks(words: Iterable[str]) -> Networks:
    """The networks named by the settings; raises ValueError for what is none."""
    return tuple(ip_network(word, strict=False) for word in words)


@lru_cache(maxsize=1024)  # the same few clients ask again and again, and each request asks thrice
def parse_address(word: str) -> Address | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`; None for anything else."""
    word = word.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Networks) -> Address | None:
    """The right-most address no proxy of ours vouches for; None when the peer has none.

    Entries further left are the client's own words. An entry that is no address ends the walk at the last
    good hop.
    """
    client = parse_address(peer)
    for hop in reversed(",".join(forwarded_for).split(",")):
        if client is None or not is_in(client, trusted):
            break
        address = parse_address(hop)
        if address is None:
            break
        client = address
    return client


def is_in(address: Address, trusted: Networks) -> bool:
    """Whether one of the networks holds it."""
    return any(address in network for network in trusted)


def key_of(address: Address | None) -> str:
    """What counts as one client: an IPv4 address, or the /64 one household has of IPv6."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def client_key(request: web.BaseRequest, trusted: Networks) -> str:
    """The client as limits count it. Never stored, never logged."""
    return key_of(client_address(peer_of(request), request.headers.getall(hdrs.X_FORWARDED_FOR, ()), trusted))


def is_operator(request: web.BaseRequest) -> bool:
    """Whether this comes from this very machine and through no proxy: the operator's own scripts."""
    address = parse_address(peer_of(request))
    return address is not None and address.is_loopback and not was_forwarded(request)


def was_forwarded(request: web.BaseRequest) -> bool:
    """Whether any proxy left its mark."""
    names = (name.lower() for name in request.headers)
    return any(name in _FORWARDED or name.startswith("x-forwarded") for name in names)


def peer_of(request: web.BaseRequest) -> str:
    """The address at the other end of the socket; empty when it has none."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return str(peer[0]) if isinstance(peer, tuple) else ""


def client_of(request: web.Request) -> str:
    """The same inside a handler of the site."""
    return client_key(request, request.app[TRUSTED])
