"""A streaming service that answers exactly as a test says, byte for byte, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:  # noqa: ANN401 -- whatever was sent
        return orjson.loads(self.body)


def says(status: int = 200, body: object = None, **headers: str) -> Handler:
    """An answer in JSON, or of these very bytes; header names are written with _ for -."""
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)

    async def handler(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=content, headers=named, content_type="application/json")

    return handler


def rows(*data: object, cursor: str | None = None) -> Handler:
    """A page of Helix."""
    return says(200, {"data": data, "pagination": {"cursor": cursor} if cursor else {}})


class Service:
    """Answers by method and path, in order; the last answer stays. What nobody planned is 404."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._planned: dict[tuple[str, str], list[Handler]] = {}
        self._came = asyncio.Condition()

    def plan(self, method: str, path: str, *answers: Handler) -> None:
        self._planned[method, path] = list(answers)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked]

    async def until_asked(self, count: int) -> None:
        """Wait for that many requests in all."""
        async with asyncio.timeout(10), self._came:
            await self._came.wait_for(lambda: len(self.asked) >= count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query, body = list(request.query.items()), await request.read()
        self.asked.append(Asked(request.method, request.path, query, request.headers, body))
        async with self._came:
            self._came.notify_all()
        planned = self._planned.get((request.method, request.path), [says(404)])
        return await (planned.pop(0) if len(planned) > 1 else planned[0])(request)


@asynccontextmanager
async def running() -> AsyncIterator[Service]:
    """The service on a free port of this machine."""
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield service
    finally:
        await runner.cleanup()
