"""What goes wrong on purpose, on any route of a fake."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

Usual = Callable[[int], tuple[Mapping[str, Any], Mapping[str, str]]]
"""A service's own way to say no, by status: the JSON body, and the headers that go with it."""


@dataclass(slots=True)
class Fault:
    """One planned failure; `times` None is for ever, `used` counts."""

    usual: Usual
    method: str
    path: str
    status: int | None = None
    body: Any = None
    delay: float = 0
    abort: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    after: bool = False
    used: int = 0

    def fits(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatchcase(path, self.path)

    def response(self) -> web.Response:
        status = self.status or 200
        usual, headers = self.usual(status)
        body = usual if self.body is None else self.body
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            body = orjson.dumps(body)
        return web.Response(
            status=status, body=body, content_type="application/json", headers={**headers, **self.headers}
        )


class Faults:
    """Planned failures in order; each request takes the first that fits."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._planned: list[Fault] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        body: Any = None,  # noqa: ANN401 - bytes, text or JSON as is
        delay: float = 0,
        abort: bool = False,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        after: bool = False,
    ) -> Fault:
        """Fail the next `times` requests (None: all) on `path` (`*` matches anything).

        A status or body answers; `delay` seconds pass first, and alone they only delay; `abort` cuts the connection;
        `headers` alone are added to the real answer; `after` lets the request take effect before it goes wrong.
        """
        fault = Fault(self._usual, method.upper(), path, status, body, delay, abort, headers or {}, times, after)
        self._planned.append(fault)
        return fault

    @property
    def unconsumed(self) -> list[str]:
        """Those that were to happen and did not, or not often enough; those for ever are none."""
        left = [fault for fault in self._planned if fault.times is not None]
        return [f"{fault.method} {fault.path}: {fault.used} of {fault.times}" for fault in left]

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._planned.clear()

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self._planned:
            if fault.fits(method, path):
                fault.used += 1
                if fault.times is not None and fault.used >= fault.times:
                    self._planned.remove(fault)
                return fault
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Plays the fault that fits, if any."""
        fault = self.take(request.method, request.path)
        if fault is None:
            return await handler(request)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        answers = fault.abort or fault.status is not None or fault.body is not None
        if not answers or fault.after:
            real = await handler(request)
            real.headers.update(fault.headers)
            if not answers:
                return real
        if fault.abort and request.transport:
            request.transport.abort()
        return fault.response()
