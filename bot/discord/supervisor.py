"""Keeps Discord running: a fresh client per attempt, health from outside, and no end but being cancelled."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import discord
import structlog

from bot.attempts import State, States, again_and_again, named
from bot.discord.catalogue import keep_synced
from bot.discord.client import DiscordClient, NoMoreStarts, invite_url
from bot.discord.rest import Rest
from bot.lock import PlatformLock
from bot.settings import DiscordSettings
from bot.tasks import together
from commands import joining
from commands.services import Services
from moments.errors import MomentsError, StoreError
from moments.wording import counted

PLATFORM = "discord"

CONNECTING, READY = "connecting", "ready"
REFUSED = "Discord refuses MOMENTS_DISCORD_TOKEN"
_BAD_TOKEN, _BAD_INTENTS = 4004, 4014

_log = structlog.get_logger("discord_bot")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are looked at, in seconds."""

    look: float = 2.0
    lock: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    healthy_for: float = 300.0
    """After so long without trouble the pauses begin anew with the shortest."""
    start: float = 60.0
    """What a start may take, from the first socket until Discord has told of every server; and for each shard as long
    again as sessions are apart.
    """
    resume: float = 60.0
    """A shard that said nothing for so long is resumed: Discord says something every 41 seconds."""
    silence: float = 90.0
    """Where even that did not help, everything is built anew."""
    between_starts: float = 5.0
    """Between two sessions, as Discord asks."""
    drain: float = 5.0


USUAL = Pace()


class Unhealthy(MomentsError):
    """Connected, and yet not: everything has to be built anew."""


class Intake(Protocol):
    """What hears interactions."""

    def take(self, payload: Mapping[str, Any]) -> None:
        """Take one; returns at once."""

    async def drain(self, seconds: float) -> None:
        """Take nothing more, and finish what was taken within so many seconds."""


class Poster(Protocol):
    """What keeps the posts of feeds true."""

    async def run(self) -> None:
        """Post until cancelled."""

    async def drain(self, seconds: float) -> None:
        """Post what may still be posted within so many seconds, then end."""


class Supervisor:
    """One process's Discord. `run` ends only by being cancelled; whatever else goes wrong is tried again."""

    def __init__(
        self,
        services: Services,
        settings: DiscordSettings,
        states: States,
        rest: Rest,
        intake: Intake,
        poster: Poster,
        commands: list[dict[str, Any]],
        pace: Pace,
    ) -> None:
        self._services, self._settings, self._rest = services, settings, rest
        self._intake, self._poster, self._commands, self._pace = intake, poster, commands, pace
        self._say = State(states, PLATFORM).say
        self._drained = False
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(self, lock: PlatformLock) -> None:
        """Wait until this process is the only one, then stay connected; at the end what was taken is answered."""
        await lock.wait(self._say, self._pace.lock)
        try:
            await together(
                again_and_again(self._attempt, self._failed, self._pace),
                again_and_again(self._poster.run, self._not_posted, self._pace),
            )
        finally:
            await self._drain()

    def _failed(self, error: Exception) -> bool:
        why = sentence(error)
        self._say(f"down: {why}")
        # Never the text of what discord.py and aiohttp raise: it holds Discord's own words, and URLs (LOG-3).
        _log.warning("Discord is down; trying again", why=why, error=named(error))
        return why == REFUSED  # asking often mends nothing, and is counted against us

    def _not_posted(self, error: Exception) -> None:
        """What a feed missed is found by its next look."""
        _log.error("the feeds stopped; they begin anew", exc_info=error)

    async def _attempt(self) -> None:
        self._say(CONNECTING)
        client = DiscordClient(
            self._settings,
            self._intake.take,
            self._guild_gone,
            silence=self._pace.resume,
            between_starts=self._pace.between_starts,
        )
        async with client:
            await client.enter()
            self._rest.bind(client)
            try:
                await together(client.stay(), self._look_after(client), self._tell_of_commands())
            except asyncio.CancelledError:
                await self._drain()  # while there is somebody to answer through
                raise
            finally:
                self._rest.unbound()
        raise Unhealthy("the connection ended by itself")

    async def _look_after(self, client: DiscordClient) -> None:
        """Raise when it is not connected in time, or any more."""
        shards = client.shard_count or 1
        async with asyncio.timeout(self._pace.start + shards * self._pace.between_starts):
            await client.wait_until_ready()
        _log.info("connected to Discord", servers=len(client.servers), invite=invite_url(self._rest.application_id))
        await self._catch_up(client)
        while True:
            if client.silent_for() > self._pace.silence:
                raise Unhealthy("Discord has fallen silent")
            self._say(READY if client.listens else CONNECTING)
            await asyncio.sleep(self._pace.look)

    async def _tell_of_commands(self) -> None:
        await keep_synced(self._services, self._rest, self._commands)
        await asyncio.get_running_loop().create_future()  # all else goes on

    # --- servers that let the bot go

    async def _catch_up(self, client: DiscordClient) -> None:
        await self._noted(joining.reconcile(self._services, client.servers, self._services.clock()))

    def _guild_gone(self, guild_id: str) -> None:
        left = joining.guild_left(self._services, guild_id, self._services.clock())
        task = asyncio.create_task(self._noted(left), name=f"leave discord server {guild_id}")
        self._leaving.add(task)  # the loop itself holds it only weakly
        task.add_done_callback(self._leaving.discard)

    async def _noted(self, work: Coroutine[Any, Any, None]) -> None:
        """What cannot be noted now is caught up with after the next connect."""
        try:
            await work
        except MomentsError as error:
            _log.warning("a server the bot has left could not be noted yet", error=str(error))
        except Exception:
            _log.exception("a server the bot has left could not be noted")

    # --- both

    async def _drain(self) -> None:
        if not self._drained:
            self._drained = True
            await self._intake.drain(self._pace.drain)
            await self._poster.drain(self._pace.drain)
            await asyncio.gather(*self._leaving)


async def run_discord(
    services: Services,
    settings: DiscordSettings,
    states: States,
    *,
    rest: Rest,
    intake: Intake,
    poster: Poster,
    commands: list[dict[str, Any]],
    pace: Pace = USUAL,
) -> None:
    """Run Discord until cancelled; then nothing more is taken, and what was taken is finished and answered."""
    lock = PlatformLock(services.store.path, PLATFORM)
    try:
        await Supervisor(services, settings, states, rest, intake, poster, commands, pace).run(lock)
    finally:
        lock.release()


def sentence(error: Exception) -> str:
    """Why Discord is down, for people; never with a secret in it."""
    match error:
        case Unhealthy():
            return str(error)
        case discord.LoginFailure() | discord.PrivilegedIntentsRequired():
            return REFUSED
        case discord.ConnectionClosed(code=code):
            return REFUSED if code in {_BAD_TOKEN, _BAD_INTENTS} else f"Discord ended the connection ({code})"
        case NoMoreStarts(seconds=seconds):
            return f"Discord allows no more logins for {counted(round(seconds / 60) or 1, 'minute')}"
        case discord.RateLimited() | discord.HTTPException(status=429):
            return "Discord asks us to wait"
        case discord.HTTPException(status=status) if status < 500:
            return f"Discord answers what Moments does not understand ({status})"
        case discord.HTTPException() | discord.GatewayNotFound() | OSError() | aiohttp.ClientError():
            return "Discord cannot be reached"
        case StoreError():
            return "the store cannot be used; the log says more"
        case _:
            return f"something broke on our side ({type(error).__name__})"
