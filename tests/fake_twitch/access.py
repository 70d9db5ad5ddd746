"""What every Helix route does alike: who asks, errors in Twitch's shape, the points of the rate limit, pages."""

import base64
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.fake_twitch.oauth import parameters
from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, Json, Request, World

T = TypeVar("T")
Route = Callable[[web.Request, Token], Awaitable[web.Response]]
MINUTE = timedelta(minutes=1)


def page(data: Sequence[Json], pagination: Json) -> Json:
    return {"data": list(data), "pagination": pagination}


def take_page(items: Sequence[T], query: Mapping[str, str], most: int, usual: int = 100) -> tuple[Sequence[T], Json]:
    """The page that `first` (`usual` unless asked, never above `most`) and `after` want, and the way to the next."""
    first = query.get("first", str(usual))
    if not first.isdigit() or not 1 <= int(first) <= 100:
        raise ApiError(400, "The value in the first query parameter is not valid")
    try:
        start = int(base64.urlsafe_b64decode(query.get("after") or "MA=="))
    except ValueError:
        raise ApiError(400, "The cursor specified in the after query parameter is not valid") from None
    end = start + min(int(first), most)
    more = end < len(items)
    return items[start:end], {"cursor": base64.urlsafe_b64encode(str(end).encode()).decode()} if more else {}


async def json_body(request: web.Request) -> Json:
    """The request's JSON object; a query string alone counts too, since twitchio puts conduits' fields there."""
    text = await request.read()
    try:
        body = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise ApiError(400, "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The request body is not a JSON object")
    return dict(request.query) | body


class Access:
    """The door of Helix. `points` a minute for the app, and as many for each person's tokens."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world, self._tokens = world, tokens
        self.points = 800
        self._spent: dict[str | None, deque[datetime]] = {}

    def guard(self, route: Route) -> Handler:
        """Let only good tokens through, and count their points."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            token = self._tokens.of_request(request)
            headers = self._spend(token)
            try:
                answer = await route(request, token)
            except ApiError as error:
                answer = failure(error)
            answer.headers.update(headers)
            return answer

        return guarded

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Writes the request down, then answers it; errors come out in Twitch's shape."""
        if not request.path.startswith(("/helix/", "/oauth2/")):
            return await handler(request)
        await request.read()
        token = self._tokens.known(request.headers.get("Authorization", "").partition(" ")[2])
        kind = token.kind if token else "unknown" if "Authorization" in request.headers else "none"
        form = await parameters(request) if request.path.startswith("/oauth2/") else {}
        user_id = token.user_id if token else None
        self._world.requests.append(
            Request(
                request.method,
                request.path,
                request.query,
                await _json(request),
                form,
                kind,
                user_id,
                self._world.clock(),
            )
        )
        self._world.changed()
        try:
            return await handler(request)
        except ApiError as error:
            return failure(error)

    def _spend(self, token: Token) -> dict[str, str]:
        now = self._world.clock()
        spent = self._spent.setdefault(token.user_id, deque())
        while spent and spent[0] <= now - MINUTE:
            spent.popleft()
        full = len(spent) >= self.points
        if not full:
            spent.append(now)
        reset = math.ceil((spent[0] + MINUTE if spent else now).timestamp())
        left = self.points - len(spent)
        headers = {"Ratelimit-Limit": self.points, "Ratelimit-Remaining": left, "Ratelimit-Reset": reset}
        if full:
            raise _TooMany({name: str(value) for name, value in headers.items()})
        return {name: str(value) for name, value in headers.items()}


class _TooMany(ApiError):
    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(429, "Too Many Requests")
        self.headers = headers


def failure(error: ApiError) -> web.Response:
    """The error as Twitch words it."""
    body = {"error": HTTPStatus(error.status).phrase, "status": error.status, "message": error.message}
    headers = error.headers if isinstance(error, _TooMany) else None
    return web.json_response(body, status=error.status, headers=headers)


async def _json(request: web.Request) -> object:
    text = await request.read()
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
