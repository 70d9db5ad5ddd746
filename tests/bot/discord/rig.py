"""Our Discord from the gateway to the answer, against the fake one: real sockets, a real store, the real commands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bot.discord.intake import Intake
from bot.discord.payloads import command_payloads
from bot.discord.poster import Poster
from bot.discord.rest import Rest, open_rest
from bot.discord.supervisor import run_discord
from bot.settings import DiscordSettings
from commands.answered import note_answer
from commands.cards import follow
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Reply
from commands.services import Services, utc_now
from commands.suggest import Suggestion, suggest
from moments.marks import Timestamp
from moments.sessions import Defaults
from storage import open_store
from storage.answers import Answer
from tests.bot.discord.feed_rig import Told
from tests.bot.discord.gateway_rig import KEYS, QUICK, Board, Silent, settings_for
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.people import MANAGE_GUILD, MANAGE_MESSAGES, Channel, FakeUser, Guild
from tests.fake_discord.server import FakeDiscord

SITE = "https://moments.example"
VIDEO = "https://youtu.be/jNQXAC9IVRw"


@dataclass
class Rig:
    """A database, and the fake Discord it talks to."""

    discord: FakeDiscord
    services: Services
    settings: DiscordSettings
    rest: Rest
    board: Board = field(default_factory=Board)
    heard: list[Heard] = field(default_factory=list)
    """All that came to the dispatcher."""
    instead: Callable[[Heard], Awaitable[Reply | None]] | None = None
    """Answers in its place."""
    suggests: Callable[[Heard, str, str], Awaitable[Sequence[Suggestion]]] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """For the intake."""
    told: Told = field(default_factory=Told)
    noted: list[Answer] = field(default_factory=list)
    """The answers that are known, once that is on disk."""

    def __post_init__(self) -> None:
        self._dispatcher = Dispatcher(self.services)

    async def hear(self, heard: Heard) -> Reply | None:
        """As the dispatcher."""
        self.heard.append(heard)
        return await (self.instead or self._dispatcher.hear)(heard)

    async def note(self, answer: Answer) -> None:
        """As commands.answered."""
        await note_answer(self.services, answer)
        self.noted.append(answer)

    async def suggest(self, heard: Heard, option: str, typed: str) -> Sequence[Suggestion]:
        """As commands.suggest."""
        return await (self.suggests or partial(suggest, self.services))(heard, option, typed)

    def town(self) -> tuple[Guild, Channel, FakeUser, FakeUser]:
        """A server with the bot, a channel, and two people in it: who manages the server, and one more."""
        guild = self.discord.guild("Night Owls")
        channel, rook, sable = (
            self.discord.channel(guild, "clips"),
            self.discord.user("rook"),
            self.discord.user("sable"),
        )
        self.discord.member(guild, rook, permissions=MANAGE_GUILD | MANAGE_MESSAGES)
        self.discord.member(guild, sable, nick="Sable ✨")
        return guild, channel, rook, sable

    async def says(self, user: FakeUser, channel: Channel, name: str, /, **options: object) -> Interaction:
        """A slash command, answered."""
        asked: Interaction = await self.discord.slash(user, channel, name, **options)
        await self.discord.shown(asked)
        return asked

    async def marks(self, channel: Channel) -> list[Timestamp]:
        """The newest session's visible marks."""
        session = await self.services.store.newest_session("discord", channel.id)
        return [] if session is None else await self.services.store.marks(session, limit=100_000)

    def asked(self, method: str, path: str) -> int:
        """How often something was asked for, whatever came of it; `path` is its end."""
        return sum(each.method == method and each.path.endswith(path) for each in self.discord.requests)

    @asynccontextmanager
    async def running(self, *, drain: float = 1.0, poster: Poster | None = None) -> AsyncIterator[Intake]:
        """Discord runs meanwhile; at the end it is cancelled, as the process does."""
        self.board.said.clear()
        self.told.listener = poster.announce if poster else lambda _changes: None
        intake = Intake(
            self,
            self.suggest,
            self.rest,
            self.services.clock,
            **{
                "site": SITE,
                "follow": partial(follow, self.services),
                "note": self.note,
                "pause": 0.01,
                **self.options,
            },
        )
        work = run_discord(
            self.services,
            self.settings,
            self.board,
            rest=self.rest,
            intake=intake,
            poster=poster or Silent(),
            commands=command_payloads(),
            pace=replace(QUICK, drain=drain),
        )
        task = asyncio.create_task(work)
        try:
            await self.board.until("ready")
            await self.discord.until(lambda: self.discord.commands)
            yield intake
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def open_rig(database: Path, discord: FakeDiscord | None = None) -> AsyncIterator[Rig]:
    """A rig over the database; open it again, with the same fake, to see what a restart would."""
    if discord is None:
        async with FakeDiscord() as discord:
            discord.gateway.heartbeat_seconds = 0.2
            async with open_rig(database, discord) as rig:
                yield rig
        return
    settings, defaults = settings_for(discord), Defaults(cooldown_seconds=0)
    told = Told()
    async with open_rest(settings, SITE) as rest, open_store(database, defaults=defaults, on_commit=told) as store:
        yield Rig(discord, Services(store, Feed(), utc_now, defaults, SITE, KEYS), settings, rest, told=told)


def answer(reply: Reply | None) -> Callable[[Heard], Awaitable[Reply | None]]:
    """For `Rig.instead`: the same to everything."""

    async def instead(_heard: Heard) -> Reply | None:
        return reply

    return instead
