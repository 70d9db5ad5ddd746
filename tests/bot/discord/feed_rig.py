"""A stream on Twitch joined to a Discord channel, its feed, and the fake Discord it posts to, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.discord.cards import Body
from bot.discord.client import DiscordClient
from bot.discord.post_sender import Pace
from bot.discord.poster import Poster
from bot.discord.rest import Rest, open_rest
from bot.settings import DiscordSettings
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Guild, Heard, Platform
from commands.services import Services
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import Change, Store, Transaction, channels, joined, open_store
from tests.chat import EVENING, KEYS, Watch
from tests.fake_discord.messages import Message
from tests.fake_discord.people import Channel
from tests.fake_discord.server import FakeDiscord

TWITCH = Platform("twitch")
DISCORD = Platform("discord", prefix="/", reply_length=1_900, always_answers=True)
STREAM = Place("twitch", "100", "Nightowl")
SITE = "https://moments.example"
QUICK = Pace(writes=1_000, within=1.0, first_pause=0.01, longest_pause=0.05, look=3_600, answers=0.0)


class Told:
    """Passes on what was committed, to whichever poster runs."""

    def __init__(self) -> None:
        self.listener: Callable[[Sequence[Change]], None] = lambda _changes: None

    def __call__(self, changes: Sequence[Change]) -> None:
        self.listener(changes)


class Counted:
    """Discord, with each call counted before it is made, and kept from ending while `hold` is clear."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.calls: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.holding = asyncio.Event()

    async def post(self, channel_id: str, body: Body) -> str:
        self.calls.append("post")
        message_id = await self._rest.post(channel_id, body)
        if not self.hold.is_set():
            self.holding.set()
        await self.hold.wait()
        return message_id

    async def edit(self, channel_id: str, message_id: str, body: Body) -> None:
        self.calls.append("edit")
        await self._rest.edit(channel_id, message_id, body)

    async def delete(self, channel_id: str, message_id: str) -> None:
        self.calls.append("delete")
        await self._rest.delete(channel_id, message_id)

    async def messages(self, channel_id: str) -> list[dict[str, Any]]:
        self.calls.append("messages")
        return await self._rest.messages(channel_id)


@dataclass
class Evening:
    """One stream, one Discord channel joined to it. No time passes unless `passes` says so."""

    discord: FakeDiscord
    services: Services
    watch: Watch
    api: Counted
    guild: Guild
    channel: Channel
    told: Told
    pace: Pace = QUICK
    poster: Poster = field(init=False)

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def place(self) -> Place:
        """The Discord channel."""
        return Place("discord", self.channel.id, "Night Owls › #clips")

    async def says(self, text: str, name: str = "nightowl") -> str:
        """The reply to a line in the stream's chat; nightowl is the broadcaster, @… a moderator, others viewers."""
        role = Role.BROADCASTER if name == "nightowl" else Role.MODERATOR if name[0] == "@" else Role.VIEWER
        who = Author("twitch", "100" if name == "nightowl" else f"id of {name}", name)
        reply = await Dispatcher(self.services).hear(Heard(TWITCH, STREAM, who, role, text, self.watch()))
        await self.poster.settle()
        return reply.text if reply else ""

    async def marks(self, *lines: str) -> None:
        """`name words` each, all at once."""
        said = [line.partition(" ") for line in lines]
        await asyncio.gather(*(self._mark(name, words) for name, _, words in said))
        await self.poster.settle()

    async def _mark(self, name: str, words: str) -> None:
        heard = Heard(
            TWITCH, STREAM, Author("twitch", f"id of {name}", name), Role.VIEWER, f"!clip {words}", self.watch()
        )
        await Dispatcher(self.services).hear(heard)

    async def types(
        self,
        command: str,
        *,
        place: Place | None = None,
        role: Role = Role.MODERATOR,
        guild: Guild | None = None,
        **options: str,
    ) -> tuple[str, str]:
        """The reply to a slash command in the Discord channel, and what is said aside."""
        heard = Heard(
            DISCORD,
            place or self.place,
            Author("discord", "7", "rook"),
            role,
            command,
            self.watch(),
            options=dict(options),
            guild=guild or self.guild,
        )
        reply = await Dispatcher(self.services).hear(heard)
        await self.poster.settle()
        return (reply.text, reply.aside) if reply else ("", "")

    async def feed(self, value: str, **more: Any) -> str:  # noqa: ANN401 -- as types()
        """Set the feed."""
        return (await self.types("setup", setting="feed", value=value, **more))[0]

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.now += timedelta(seconds=seconds)

    def shown(self, channel: Channel | None = None) -> list[Message]:
        """The posts that stand."""
        return self.discord.messages(channel or self.channel)

    def heads(self, channel: Channel | None = None) -> list[str]:
        """The titles of the posts that stand."""
        return [message.embeds[0]["title"] for message in self.shown(channel)]

    def words(self) -> str:
        """Everything the posts that stand say."""
        return " ".join(str([message.content, message.embeds, message.components]) for message in self.shown())

    async def join(self, channel: Channel) -> None:
        """Join another Discord channel to the stream."""

        async def job(transaction: Transaction) -> None:
            stream = await channels.stored(transaction, STREAM)
            request = joined.JoinRequest(channel.id, self.guild.id, self.guild.name, channel.name, "discord:7", "rook")
            await joined.join(transaction, request, stream, Author(*STREAM), moderators=False, now=self.watch())

        await self.store.run(job, message=None, now=self.watch())

    async def archive(self, *, ago: float) -> None:
        """Twitch lists an archive that began so many seconds ago and still grows."""
        began = int((self.watch() - timedelta(seconds=ago)).timestamp() * 1_000_000)
        now = int(self.watch().timestamp() * 1_000_000)

        async def job(transaction: Transaction) -> None:
            await transaction.execute(
                "INSERT INTO api_archive (provider, video_id, channel_id, title, created_at, duration_seconds, muted,"
                " fetched_at, expires_at) SELECT 'twitch', '555', id, 'Live', ?, ?, '[]', ?, ? FROM channel"
                " WHERE platform = 'twitch'",
                *(began, int(ago), now, now + 80_000_000_000),
            )

        await self.store.run(job, message=None, now=self.watch())

    async def looks(self) -> None:
        """A minute has gone by for the poster."""
        await self.poster.look()
        await self.poster.settle()

    async def rows(self, columns: str = "kind, low, high, state") -> list[tuple[Any, ...]]:
        """What is known of posts."""
        return [tuple(row) for row in await self.store.fetch(f"SELECT {columns} FROM post ORDER BY id")]  # noqa: S608

    @asynccontextmanager
    async def posting(self, *, drain: float = 1.0) -> AsyncIterator[Poster]:
        """The poster runs meanwhile; again, it is what runs after a restart."""
        self.poster = Poster(self.services, self.api, pace=self.pace)
        self.told.listener = self.poster.announce
        task = asyncio.create_task(self.poster.run())
        await self.poster.look()
        await self.poster.settle()
        try:
            yield self.poster
        finally:
            self.told.listener = lambda _changes: None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.poster.drain(drain)

    async def crash(self) -> None:
        """The process dies in the middle of what it does, having written nothing more."""
        tasks = list(self.poster._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.poster._boxes.clear()


@asynccontextmanager
async def open_evening(database: Path) -> AsyncIterator[Evening]:
    """All of it; the poster does not run yet."""
    watch, told = Watch(EVENING.replace(microsecond=0)), Told()
    defaults = Defaults(cooldown_seconds=0)
    async with FakeDiscord() as discord, open_store(database, defaults=defaults, on_commit=told) as store:
        discord.rates.whole = discord.rates.per_route = 10_000
        settings = DiscordSettings(SecretStr(discord.token), discord.api_url, discord.gateway_url)
        async with open_rest(settings, SITE) as rest:
            client = DiscordClient(settings, lambda _payload: None, lambda _guild: None)
            await client.login(discord.token)
            rest.bind(client)
            services = Services(store, Feed(), watch, defaults, SITE, KEYS)
            guild = discord.guild("Night Owls")
            channel = discord.channel(guild, "clips")
            evening = Evening(
                discord, services, watch, Counted(rest), Guild(guild.id, guild.name, may_manage=True), channel, told
            )
            await evening.join(channel)
            try:
                yield evening
            finally:
                await client.close()
