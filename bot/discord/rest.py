"""The one way to Discord over HTTP, and the one place where its errors become ours; none of its texts is kept.

What the bot does by itself goes through discord.py's client, for its rate limits. Answers to interactions do not: they
need no login, must not wait for a client that is being built anew, and have three seconds, of which discord.py would
sleep one after the first stumble (research/discord.md §2).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import discord
import orjson
import yarl
from discord.http import Route

from bot.settings import DiscordSettings
from moments.errors import (
    NotAuthorised,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
    ProviderUnreadable,
)

ACKNOWLEDGED = "40060"
"""Discord's code for an interaction that was answered already."""
CALL_SECONDS = 30.0
"""What a call of the bot's own may take, discord.py's waiting and repeating included."""
ANSWER_SECONDS = 8.0
"""What one try of an answer may take."""
ANSWER_TRIES = 5
LONGEST_WAIT = 60.0
"""Seconds an answer waits when Discord says so."""
SHORTEST_TRY, SHARE = 0.4, 0.7
"""Seconds a try to acknowledge gets at least; else this share of what is left, so that there is another."""
SOCKETS = 200
"""At once: as many as a burst of commands needs (research/discord.md §3.6)."""
BODY_BYTES = 1 << 20
_FIRST_PAUSE = 0.1
_EPHEMERAL = 1 << 6
_NEWEST = {"limit": "100"}
_JSON = {"Content-Type": "application/json"}
"""Of requests with a body alone: Discord tries to read one that is not there (400 50109)."""
_NOT_HEARD = frozenset({502, 504})
"""Said by who stands between Discord and us, and does not know either whether it was done."""

Body = Mapping[str, Any]


class Posted(NamedTuple):
    """Where an answer stands; empty where Discord did not say."""

    channel_id: str = ""
    message_id: str = ""
    ephemeral: bool = False
    """For its caller alone."""


class _Answer(NamedTuple):
    status: int
    json: Any
    retry_after: float


class Rest:
    """Every call raises ProviderDown, ProviderBusy, NotAuthorised, ProviderRefused (with Discord's number in `code`)
    and ProviderUnreadable. Bodies go as they are: whoever makes them says `allowed_mentions`.
    """

    def __init__(self, settings: DiscordSettings, session: aiohttp.ClientSession) -> None:
        self._base = f"{settings.api_url}/v10"
        self._session = session
        self._client: discord.Client | None = None
        self.application_id = ""
        """Whose interactions these are; known from the first login on."""

    def bind(self, client: discord.Client) -> None:
        """From now on the bot's own calls go through this client, which is logged in."""
        self._client = client
        self.application_id = str(client.application_id)

    def unbound(self) -> None:
        """There is no client for a while: the bot's own calls raise ProviderDown."""
        self._client = None

    # --- answers to an interaction, by its token

    async def callback(self, interaction_id: str, token: str, body: Body, *, deadline: float) -> None:
        """Acknowledge an interaction, again and again until `deadline` (of the event loop's clock).

        An answer of ours that arrived although we did not hear so is fine: 40060 counts as refused only at first try.
        """
        path = f"/interactions/{interaction_id}/{quote(token, safe='')}/callback"
        clock, pause, lost = asyncio.get_running_loop().time, _FIRST_PAUSE, False
        while True:
            left = deadline - clock()
            try:
                await self._ask("POST", path, "/interactions/…/callback", body, max(SHARE * left, SHORTEST_TRY))
            except ProviderRefused as error:
                if not (lost and error.code == ACKNOWLEDGED):
                    raise
                return
            except (ProviderDown, ProviderBusy) as error:
                pause = max(pause, error.retry_after) if isinstance(error, ProviderBusy) else pause
                if clock() + pause >= deadline:
                    raise
                lost = lost or isinstance(error, ProviderDown)
            else:
                return
            await asyncio.sleep(pause)
            pause *= 2

    async def edit_original(self, token: str, body: Body) -> Posted:
        """Change the answer to an interaction, or give it after a deferred one; for 15 minutes after it."""
        return _posted(await self._answer("PATCH", token, "/messages/@original", body))

    async def delete_original(self, token: str) -> None:
        """Take the answer away; one that is gone already is fine."""
        try:
            await self._answer("DELETE", token, "/messages/@original", None)
        except ProviderRefused as error:
            if error.status != 404:
                raise

    async def follow_up(self, token: str, body: Body, *, again: bool = False) -> None:
        """Say something more. Where nobody knows whether it arrived it is not said again, but with `again`: that is
        for the only answer there is, which is better said twice than never.
        """
        await self._answer("POST", token, "", body, again=again)

    async def _answer(self, method: str, token: str, path: str, body: Body | None, *, again: bool = True) -> object:
        pause = _FIRST_PAUSE
        full, asked = f"/webhooks/{self.application_id}/{quote(token, safe='')}{path}", f"/webhooks/…{path}"
        for left in reversed(range(ANSWER_TRIES)):
            try:
                return await self._ask(method, full, asked, body, ANSWER_SECONDS)
            except ProviderBusy as error:
                if not left or error.retry_after > LONGEST_WAIT:
                    raise
                pause = max(pause, error.retry_after)
            except ProviderDown as error:
                if not left or (error.unanswered and not again):
                    raise
            await asyncio.sleep(pause)
            pause *= 3
        return None

    async def _ask(self, method: str, path: str, asked: str, body: Body | None, seconds: float) -> object:
        """Ask once, for JSON; `asked` stands for the path in errors, since that holds the interaction's token."""
        down = ProviderDown(f"{method} {asked}: no answer")
        try:
            answer = await self._exchange(method, path, body, seconds)
        except (TimeoutError, aiohttp.ClientError) as error:
            down.unanswered = not isinstance(error, aiohttp.ClientConnectorError)
        else:
            refused = _error(f"{method} {asked}", answer.status, _code(answer.json), answer.retry_after)
            if refused is None:
                return answer.json
            if isinstance(refused, ProviderDown):
                refused.unanswered = answer.status in _NOT_HEARD
            raise refused
        raise down  # outside of the handler: aiohttp's own words hold the URL, and the token in it

    async def _exchange(self, method: str, path: str, body: Body | None, seconds: float) -> _Answer:
        async with self._session.request(
            method,
            yarl.URL(self._base + path, encoded=True),
            data=None if body is None else orjson.dumps(body),
            headers=None if body is None else _JSON,
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            read = bytearray()
            async for some in response.content.iter_any():  # also what nobody looks at, or the socket is of no more use
                read += some[: BODY_BYTES - len(read)]
            parsed = _parsed(bytes(read))
            return _Answer(response.status, parsed, _seconds(response.headers, parsed))

    # --- the bot's own calls

    async def post(self, channel_id: str, body: Body) -> str:
        """Post a message; its id. With `nonce` and `enforce_nonce` in the body asking again posts it once."""
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
        posted = await self._call(route, body)
        message_id = posted.get("id") if isinstance(posted, dict) else None
        if not isinstance(message_id, str):
            raise ProviderUnreadable("POST /channels/{channel_id}/messages, without a message")
        return message_id

    async def edit(self, channel_id: str, message_id: str, body: Body) -> None:
        """Change a message of ours."""
        await self._call(_message("PATCH", channel_id, message_id), body)

    async def delete(self, channel_id: str, message_id: str) -> None:
        """Take a message of ours away; ProviderRefused 404 when it is gone already."""
        await self._call(_message("DELETE", channel_id, message_id))

    async def messages(self, channel_id: str) -> list[dict[str, Any]]:
        """The newest messages of a channel, the newest first; none also where the bot may not read what was said."""
        found = await self._call(Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id), params=_NEWEST)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ProviderUnreadable("GET /channels/{channel_id}/messages, not messages")
        return found

    async def sync(self, commands: list[dict[str, Any]]) -> None:
        """Let these be the application's commands everywhere, and no others."""
        route = Route("PUT", "/applications/{application_id}/commands", application_id=self.application_id)
        await self._call(route, commands)

    async def get(self, path: str, **ids: str) -> dict[str, Any]:
        """What Discord says of something: `get("/guilds/{guild_id}", guild_id=…)`."""
        found = await self._call(Route("GET", path, **ids))
        if not isinstance(found, dict):
            raise ProviderUnreadable(f"GET {path}, not an object")
        return found

    async def _call(self, route: Route, body: object = None, **options: Any) -> Any:  # noqa: ANN401 -- parsed JSON
        if self._client is None:
            raise ProviderDown(f"{route.key}: not connected to Discord")
        failed: ProviderError
        try:
            async with asyncio.timeout(CALL_SECONDS):
                options |= {} if body is None else {"json": body}
                return await self._client.http.request(route, allow_redirects=False, **options)
        except discord.HTTPException as error:
            answer = _error(route.key, error.status, str(error.code or ""), _seconds(error.response.headers, None))
            failed = answer or ProviderUnreadable(f"{route.key}: {error.status}")
            if isinstance(failed, ProviderDown):
                failed.unanswered = True  # the last of discord.py's own tries: nobody knows what became of the others
        except discord.RateLimited as error:
            failed = ProviderBusy(f"{route.key}: 429", error.retry_after)
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError among them
            failed = ProviderDown(f"{route.key}: {type(error).__name__}")
            failed.unanswered = not isinstance(error, aiohttp.ClientConnectorError)
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            # aiohttp's for a session that was closed meanwhile, discord.py's for an answer in no shape it knows.
            failed = ProviderDown(f"{route.key}: {type(error).__name__}")
            failed.unanswered = True
        raise failed  # outside of the handlers: Discord's own words are not even its context


@asynccontextmanager
async def open_rest(settings: DiscordSettings, site: str) -> AsyncIterator[Rest]:
    """Discord over HTTP, until the block ends; `site` is where who we are can be read."""
    connector, cookies = aiohttp.TCPConnector(limit=SOCKETS), aiohttp.DummyCookieJar()
    who = {"User-Agent": f"DiscordBot ({site}, {version('moments')})"}
    async with aiohttp.ClientSession(connector=connector, cookie_jar=cookies, headers=who) as session:
        yield Rest(settings, session)


def _message(method: str, channel_id: str, message_id: str) -> Route:
    path = "/channels/{channel_id}/messages/{message_id}"
    return Route(method, path, channel_id=channel_id, message_id=message_id)


def _error(asked: str, status: int, code: str, retry_after: float) -> ProviderError | None:
    """What a status means; None when all is well. The text is method, path, status and code, never Discord's own."""
    said = f"{asked}: {status} {code}".rstrip()
    match status:
        case 429:
            return ProviderBusy(said, retry_after)
        case 401 if not code:
            return NotAuthorised(said)
        case _ if status >= 500:
            return ProviderDown(said)
        case _ if status >= 400:
            return ProviderRefused(said, status, code)
        case _ if status >= 300:
            return ProviderUnreadable(f"{said}, and redirects are not followed")
    return None


def _posted(message: object) -> Posted:
    """Where a message stands, of what Discord tells of it."""
    told = message if isinstance(message, dict) else {}
    channel_id, message_id, flags = told.get("channel_id"), told.get("id"), told.get("flags", 0)
    if not (isinstance(channel_id, str) and isinstance(message_id, str) and isinstance(flags, int)):
        return Posted()
    return Posted(channel_id, message_id, bool(flags & _EPHEMERAL))


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # a proxy's error page; the status says what there is to know


def _code(parsed: object) -> str:
    code = parsed.get("code") if isinstance(parsed, dict) else None
    return str(code) if isinstance(code, int) and code else ""


def _seconds(headers: Mapping[str, str], parsed: object) -> float:
    """How long to wait after a 429: the body knows it better than the header."""
    said = parsed.get("retry_after") if isinstance(parsed, dict) else None
    try:
        seconds = float(headers.get("Retry-After", "1") if said is None else said)
    except (TypeError, ValueError):
        return 1.0
    return seconds if 0 <= seconds < float("inf") else 1.0
