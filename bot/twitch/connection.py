"""One attempt at being connected: the conduit, its client, its subscriptions, and a look at its health from outside."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import structlog

from bot.settings import TwitchSettings
from bot.tasks import set_within, together
from bot.twitch.adapter import LINGER_SECONDS, TwitchClient
from bot.twitch.intake import Intake
from bot.twitch.shards import OPENING_SECONDS, PATIENCE_SECONDS
from bot.twitch.subscriptions import Subscriptions
from commands import connecting, streams
from commands.services import Services
from moments.errors import MomentsError, NotAuthorised, ProviderBusy, ProviderError, ProviderRefused
from moments.wording import counted
from providers.twitch import TwitchApi
from storage import Transaction, facts
from storage.connections import State

SHARDS = 2
"""Sockets of a conduit we make; while one is mended, the other half of the events goes on."""
MOST_CONDUITS = 5
TOO_MANY_CONDUITS = "Twitch keeps five conduits of this application already; unused ones end after three days"
UNHEALTHY_LOOKS = 2
"""Looks in a row that must go badly before everything is built anew."""
READY = "ready"
DEAF = "connecting again: part of the chat is not heard"

_log = structlog.get_logger("twitch")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are looked at, in seconds."""

    look: float = 60.0
    reconcile: float = 600.0
    overdue: float = 15.0
    lock: float = 10.0
    authorised: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    healthy_for: float = 300.0
    """After so long without trouble the pauses begin anew with the shortest."""
    start: float = 60.0
    """What a start may take."""
    silence: float = 35.0
    """A shard that said nothing for so long is dead: three keepalives."""
    drain: float = 5.0
    patience: float = PATIENCE_SECONDS
    opening: float = OPENING_SECONDS
    linger: float = LINGER_SECONDS


USUAL = Pace()


class Unhealthy(MomentsError):
    """Connected, and yet not: everything has to be built anew."""


class Connection:
    """Made for one attempt; `run` ends by raising, whatever happens."""

    def __init__(
        self,
        services: Services,
        api: TwitchApi,
        settings: TwitchSettings,
        intake: Intake,
        pace: Pace,
        say: Callable[[str], None],
    ) -> None:
        """`say` is told when it is ready, or in what way it is not quite."""
        self._services, self._api, self._settings = services, api, settings
        self._intake, self._pace, self._say = intake, pace, say
        self._asked_at = services.clock()
        """When Twitch was last asked for subscriptions."""
        self._standing, self._hears = "", True
        """How the subscriptions are, once that is known, and whether every shard is heard."""
        self._deaf = asyncio.Event()
        """Events may have been missed: Helix has to be asked what is true."""

    async def run(self) -> None:
        """Connect and stay so; raises what ended it, Unhealthy among others."""
        conduit_id = await self._conduit()
        client = TwitchClient(
            self._settings.endpoints,
            self._settings.client_id,
            self._settings.bot_id,
            conduit_id,
            self._app_token,
            took=self._intake.take,
            room=self._intake.room,
            deaf=self._deaf.set,
            patience=self._pace.patience,
            linger=self._pace.linger,
            opening=self._pace.opening,
            mending_pause=self._pace.first_pause,
            clock=self._services.clock,
        )
        await together(client.run_until_closed(), self._stay(client, conduit_id))
        raise Unhealthy("the connection ended by itself")

    async def _stay(self, client: TwitchClient, conduit_id: str) -> None:
        await self._channels()
        async with asyncio.timeout(self._pace.start):
            await client.wait_until_ready()
        _log.info("connected to Twitch", shards=len(client.sockets))
        self._deaf.set()
        subscriptions = Subscriptions(
            self._api.helix,
            conduit_id,
            self._settings.bot_id,
            bot_holds=self._bot_holds,
            refused=self._refused,
        )
        await together(
            self._keep_subscribed(subscriptions),
            self._keep_listening(client),
            self._keep_looking(client, conduit_id),
            self._keep_up_with_streams(),
        )

    async def _conduit(self) -> str:
        """The conduit of this database, made when there is none or Twitch has let it go."""
        store, helix = self._services.store, self._api.helix
        known, conduits = await facts.get(store, facts.CONDUIT), await helix.conduits()
        if known is not None and known in {conduit.id for conduit in conduits}:
            return known
        try:
            made = (await helix.create_conduit(SHARDS)).id
        except ProviderBusy as error:
            if len(conduits) < MOST_CONDUITS:
                raise
            raise Unhealthy(TOO_MANY_CONDUITS) from error

        async def job(transaction: Transaction) -> None:
            await facts.put(transaction, facts.CONDUIT, made)

        await store.run(job, message=None, now=self._services.clock())
        return made

    async def _app_token(self) -> str:
        return (await self._api.oauth.app_token()).access_token

    async def _bot_holds(self) -> bool:
        """Whether the bot's own grant still works, as Twitch says; ProviderError when it cannot tell."""
        tokens, bot_id = self._api.helix.user_tokens, self._settings.bot_id
        try:
            grant = await tokens.grant(bot_id)
            if await self._api.oauth.validate(grant.access_token) is None:
                await tokens.renewed(bot_id, grant.access_token)
        except NotAuthorised:
            return False
        return True

    async def _channels(self) -> dict[str, State]:
        """The channels we should be in, by their ids; events of others are dropped from now on."""
        connected = await connecting.channels(self._services)
        self._intake.channels = frozenset(each.place.platform_id for each in connected)
        return {each.place.platform_id: each.state for each in connected}

    # --- what goes on while connected

    async def _keep_subscribed(self, subscriptions: Subscriptions) -> None:
        while True:
            missing = 0
            try:
                channels = await self._channels()
                self._asked_at = self._services.clock()
                missing = await subscriptions.sync(channels)
                await self._granted_again(channels, subscriptions.complete)
            except MomentsError as error:
                _log.warning("Twitch's subscriptions could not be looked at", error=str(error))
            yet = f"{READY}, but Twitch has yet to grant {counted(missing, 'subscription')}"
            self._standing = yet if missing else READY
            self._tell()
            if await set_within(self._services.changed, self._pace.look):
                subscriptions.forgive()
                self._deaf.set()  # whoever connected may be on the air already

    async def _refused(self, channel_id: str) -> None:
        now = self._services.clock()
        await connecting.needs_authorisation(self._services, channel_id, now, asked=self._asked_at)

    async def _granted_again(self, channels: Mapping[str, State], complete: Collection[str]) -> None:
        """Twitch refused us for a while, and all is well again: nobody need be asked to connect any more."""
        asked = [which for which in complete if channels[which] is State.NEEDS_AUTHORISATION]
        if asked:
            await connecting.granted_again(self._services, asked, self._services.clock())

    async def _keep_listening(self, client: TwitchClient) -> None:
        """Tell people as soon as a part of chat is not heard; whatever mends it is elsewhere, and may take longer."""
        while True:
            await asyncio.sleep(self._pace.silence / 4)
            self._hears = not self._silent(client)
            self._tell()

    def _silent(self, client: TwitchClient) -> set[str]:
        """The shards that said nothing for too long."""
        now = asyncio.get_running_loop().time()
        return {name for name, socket in client.sockets.items() if now - socket.heard_at > self._pace.silence}

    def _tell(self) -> None:
        if self._standing:
            self._say(self._standing if self._hears else DEAF)

    async def _keep_looking(self, client: TwitchClient, conduit_id: str) -> None:
        """Raise Unhealthy when it goes badly twice in a row."""
        bad = 0
        while True:
            await asyncio.sleep(self._pace.look)
            trouble = await self._trouble(client, conduit_id)
            bad = bad + 1 if trouble else 0
            if trouble:
                _log.warning("Twitch does not look well", why=trouble, looks=bad)
            if bad >= UNHEALTHY_LOOKS:
                raise Unhealthy(trouble)

    async def _trouble(self, client: TwitchClient, conduit_id: str) -> str:
        """What is wrong, empty when nothing is. While Helix is down, sockets that deliver are left as they are."""
        silent = self._silent(client)
        all_silent = len(silent) == len(client.sockets)
        try:
            shards = await self._api.helix.shards(conduit_id)
        except ProviderRefused:
            return "Twitch knows our conduit no longer"
        except ProviderError:
            return "Twitch has fallen silent" if all_silent else ""
        served = {shard.id for shard in shards if shard.status == "enabled"}
        if not client.sockets.keys() <= served:
            return "Twitch does not see all of our connection"
        return "Twitch has fallen silent on a part of our connection" if silent else ""

    async def _keep_up_with_streams(self) -> None:
        """Find out what began or ended while we were deaf, and now and then whether anything did all the same."""
        while True:
            await set_within(self._deaf, self._pace.reconcile)
            try:
                connected = [each.place for each in await connecting.channels(self._services)]
                asked_at = self._services.clock()
                live = await self._api.helix.streams([place.platform_id for place in connected])
                await streams.reconcile(self._services, {each.user_id: each for each in live}, connected, asked_at)
            except MomentsError as error:
                _log.warning("what is on the air could not be found out yet", error=str(error))
                self._deaf.set()
                await asyncio.sleep(self._pace.look)
