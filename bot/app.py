"""The process put together: the store, the site and the platforms, until somebody stops it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping

import structlog

from bot import garbage
from bot.console import standard_console
from bot.settings import Settings
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.services import Clock, Services, utc_now
from storage import Store, open_store
from storage.keys import SecretKeys, secret_keys
from web_export.app import Site
from web_export.formats import FORMATS
from web_export.keys import SiteConfig

_log = structlog.get_logger("bot")


class PlatformStates:
    """What /readyz says of each platform: its state, and since when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, dict[str, str]] = {}

    def set(self, platform: str, state: str) -> None:
        """Note a platform's new state."""
        self._states[platform] = {"state": state, "since": self._clock().isoformat()}

    def __call__(self) -> Mapping[str, Mapping[str, str]]:
        """Every platform's state, now."""
        return self._states


def make_services(settings: Settings, keys: SecretKeys, store: Store, feed: Feed, clock: Clock) -> Services:
    """What the use cases of this process lean on."""
    return Services(
        store=store,
        feed=feed,
        clock=clock,
        defaults=settings.defaults,
        public_url=settings.public_url,
        keys=keys,
        formats=tuple(each.slug for each in FORMATS),
    )


async def serve(settings: Settings, *, console: bool) -> None:
    """Run until SIGTERM or Ctrl-C; then finish what waits and return. Raises MomentsError when it cannot start."""
    stop = _stop_signal()
    keys = secret_keys(settings.secret_keys, settings.database)
    feed = Feed()
    states = PlatformStates(utc_now)
    async with open_store(settings.database, defaults=settings.defaults, on_commit=feed.announce) as store:
        services = make_services(settings, keys, store, feed, utc_now)
        config = SiteConfig(
            settings.web_host, settings.web_port, settings.trusted_proxies, settings.metrics_token, states
        )
        site = Site(services, config)
        keeper = await site.start()
        garbage.settle()
        _log.info("Moments is running", site=settings.public_url, database=str(settings.database))
        platforms = _start_platforms(Dispatcher(services), services, states, console=console)
        try:
            await _first_end(stop, [store.writing, keeper, *platforms])
        finally:
            for platform in platforms:
                platform.cancel()
            await asyncio.gather(*platforms, return_exceptions=True)
            await site.close()
    _log.info("Moments has stopped; everything answered is on disk")


def _start_platforms(
    dispatcher: Dispatcher, services: Services, states: PlatformStates, *, console: bool
) -> list[asyncio.Task[None]]:
    """Every platform that was asked for; all hand what they hear to the one dispatcher, whose bounds are ours."""
    if not console:
        return []
    if sys.stdin.isatty():
        logging.getLogger("web_export.access").setLevel(logging.WARNING)  # somebody is typing there
    return [asyncio.create_task(_run_console(dispatcher, services, states), name="console")]


async def _run_console(dispatcher: Dispatcher, services: Services, states: PlatformStates) -> None:
    console = standard_console(dispatcher, services.clock)
    states.set("console", "ready")
    await console.run(services.public_url)
    states.set("console", "input ended")


async def _first_end(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the stop signal; a task that fails ends the process with its error, one that ends does not."""
    stopping = asyncio.create_task(stop.wait())
    waiting: set[asyncio.Task[object]] = {stopping, *tasks}
    try:
        while stopping not in (await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))[0]:
            for task in [task for task in waiting if task.done()]:
                task.result()
                waiting.discard(task)
    finally:
        stopping.cancel()


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C; a second one, while stopping takes its time, ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop
