"""Bodies as they go over HTTP: JSON, a form, JSON with files; and answers in Discord's shape."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from tests.fake_discord.world import DiscordError

BODY: web.RequestKey[Any] = web.RequestKey("body", object)
"""The request's JSON."""
FILES: web.RequestKey[dict[str, tuple[str, bytes]]] = web.RequestKey("files", dict)
"""Uploaded files by their field: name and contents."""


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON, of a content type without a charset: discord.py compares the whole header."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def failure(error: DiscordError, headers: Mapping[str, str] | None = None) -> web.Response:
    return answer(error.body, error.status, headers)


async def read(request: web.Request) -> tuple[Any, dict[str, tuple[str, bytes]]]:
    """The body's JSON (None: there is none) and its files by field; a plain form's fields count as JSON."""
    if request.content_type == "multipart/form-data":
        form = await request.post()
        files = {
            name: (field.filename, field.file.read())
            for name, field in form.items()
            if isinstance(field, web.FileField)
        }
        payload = form.get("payload_json", b"{}")
        return _json(payload.encode() if isinstance(payload, str) else payload), files
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}, {}
    text = await request.read()
    # Who says that there is JSON has to send some: an empty body is refused, a DELETE's too.
    return (_json(text) if text or request.content_type == "application/json" else None), {}


def _json(text: Any) -> Any:  # noqa: ANN401 - a form's field in, JSON out
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise DiscordError(400, 50109, "The request body contains invalid JSON.") from None
