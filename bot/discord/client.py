"""discord.py's sharded client, kept to what it is good for here: the gateway's sockets, and login.

It keeps no servers, members or messages and makes no objects of events: an interaction is handed on as it came.
"""

import asyncio
import logging
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Self, cast
from urllib.parse import urlencode

import discord
import discord.http
import discord.shard
import structlog
import yarl
import zstandard
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from bot.discord.audience import Audience
from bot.discord.permissions import EMBED_LINKS, SEND_MESSAGES, VIEW_CHANNEL
from bot.discord.translate import THREADS, left_out
from bot.settings import DiscordSettings

INVITE_PERMISSIONS = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS
"""To see channels, send messages and embed links; nothing else (PLAT-1)."""
LOGIN_SECONDS = 30.0
SPARE_STARTS = 20
"""Discord allows 1,000 sessions a day and resets the token of who takes more: the last ones are left alone."""
LONGEST_RATE_LIMIT = 30.0
"""Seconds a call waits by itself when Discord says so; with longer ones its caller is told (the shortest possible)."""
MOST_CHANNELS = 50_000
"""Channels whose names are kept, of all servers together: the oldest give way."""

_RESUME_PAUSES = (0.2, 0.5, 1.0)

_WITH_THREADS = (0, 5, 15, 16)
"""The types of channels that threads are in: text, announcements, forums, media."""

Payload = Mapping[str, Any]

_BREAKS = (ReconnectWebSocket, discord.DiscordException, OSError, zstandard.ZstdError, zlib.error)
"""What ends a socket; all else that a frame makes discord.py raise is the frame's own fault."""

_log = structlog.get_logger("discord_bot")


def invite_url(application_id: str) -> str:
    """Where a server's owner lets the bot in, with as little as it needs (PLAT-1)."""
    query = {"client_id": application_id, "scope": "bot applications.commands", "permissions": INVITE_PERMISSIONS}
    return f"https://discord.com/oauth2/authorize?{urlencode(query)}"


class NoMoreStarts(Exception):
    """Discord would soon allow no more sessions today."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"until then {seconds:.0f} s")
        self.seconds = seconds


class Socket(DiscordWebSocket):
    """A shard's socket that survives events nobody can read, and resumes only where Discord is (PLAT-3)."""

    @classmethod
    async def from_client(cls, client: Any, **options: Any) -> Self:  # noqa: ANN401 -- as discord.py has it
        """Connect. A failure ends the whole attempt: discord.py would wait by itself, up to a quarter of an hour.

        A session that could be resumed is not given up at once: what happened meanwhile comes with it.
        """
        pauses = [*_RESUME_PAUSES] if options.get("resume") else []
        while True:
            try:
                return await super().from_client(client, **options)
            except ReconnectWebSocket:
                raise
            except Exception as error:
                if not pauses:
                    client.hindered(error)
                    raise
            await asyncio.sleep(pauses.pop(0))

    @property
    def gateway(self) -> yarl.URL:
        """Where a resume goes."""
        return self._gateway

    @gateway.setter
    def gateway(self, url: yarl.URL) -> None:
        self._gateway = url if is_discords(url, self.DEFAULT_GATEWAY) else self.DEFAULT_GATEWAY

    async def received_message(self, msg: Any, /) -> None:  # noqa: ANN401 -- text or bytes
        """Take a frame; one that cannot be read is left out, and counted (PLAT-5)."""
        # discord.py's sockets know their client no other way.
        client = cast("DiscordClient", self._connection._get_client())  # noqa: SLF001
        client.heard(self)
        try:
            await super().received_message(msg)
        except _BREAKS:
            raise
        except Exception as error:
            if self._keep_alive is None:  # not even a greeting
                raise
            client.leave_out(error)


class DiscordClient(discord.AutoShardedClient):
    """One attempt at being connected: made, run and closed once."""

    def __init__(
        self,
        settings: DiscordSettings,
        on_interaction: Callable[[Payload], None],
        on_guild_gone: Callable[[str], None],
        *,
        silence: float = 60.0,
        between_starts: float = 5.0,
    ) -> None:
        """`on_interaction` gets each interaction's payload, with its server's name where that is known, and a thread's
        with its channel's as `parent_name`; and its channel as `hidden` that is not for everybody in the server.
        `on_guild_gone` gets the id of a server that let the bot go.

        Nothing heard for `silence` seconds makes a shard resume; Discord wants `between_starts` between sessions.
        """
        _point_at(settings)
        logging.getLogger("discord").setLevel(logging.CRITICAL + 1)  # its texts hold URLs and Discord's own words
        super().__init__(**_options(silence))
        self._settings, self._between_starts = settings, between_starts
        self._on_interaction, self._on_guild_gone = on_interaction, on_guild_gone
        self._sockets: dict[int, tuple[Socket, float]] = {}
        self._names: dict[str, str] = {}
        self._channels: dict[tuple[str, str], str] = {}
        self._audience = Audience()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connecting: asyncio.Task[None] | None = None
        self._theirs = self._connection.parsers
        self._connection.parsers = self._parsers()

    async def __aexit__(self, *_: object) -> None:
        """Close every socket; also one that was only half open, whose thread would go on beating."""
        await self.close()
        for socket, _heard in self._sockets.values():
            await socket.close(code=1000)
        # Only now: before, discord.py takes being cancelled for the end of one shard, and goes on.
        left = [self._end, *([self._connecting] if self._connecting else [])]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def enter(self) -> None:
        """Log in; to be called first, inside of `async with`. Raises discord.py's errors, and NoMoreStarts."""
        async with asyncio.timeout(LOGIN_SECONDS):
            await self.login(self._settings.token.get_secret_value())
            self.shard_count, _, starts = await self.http.get_bot_gateway()
        if starts["remaining"] < self.shard_count + SPARE_STARTS < starts["total"]:
            raise NoMoreStarts(starts["reset_after"] / 1000)

    async def stay(self) -> None:
        """Be connected, after `enter`, until the block ends; raises what hinders it."""
        self._connecting = asyncio.create_task(self.connect(), name="discord gateway")
        await asyncio.wait({self._connecting, self._end}, return_when=asyncio.FIRST_COMPLETED)
        await (self._end if self._end.done() else self._connecting)

    @property
    def listens(self) -> bool:
        """Whether every shard is connected just now."""
        return self.is_ready() and all(not shard.is_closed() for shard in self.shards.values())

    def silent_for(self) -> float:
        """Seconds since anything was heard from the shard that has been silent for the longest."""
        now = asyncio.get_running_loop().time()
        return max((now - heard for _, heard in self._sockets.values()), default=0.0)

    @property
    def servers(self) -> frozenset[str]:
        """Ids of the servers the bot is in; all of them once it is ready."""
        return frozenset(self._names)

    async def before_identify_hook(self, _shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for Discord's turn; discord.py asks."""
        if not initial:
            await asyncio.sleep(self._between_starts)

    # --- told by the sockets

    def heard(self, socket: Socket) -> None:
        """A frame came."""
        self._sockets[socket.shard_id or 0] = socket, asyncio.get_running_loop().time()

    def hindered(self, error: Exception) -> None:
        """A socket could not be opened."""
        if not self._end.done():
            self._end.set_exception(error)

    def leave_out(self, error: Exception) -> None:
        """An event could not be read."""
        left_out["event"] += 1
        _log.warning("a Discord event was left out", error=type(error).__name__)

    # --- events

    def _parsers(self) -> dict[str, Callable[[Any], Any]]:
        """All others are not even looked at."""
        return {
            "READY": self._take_ready,
            "RESUMED": self._theirs["RESUMED"],
            "INTERACTION_CREATE": self._take_interaction,
            "GUILD_CREATE": self._take_guild,
            "GUILD_UPDATE": self._take_guild,
            "GUILD_DELETE": self._take_guild_gone,
            "GUILD_ROLE_UPDATE": lambda data: self._audience.take_role(str(data["guild_id"]), data["role"]),
            "CHANNEL_CREATE": self._take_channel,
            "CHANNEL_UPDATE": self._take_channel,
            "CHANNEL_DELETE": self._take_channel_gone,
        }

    def _take_ready(self, data: dict[str, Any]) -> None:
        """Discord lists a shard's servers: by id here, by name in events of their own.

        Those that let the bot go while a session was lost are missing, and no event ever tells of them.
        """
        present, (number, of) = {_id(guild) for guild in data.get("guilds", ())}, data.get("shard", (0, 1))
        for gone in [each for each in self._names if each not in present and (int(each) >> 22) % of == number]:
            self._take_guild_gone({"id": gone})
        for guild in present:
            self._names.setdefault(guild, "")
            self._audience.await_guild(guild)  # what changed while the session was lost is told with the server
        self._theirs["READY"]({**data, "guilds": []})  # it would keep them all

    def _take_interaction(self, data: dict[str, Any]) -> None:
        guild, channel = data.get("guild"), data.get("channel")
        server = str(guild.get("id")) if isinstance(guild, dict) else ""
        if isinstance(guild, dict) and (name := self._names.get(server)):
            data = {**data, "guild": {**guild, "name": name}}
        if isinstance(channel, dict):
            around = str(channel.get("parent_id" if channel.get("type") in THREADS else "id"))
            parent = self._channels.get((server, str(channel.get("parent_id"))))
            named = {"parent_name": parent} if parent else {}
            hidden = {"hidden": True} if server and self._audience.is_hidden(server, around) else {}
            data = {**data, "channel": {**channel, **named, **hidden}}
        self._on_interaction(data)

    def _take_guild(self, data: Payload) -> None:
        guild = _id(data)
        self._names[guild] = str(data.get("name") or self._names.get(guild, ""))  # while it is down it has none
        if "channels" in data:  # an update has none
            self._audience.await_guild(guild)
        for channel in data.get("channels") or ():
            self._take_channel({**channel, "guild_id": guild})
        self._audience.take_roles(guild, data)  # last: should a channel be unreadable, all are hidden

    def _take_guild_gone(self, data: Payload) -> None:
        if not data.get("unavailable"):
            self._names.pop(data["id"], None)
            self._audience.forget_guild(data["id"])
            self._channels = {there: name for there, name in self._channels.items() if there[0] != data["id"]}
            self._on_guild_gone(data["id"])

    def _take_channel(self, data: Payload) -> None:
        """A command in a thread says which channel that is in, but not its name."""
        self._audience.take_channel(data["guild_id"], data)
        if data["type"] in _WITH_THREADS:
            self._channels[data["guild_id"], data["id"]] = str(data.get("name") or "")
            if len(self._channels) > MOST_CHANNELS:
                del self._channels[next(iter(self._channels))]

    def _take_channel_gone(self, data: Payload) -> None:
        self._channels.pop((data["guild_id"], data["id"]), None)
        self._audience.forget_channel(data["guild_id"], data["id"])


def is_discords(url: yarl.URL, configured: yarl.URL) -> bool:
    """Whether a resume address may be used: within Discord's own domain, or the one host that was configured."""
    if (url.scheme, url.port, url.user) != (configured.scheme, configured.port, None):
        return False
    return url.host == configured.host or all((each.host or "").endswith(".discord.gg") for each in (url, configured))


def _id(of: Payload) -> str:
    """An id, whose number is kept in mind; ValueError for what is none."""
    return str(int(of["id"]))


def _options(silence: float) -> dict[str, Any]:
    """discord.py's own: nothing is kept, nobody is mentioned."""
    intents = discord.Intents.none()
    intents.guilds = True  # their names, and that they let the bot go; interactions come without any (PLAT-1)
    return {
        "intents": intents,
        "max_messages": None,
        "guild_ready_timeout": 0,
        "chunk_guilds_at_startup": False,
        "member_cache_flags": discord.MemberCacheFlags.none(),
        "allowed_mentions": discord.AllowedMentions.none(),
        "heartbeat_timeout": silence,
        "max_ratelimit_timeout": LONGEST_RATE_LIMIT,
    }


def _point_at(settings: DiscordSettings) -> None:
    """Where Discord is, for the whole process: discord.py knows it in class attributes only (research/discord.md §1).

    Real unless the settings say otherwise.
    """
    discord.http.Route.BASE = f"{settings.api_url}/v10"
    Socket.DEFAULT_GATEWAY = yarl.URL(settings.gateway_url)
    discord.shard.DiscordWebSocket = Socket  # type: ignore[misc]  # a class is no variable; there is no other way in
