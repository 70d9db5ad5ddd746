"""Keeps Twitch running: a fresh client per attempt, health from outside, and no end but being cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from twitchio.exceptions import WebsocketConnectionException

from bot.attempts import State, States, again_and_again, named
from bot.lock import PlatformLock
from bot.settings import TwitchSettings
from bot.tasks import set_within, together
from bot.twitch.connection import USUAL, Connection, Pace, Unhealthy
from bot.twitch.events import use_cases
from bot.twitch.intake import Hearer, Intake, Mouth, Use
from bot.twitch.subscriptions import BotNotAuthorised
from commands import connecting, streams
from commands.services import Services
from moments.errors import (
    MomentsError,
    NotAuthorised,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
    StoreError,
)
from providers.twitch import TwitchApi

PLATFORM = "twitch"

WAITING = "waiting for authorisation"
CONNECTING = "connecting"

_log = structlog.get_logger("twitch")


class Outbox(Mouth, Protocol):
    """What says our replies."""

    async def drain(self, seconds: float) -> None:
        """Say what may still be said within so many seconds, then end."""


class Supervisor:
    """One process's Twitch. `run` ends only by being cancelled; whatever else goes wrong is tried again."""

    def __init__(
        self,
        services: Services,
        api: TwitchApi,
        settings: TwitchSettings,
        intake: Intake,
        states: States,
        pace: Pace,
        ask: Callable[[], Awaitable[None]],
    ) -> None:
        self._services, self._api, self._settings, self._intake = services, api, settings, intake
        self._say, self._pace, self._ask = State(states, PLATFORM).say, pace, ask
        self._asked = False

    async def run(self, lock: PlatformLock) -> None:
        """Wait until this process is the only one, then stay connected and end what is overdue."""
        await lock.wait(self._say, self._pace.lock)
        await together(again_and_again(self._attempt, self._failed, self._pace), self._end_overdue())

    async def _attempt(self) -> None:
        await self._authorised()
        self._say(CONNECTING)
        await Connection(self._services, self._api, self._settings, self._intake, self._pace, self._say).run()

    def _failed(self, error: Exception) -> None:
        self._say(f"down: {sentence(error)}")
        # Never the text of what twitchio and aiohttp raise: it may hold a URL (LOG-3).
        _log.warning("Twitch is down; trying again", why=sentence(error), error=named(error))

    async def _authorised(self) -> None:
        while not await connecting.bot_is_authorised(self._services):
            self._say(WAITING)
            if not self._asked:
                await self._ask()
                self._asked = True
            await set_within(self._services.changed, self._pace.authorised)
        self._asked = False

    async def _end_overdue(self) -> None:
        while True:
            try:
                await streams.end_overdue(self._services, self._services.clock())
            except MomentsError as error:
                _log.warning("a stream's session could not be ended yet", error=str(error))
            except Exception:
                _log.exception("a stream's session could not be ended")
            await asyncio.sleep(self._pace.overdue)


async def run_twitch(
    services: Services,
    dispatcher: Hearer,
    settings: TwitchSettings,
    outbox: Outbox,
    states: States,
    *,
    ask: Callable[[], Awaitable[None]],
    use: Use | None = None,
    pace: Pace = USUAL,
) -> None:
    """Run Twitch until cancelled; then nothing more is taken, and what was taken is finished and answered.

    `ask` is awaited once whenever the bot's own account has to be authorised: it prints where.
    """
    if services.twitch is None:
        raise ValueError("Twitch runs only when it is set up.")
    intake = Intake(
        dispatcher,
        outbox,
        use or use_cases(services),
        services.clock,
        settings.bot_id,
        resubscribe=services.changed.set,
    )
    lock = PlatformLock(services.store.path, PLATFORM)
    try:
        await Supervisor(services, services.twitch, settings, intake, states, pace, ask).run(lock)
    finally:
        await intake.drain(pace.drain)
        await outbox.drain(pace.drain)
        lock.release()


def sentence(error: Exception) -> str:
    """Why Twitch is down, for people; never with a secret in it."""
    match error:
        case Unhealthy():
            return str(error)
        case BotNotAuthorised():
            return "the bot's account has to be authorised again"
        case NotAuthorised() | ProviderRefused(status=400 | 401 | 403):
            return "Twitch refuses MOMENTS_TWITCH_CLIENT_ID or MOMENTS_TWITCH_CLIENT_SECRET"
        case ProviderDown():
            return "Twitch cannot be reached"
        case ProviderBusy():
            return "Twitch asks us to wait"
        case ProviderError():
            return "Twitch answers what Moments does not understand"
        case StoreError():
            return "the store cannot be used; the log says more"
        case WebsocketConnectionException() | OSError() | TimeoutError():
            return "Twitch's events cannot be reached"
        case _:
            return f"something broke on our side ({type(error).__name__})"
