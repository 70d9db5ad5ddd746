"""The one way out: a shared HTTP client that talks to a fixed set of hosts, briefly, and reads little (OUT-2)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple

import httpx
import orjson

from moments.errors import ProviderDown, ProviderUnreadable

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 8.0
"""From asking to the last byte, waiting for a turn included."""
BODY_BYTES = 1 << 20
READS_AT_ONCE = 4
"""Per host."""
WRITES_AT_ONCE = 32
"""Per host; apart from the reads, so that an answer to chat never queues behind a slow list."""

Params = Mapping[str, str] | Sequence[tuple[str, str]]

_NOT_ASKED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What happens before a request has left."""

_HEADERS = {
    "User-Agent": "Moments",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # and what comes packed all the same is not unpacked: no bombs
}


class Answer(NamedTuple):
    """What came back. A status is not judged here: each service knows what its own mean."""

    status: int
    headers: Mapping[str, str]
    """Looked up in any case."""
    json: Any
    """Parsed, not yet trusted. None for an empty body, and for an error's body that is no JSON."""


class Origin(NamedTuple):
    """What decides where a request may go."""

    scheme: str
    host: str
    port: int


class Http:
    """One client for the whole process. Made by `open_http`."""

    def __init__(self, client: httpx.AsyncClient, allowed: frozenset[Origin]) -> None:
        self._client = client
        self._reads = {origin: asyncio.Semaphore(READS_AT_ONCE) for origin in allowed}
        self._writes = {origin: asyncio.Semaphore(WRITES_AT_ONCE) for origin in allowed}

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once; `data` goes as a form, `json` as JSON. Nothing secret may stand in the path: errors name it.

        Raises ProviderDown when nobody answers within the deadline, ProviderUnreadable when the answer is a redirect,
        larger than 1 MiB or not JSON, and ValueError, before a name is looked up, when the host is not on the list.
        """
        origin = _origin(url)
        turns = (self._reads if method == "GET" else self._writes).get(origin)
        if turns is None:
            raise ValueError("Moments may not ask that host.")
        body: dict[str, Any] = {"data": data} if data is not None else {"json": json} if json is not None else {}
        request = self._client.build_request(method, url, params=_query(params), headers=headers, **body)
        asked, its_turn = f"{method} {request.url.path}", False
        try:
            async with asyncio.timeout(TOTAL_SECONDS), turns:
                its_turn = True
                return await self._exchange(request, asked)
        except (TimeoutError, httpx.TimeoutException) as error:
            problem, asked_already = "no answer in time", its_turn and not isinstance(error, _NOT_ASKED)
        except httpx.HTTPError as error:
            problem, asked_already = type(error).__name__, not isinstance(error, _NOT_ASKED)
        # Outside of the handler, so that the vendor's exception (its text may hold a header) is not even its context.
        down = ProviderDown(f"{asked}: {problem}")
        down.unanswered = asked_already
        raise down

    async def _exchange(self, request: httpx.Request, asked: str) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            asked = f"{asked}: {response.status_code}"
            if response.is_redirect:
                raise ProviderUnreadable(f"{asked}, and redirects are not followed")
            body = await _body(response, asked)
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, _parsed(body, response.is_success, asked))


@asynccontextmanager
async def open_http(allowed: Iterable[str]) -> AsyncIterator[Http]:
    """Open the client, for the hosts of these base URLs only, each by its own scheme: https, or an operator's http."""
    for name in ("httpx", "httpcore"):  # at INFO they write every URL with its query (LOG-2)
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    async with httpx.AsyncClient(
        headers=_HEADERS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield Http(client, frozenset(_origin(base) for base in allowed))


def _query(params: Params | None) -> httpx.QueryParams | None:
    return None if params is None else httpx.QueryParams(params if isinstance(params, Mapping) else tuple(params))


_PORTS = {"https": 443, "http": 80}


def _origin(url: str) -> Origin:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("That is not a URL.") from None
    if parsed.scheme not in _PORTS or not parsed.host or parsed.userinfo:
        raise ValueError("Moments asks https and http URLs with a host and without a user.")
    return Origin(parsed.scheme, parsed.host, parsed.port or _PORTS[parsed.scheme])


async def _body(response: httpx.Response, asked: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_BYTES:
            raise ProviderUnreadable(f"{asked}, longer than {BODY_BYTES} bytes")
    return bytes(body)


def _parsed(body: bytes, success: bool, asked: str) -> object:
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if not success:
            return None  # a proxy's error page; the status says what there is to know
    raise ProviderUnreadable(f"{asked}, not JSON")  # outside: the decoder's error holds the whole body
