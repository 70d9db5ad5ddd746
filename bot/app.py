"""The process put together: the store, the site and the platforms, until somebody stops it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from bot import garbage
from bot.console import standard_console
from bot.settings import DiscordSettings, Settings, TwitchSettings
from commands import answered, cards, connecting, credentials, upkeep
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.mirror import Mirror
from commands.services import Clock, Services, utc_now
from commands.suggest import suggest as suggest_for
from storage import Change, Store, open_store
from storage.keys import SecretKeys, secret_keys
from web_export.app import Site
from web_export.formats import FORMATS
from web_export.keys import SiteConfig

if TYPE_CHECKING:
    from bot.discord.api import Discord  # discord.py takes its time to load, too
    from bot.enriching import Asking  # a log is replayed without loading an HTTP client
    from bot.twitch.api import Twitch  # twitchio takes its time to load: only for who uses it
    from providers.discord import DiscordOAuth
    from providers.twitch import TwitchApi
    from providers.twitch.shapes import Sent

_log = structlog.get_logger("bot")

Listener = Callable[[Sequence[Change]], None]
"""Told of what was just stored."""


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


def make_services(
    settings: Settings,
    keys: SecretKeys,
    store: Store,
    feed: Feed,
    clock: Clock,
    twitch: "Twitch | None" = None,
    asking: "Asking | None" = None,
    discord: "Discord | None" = None,
    discord_login: "DiscordOAuth | None" = None,
) -> Services:
    """What the use cases of this process lean on."""
    return Services(
        store=store,
        feed=feed,
        clock=clock,
        defaults=settings.defaults,
        public_url=settings.public_url,
        keys=keys,
        formats=tuple(each.slug for each in FORMATS),
        twitch=twitch.api if twitch else None,
        short_links=asking.short_links if asking else None,
        enricher=asking.enricher if asking else None,
        guilds=discord.guilds if discord else None,
        discord_login=discord_login,
    )


async def serve(settings: Settings, *, console: bool) -> None:
    """Run until SIGTERM or Ctrl-C; then finish what waits and return. Raises MomentsError when it cannot start."""
    stop = _stop_signal()
    keys = secret_keys(settings.secret_keys, settings.database)
    feed, mirror = Feed(), Mirror()
    states = PlatformStates(utc_now)
    listeners: list[Listener] = [feed.announce, *([mirror.announce] if settings.twitch else [])]

    def announce(changes: Sequence[Change]) -> None:
        for listener in listeners:
            listener(changes)

    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(
            open_store(settings.database, defaults=settings.defaults, on_commit=announce)
        )
        await credentials.check_key(store, keys, utc_now())
        twitch = await _open_twitch(opened, settings.twitch, store, keys, lambda: services)
        discord = await _open_discord(opened, settings)
        discord_login = await _open_discord_login(opened, settings)
        asking = await _open_asking(opened, settings, store, twitch)
        services = make_services(settings, keys, store, feed, utc_now, twitch, asking, discord, discord_login)
        site = Site(services, _site_config(settings, states))
        keeper = await site.start()
        garbage.settle()
        _log.info("Moments is running", site=settings.public_url, database=str(settings.database))
        tasks = _start(settings, services, states, twitch, discord, site, listeners, console=console)
        tasks.append(asyncio.create_task(asking.enricher.run(services), name="enricher"))
        if twitch:
            tasks.append(asyncio.create_task(mirror.run(services), name="stream markers"))
        try:
            await _first_end(stop, [store.writing, keeper, *tasks])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await site.close()
    _log.info("Moments has stopped; everything answered is on disk")


async def _open_twitch(
    opened: AsyncExitStack,
    settings: TwitchSettings | None,
    store: Store,
    keys: SecretKeys,
    services: Callable[[], Services],
) -> "Twitch | None":
    if settings is None:
        return None
    from bot.twitch.api import open_twitch  # noqa: PLC0415 -- loaded by who uses it

    async def on_dead(_user_id: str) -> None:
        services().changed.set()

    return await opened.enter_async_context(open_twitch(settings, store, keys, utc_now, on_dead))


async def _open_discord(opened: AsyncExitStack, settings: Settings) -> "Discord | None":
    if settings.discord is None:
        return None
    from bot.discord.api import open_discord  # noqa: PLC0415 -- loaded by who uses it

    return await opened.enter_async_context(open_discord(settings.discord, settings.public_url, utc_now))


async def _open_discord_login(opened: AsyncExitStack, settings: Settings) -> "DiscordOAuth | None":
    from bot.discord_login import open_discord_login  # noqa: PLC0415 -- loaded by who uses it

    return await opened.enter_async_context(open_discord_login(settings))


async def _open_asking(opened: AsyncExitStack, settings: Settings, store: Store, twitch: "Twitch | None") -> "Asking":
    from bot.enriching import open_asking  # noqa: PLC0415 -- loaded by who uses it

    return await opened.enter_async_context(open_asking(settings, store, twitch.api.helix if twitch else None))


def _site_config(settings: Settings, states: PlatformStates) -> SiteConfig:
    return SiteConfig(
        settings.web_host,
        settings.web_port,
        settings.trusted_proxies,
        settings.metrics_token,
        states,
        settings.contact,
    )


def _start(
    settings: Settings,
    services: Services,
    states: PlatformStates,
    twitch: "Twitch | None",
    discord: "Discord | None",
    site: Site,
    listeners: list[Listener],
    *,
    console: bool,
) -> list[asyncio.Task[None]]:
    """Everything that goes on beside the site; all platforms hand what they hear to the one dispatcher."""
    dispatcher = Dispatcher(services)
    tasks = [asyncio.create_task(upkeep.keep_clean(services), name="upkeep")]
    if twitch or discord:
        _warn_of_loopback(settings.public_url)
    if discord and settings.discord:
        running = _run_discord(settings.discord, discord, dispatcher, services, states, site, listeners)
        tasks.append(asyncio.create_task(running, name="discord"))
    if twitch and settings.twitch:
        validating = credentials.validate_hourly(twitch.grants, twitch.api, services.clock)
        tasks.append(asyncio.create_task(validating, name="twitch tokens"))
        tasks.append(asyncio.create_task(_run_twitch(settings.twitch, twitch.api, dispatcher, services, states, site)))
    if console:
        if sys.stdin.isatty():
            logging.getLogger("web_export.access").setLevel(logging.WARNING)  # somebody is typing there
        tasks.append(asyncio.create_task(_run_console(dispatcher, services, states), name="console"))
    return tasks


async def _run_twitch(
    settings: TwitchSettings,
    api: "TwitchApi",
    dispatcher: Dispatcher,
    services: Services,
    states: PlatformStates,
    site: Site,
) -> None:
    from bot.twitch.outbox import Outbox  # noqa: PLC0415 -- loaded by who uses it
    from bot.twitch.supervisor import run_twitch  # noqa: PLC0415 -- loaded by who uses it
    from bot.twitch.translate import left_out  # noqa: PLC0415 -- loaded by who uses it

    async def send(channel_id: str, text: str, reply_to: str | None) -> "Sent":
        return await api.helix.send_message(channel_id, settings.bot_id, text, reply_to)

    outbox = Outbox(send)
    site.metrics.show_chat(lambda: outbox.stats)
    site.metrics.show_left_out("twitch", left_out)
    await run_twitch(services, dispatcher, settings, outbox, states, ask=lambda: _ask_for_bot(services))


async def _run_discord(
    settings: DiscordSettings,
    discord: "Discord",
    dispatcher: Dispatcher,
    services: Services,
    states: PlatformStates,
    site: Site,
    listeners: list[Listener],
) -> None:
    from bot.discord.intake import Intake  # noqa: PLC0415 -- loaded by who uses it
    from bot.discord.payloads import command_payloads  # noqa: PLC0415 -- likewise
    from bot.discord.poster import Poster  # noqa: PLC0415 -- likewise
    from bot.discord.supervisor import run_discord  # noqa: PLC0415 -- likewise
    from bot.discord.translate import left_out  # noqa: PLC0415 -- likewise

    site.metrics.show_left_out("discord", left_out)
    poster = Poster(services, discord.rest)
    listeners.append(poster.announce)
    suggest, follow = partial(suggest_for, services), partial(cards.follow, services)
    note = partial(answered.note_answer, services)
    intake = Intake(
        dispatcher, suggest, discord.rest, services.clock, site=services.public_url, follow=follow, note=note
    )
    commands = command_payloads()
    await run_discord(services, settings, states, rest=discord.rest, intake=intake, poster=poster, commands=commands)


async def _ask_for_bot(services: Services) -> None:
    """Print where the operator lets the bot's account in. Not in the log: whoever has the code may do it."""
    code = await connecting.bot_code(services)
    link = services.link(f"/twitch/connect?code={code}")
    print(f"Twitch: open this link, logged in to Twitch as the bot's account: {link}", file=sys.stderr, flush=True)  # noqa: T201 -- for the operator alone


def _warn_of_loopback(public_url: str) -> None:
    host = urlsplit(public_url).hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        _log.warning("links in chat lead to this machine alone: set MOMENTS_PUBLIC_URL", public_url=public_url)


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
