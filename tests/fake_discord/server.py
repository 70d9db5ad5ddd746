"""A Discord of our own on a free port: people, guilds, REST, the gateway, OAuth, and every way they can fail."""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.fake_discord.access import PREFIXES, Access
from tests.fake_discord.acts import Acts
from tests.fake_discord.control import Control
from tests.fake_discord.gateway import GUILDS, Gateway
from tests.fake_discord.interactions import Interaction, Interactions
from tests.fake_discord.messages import Message, Messages
from tests.fake_discord.oauth import OAuth
from tests.fake_discord.people import THREADS, VIEW_CHANNEL, Channel, FakeUser, Guild, Member, People
from tests.fake_discord.rates import Rates
from tests.fake_discord.rest import Rest, guild_json
from tests.fake_discord.sessions import Session
from tests.fake_discord.spec import Checks, document_path, load
from tests.fake_discord.wire import answer
from tests.fake_discord.world import Clock, Json, World, now_utc, stamp
from tests.faults import Faults

__all__ = ["Channel", "FakeDiscord", "FakeUser", "Guild", "Interaction", "Message"]


class FakeDiscord(World):
    """`async with FakeDiscord() as discord:` and point the bot at `api_url` and `gateway_url`, with `token`.

    The rooms (`people`, `rest`, `interactions`, `gateway`, `oauth`, `faults`, `rates`, `acts`) hold the switches; what
    tests do most is here under a short name. At its end it raises AssertionError for violations of Discord's document
    and rules, and for planned faults that never came.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        validate: bool = True,
        clock: Clock = now_utc,
        token: str = "fake0discord0bot0token0of0nobody",  # noqa: S107 - of this fake alone
        client_secret: str = "fake0discord0client0secret",  # noqa: S107
    ) -> None:
        super().__init__(clock)
        self.port, self.token, self.client_secret = port, self.secret(token), self.secret(client_secret)
        self.application_id = self.snowflake()
        self.bot = FakeUser(self.application_id, "Moments", bot=True)
        self.people = People(self, self.bot)
        self._messages = Messages(self, self.bot)
        self.interactions = Interactions(self, self._messages, self.application_id)
        self.rest = Rest(self, self.people, self._messages, self.application_id)
        self.gateway = Gateway(self, token, self._hello)
        self.oauth = OAuth(self, self.people, self.application_id, client_secret)
        self.faults, self.rates = Faults(_says_no), Rates()
        self.spec = load(document_path()) if validate else None
        checks = Checks(self.spec, self.violations.append) if validate else None
        self.access = Access(self, token, checks, self.rates)
        self.access.bearer = lambda value: self.oauth.token_of(value) is not None
        self.rest.redirect_uris = self.oauth.redirect_uris
        self.acts = Acts(self, self.people, self.interactions, self.gateway, self.application_id, self._synced)
        self._short_names()
        self._runner = web.AppRunner(self._app(), handle_signals=False, access_log=None, shutdown_timeout=0.5)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024).start()  # 300 call at once
        self.port = int(self._runner.addresses[0][1])
        self.gateway.url = self.gateway_url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gateway.stop()
        await self._runner.cleanup()
        if error is None:
            assert not self.violations, "against Discord's rules:\n" + "\n".join(self.violations)
            assert not self.faults.unconsumed, f"planned faults that did not come: {self.faults.unconsumed}"

    @property
    def api_url(self) -> str:
        """The base in front of /v10/… and /oauth2/token."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def authorize_url(self) -> str:
        """The page where people log in (of the real one: https://discord.com/oauth2/authorize)."""
        return f"http://127.0.0.1:{self.port}/oauth2/authorize"

    @property
    def gateway_url(self) -> str:
        """The websocket."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    @property
    def commands(self) -> list[Json]:
        """As they were synced, with their ids."""
        return self.rest.commands or []

    def routes(self) -> Iterable[web.AbstractRoute]:
        """All it answers."""
        return self._runner.app.router.routes()

    def guild(self, name: str, *, owner: FakeUser | None = None, has_bot: bool = True) -> Guild:
        """A new server; the bot, if connected, is told."""
        guild = self.people.guild(name, owner=owner, has_bot=has_bot)
        if has_bot:
            self.gateway.dispatch("GUILD_CREATE", self._whole(guild), guild.id, intent=GUILDS)
        return guild

    def channel(self, guild: Guild, name: str) -> Channel:
        """A new text channel."""
        return self._announced("CHANNEL_CREATE", self.people.channel(guild, name))

    def thread(self, channel: Channel, name: str, *, private: bool = False) -> Channel:
        """A new thread in it, public or for who is invited."""
        return self._announced("THREAD_CREATE", self.people.thread(channel, name, private=private))

    def hide(self, channel: Channel, *, hidden: bool = True) -> None:
        """Everybody but who is excepted sees it no more; or all see it whatever @everyone may."""
        assert channel.guild
        channel.overwrites[channel.guild.id] = (0, VIEW_CHANNEL) if hidden else (VIEW_CHANNEL, 0)
        self._announced("CHANNEL_UPDATE", channel)

    def everyone_may(self, guild: Guild, bits: int) -> None:
        """@everyone has these permissions now."""
        guild.everyone.permissions = bits
        told = {"guild_id": guild.id, "role": guild.everyone.json()}
        self.gateway.dispatch("GUILD_ROLE_UPDATE", told, guild.id, intent=GUILDS)

    def member(self, guild: Guild, user: FakeUser, *, nick: str | None = None, permissions: int = 0) -> Member:
        """Somebody joins, or has other permissions now (bits, on top of @everyone's)."""
        return self.people.member(guild, user, nick=nick, permissions=permissions)

    def bot_permissions(self, channel: Channel, bits: int) -> None:
        """Exactly these for the bot, there (and in the channel's threads)."""
        channel.governing.overwrites[self.bot.id] = (bits, ~bits & (1 << 53) - 1)
        self._announced("CHANNEL_UPDATE", channel.governing)

    def deny(self, channel: Channel, bits: int, user: FakeUser | None = None) -> None:
        """The bot (or this person) may not, there."""
        self._overwrite(channel, user, deny=bits)

    def allow(self, channel: Channel, bits: int, user: FakeUser | None = None) -> None:
        """The bot (or this person) may, there."""
        self._overwrite(channel, user, allow=bits)

    def rename(self, what: Guild | Channel, name: str) -> None:
        what.name = name
        if isinstance(what, Channel):
            self._announced("CHANNEL_UPDATE", what)
        else:
            self.gateway.dispatch("GUILD_UPDATE", guild_json(what), what.id, intent=GUILDS)

    @property
    def all_messages(self) -> dict[str, Message]:
        """By id: people's too, ephemeral and deleted ones too."""
        return self._messages.all

    def messages(self, channel: Channel) -> list[Message]:
        """The bot's that everybody in the channel sees, oldest first."""
        return self._messages.visible(channel)

    def say(self, user: FakeUser, channel: Channel, text: str) -> Message:
        """A person's message (the bot, without the intent, hears nothing of it)."""
        return self._messages.say(channel, user, text)

    async def answered(self, interaction: Interaction, *, follow_ups: int = 0, timeout: float = 10) -> Interaction:  # noqa: ASYNC109 - as until()
        """Wait until it is answered, and has this many follow-ups."""
        await self.until(lambda: interaction.is_answered and len(interaction.follow_ups) >= follow_ups, timeout)
        return interaction

    async def shown(self, interaction: Interaction, *, timeout: float = 10) -> Message:  # noqa: ASYNC109 - as until()
        """Wait until the person sees an answer: an original that is no longer loading, or else a follow-up."""
        return await self.until(lambda: interaction.shown if interaction.is_answered else None, timeout)

    async def invite(self, guild: Guild) -> None:
        """The bot is added."""
        self.people.join(guild)
        self.gateway.dispatch("GUILD_CREATE", self._whole(guild), guild.id, intent=GUILDS)

    async def kick(self, guild: Guild) -> None:
        """The bot is thrown out."""
        guild.has_bot = False
        guild.members.pop(self.bot.id, None)
        self.gateway.dispatch("GUILD_DELETE", {"id": guild.id}, guild.id, intent=GUILDS)

    async def outage(self, guild: Guild) -> None:
        """Discord itself has lost the guild for a while: the bot was not thrown out."""
        guild.unavailable = True
        self.gateway.dispatch("GUILD_DELETE", {"id": guild.id, "unavailable": True}, guild.id, intent=GUILDS)

    async def recover(self, guild: Guild) -> None:
        """The outage is over."""
        guild.unavailable = False
        self.gateway.dispatch("GUILD_CREATE", self._whole(guild), guild.id, intent=GUILDS)

    async def delete_channel(self, channel: Channel) -> None:
        channel.gone = True
        event = "THREAD_DELETE" if channel.type in THREADS else "CHANNEL_DELETE"
        self._announced(event, channel)

    async def delete_message(self, message: Message) -> None:
        """A moderator takes it away; without the intent the bot hears nothing."""
        self._messages.delete(message)

    def _short_names(self) -> None:
        self.user, self.dm, self.private = self.people.user, self.people.dm, self.people.private
        self.slash, self.autocomplete, self.menu = self.acts.slash, self.acts.autocomplete, self.acts.menu
        self.press, self.submit = self.acts.press, self.acts.submit

    def _synced(self) -> list[Json] | None:
        return self.rest.commands

    def _overwrite(self, channel: Channel, user: FakeUser | None, *, allow: int = 0, deny: int = 0) -> None:
        who = (user or self.bot).id
        overwrites = channel.governing.overwrites
        allowed, denied = overwrites.get(who, (0, 0))
        overwrites[who] = (allowed & ~deny | allow, denied & ~allow | deny)
        self._announced("CHANNEL_UPDATE", channel.governing)

    def _announced(self, event: str, channel: Channel) -> Channel:
        if channel.guild and channel.guild.has_bot:
            self.gateway.dispatch(event, channel.json(), channel.guild.id, intent=GUILDS)
        return channel

    def _hello(self, session: Session) -> Iterable[tuple[str, Json]]:
        """READY, then the shard's guilds."""
        number, of = session.shard
        mine = [
            guild for guild in self.people.guilds.values() if guild.has_bot and (int(guild.id) >> 22) % of == number
        ]
        yield (
            "READY",
            {
                "v": 10,
                "user": self.rest.me(),
                "guilds": [{"id": guild.id, "unavailable": True} for guild in mine],
                "session_id": session.id,
                "session_type": "normal",
                "resume_gateway_url": self.gateway_url,
                "shard": [number, of],
                "application": {"id": self.application_id, "flags": 0},
                "private_channels": [],
                "_trace": [],
            },
        )
        if session.intents & GUILDS:
            yield from (("GUILD_CREATE", self._whole(guild)) for guild in mine if not guild.unavailable)

    def _whole(self, guild: Guild) -> Json:
        """A guild as GUILD_CREATE tells it: only the bot among its members, without the intent for them."""
        bot = guild.members[self.bot.id]
        alive = [each for each in guild.channels if not each.gone]
        return guild_json(guild) | {
            "joined_at": stamp(bot.joined_at),
            "large": False,
            "unavailable": False,
            "member_count": len(guild.members),
            "members": [bot.json()],
            "channels": [each.json() for each in alive if each.type not in THREADS],
            "threads": [each.json() for each in alive if each.type in THREADS],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    async def _me(self, request: web.Request) -> web.StreamResponse:
        """GET /users/@me, for the bot and for people's tokens."""
        if self.access.kind(request) == "bot":
            return answer(self.rest.me())
        return answer(self.oauth.me(request.headers.get("Authorization", "").removeprefix("Bearer ")))

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self.access.record, self.faults.middleware], client_max_size=25 * 1024**2)
        app.add_routes(self.oauth.routes())
        app.add_routes(Control(self).routes())
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        for (methods, path, bot), route in self._api().items():
            for prefix in PREFIXES:
                for method in methods.split():
                    app.router.add_route(method, prefix + path, self.access.guard(route, bot=bot))
        return app

    def _api(self) -> dict[tuple[str, str, bool], Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        rest, mine, message = self.rest, "/applications/{application_id}/commands", "/messages/{message_id:[0-9]+}"
        webhook = "/webhooks/{application_id}/{token}"
        return {
            ("GET", "/users/@me", False): self._me,
            ("GET", "/oauth2/applications/@me", True): rest.application,
            ("GET", "/applications/@me", True): rest.application,
            ("GET", "/gateway/bot", True): self.gateway.told,
            ("PUT", mine, True): rest.overwrite_commands,
            ("GET", mine, True): rest.list_commands,
            ("POST", "/channels/{channel_id}/messages", True): rest.post,
            ("GET", "/channels/{channel_id}/messages", True): rest.history,
            ("GET PATCH DELETE", "/channels/{channel_id}" + message, True): rest.message,
            ("GET", "/channels/{channel_id}", True): rest.channel,
            ("GET", "/guilds/{guild_id}", True): rest.guild,
            ("GET", "/guilds/{guild_id}/roles", True): rest.roles,
            ("GET", "/guilds/{guild_id}/channels", True): rest.guild_channels,
            ("GET", "/guilds/{guild_id}/members/{user_id}", True): rest.member,
            ("POST", "/interactions/{id}/{token}/callback", False): self.interactions.callback,
            ("POST", webhook, False): self.interactions.follow_up,
            ("GET PATCH DELETE", webhook + "/messages/@original", False): self.interactions.original,
            ("GET PATCH DELETE", webhook + message, False): self.interactions.message,
        }


def _says_no(status: int) -> tuple[Json, dict[str, str]]:
    body: Json = {"message": HTTPStatus(status).phrase, "code": 0}
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return body, {}
    # Without "Via" discord.py sees a ban by Cloudflare.
    return {**body, "retry_after": 0.05, "global": False}, {"Via": "1.1 google"}
