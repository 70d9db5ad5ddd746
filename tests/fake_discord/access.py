"""What every API route does alike: write the request down, who asks, rate limits, and both documents' checks."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.fake_discord.rates import Rates
from tests.fake_discord.spec import Checks
from tests.fake_discord.wire import BODY, FILES, failure, read
from tests.fake_discord.world import DiscordError, Request, World

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]
PREFIXES = ("/api/v10", "/api")


def plain(path: str) -> str:
    """What follows the API's version."""
    prefix = next((each for each in PREFIXES if path.startswith(f"{each}/")), "")
    return path.removeprefix(prefix)


class Access:
    """The door of the API."""

    def __init__(self, world: World, token: str, checks: Checks | None, rates: Rates) -> None:
        self._world, self._token, self._checks, self._rates = world, token, checks, rates
        self.bearer: Callable[[str], bool] = lambda token: False

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Writes the request down, answers it, and notes the status."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        written = Request(request.method, request.path, None, self._world.now(), token_kind=self.kind(request))
        self._world.requests.append(written)
        try:
            request[BODY], request[FILES] = await read(request)
            written.body = request[BODY]
            written.files = dict(request[FILES].values())
            self._world.changed()
            response = await handler(request)
        except DiscordError as error:
            response = failure(error)
        except web.HTTPRedirection as error:
            written.status = error.status
            raise
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            self._world.violations.append(f"{request.method} {plain(request.path)[:60]}: no such route")
            response = failure(DiscordError(404, 0, "404: Not Found"))
        except Exception as error:  # aiohttp would only log it, and the test would wonder about a 500
            self._world.violations.append(f"the fake itself failed: {error!r}")
            raise
        if request.transport is not None and not request.transport.is_closing():
            written.status = response.status
        self._world.changed()
        return response

    def guard(self, route: Route, *, bot: bool) -> Handler:
        """Lets only the bot in (or, without `bot`, whoever knows the path's own token), and counts."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if bot and self.kind(request) != "bot":
                raise DiscordError(401, 0, "401: Unauthorized")
            headers, limited = self._rates.spend(request, whole=bot)
            if limited:
                return failure(limited, headers)
            if self._checks:
                self._checks.request(request.method, plain(request.path), request[BODY])
            try:
                response = await route(request)
            except DiscordError as error:
                response = failure(error)
            response.headers.update(headers)
            body = response.body if isinstance(response, web.Response) else None
            if self._checks:
                self._checks.response(request.method, plain(request.path), response.status, body)
            return response

        return guarded

    def kind(self, request: web.Request) -> str:
        """Whose token it bears."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if not value:
            return "none"
        if scheme == "Bot" and value == self._token:
            return "bot"
        return "user" if scheme == "Bearer" and self.bearer(value) else "unknown"
