"""Which events Twitch should send us, and making it so: what is missing is asked for again until it is there."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog

from moments.errors import ProviderError, ProviderRefused
from providers.twitch.shapes import Subscription

CHAT = ("channel.chat.message", "channel.chat.message_delete", "channel.chat.clear_user_messages")
STREAM = (("stream.online", "1"), ("stream.offline", "1"), ("channel.update", "2"))
AT_ONCE = 8
FORBIDDEN, THERE_ALREADY = 403, 409
HOLD_SECONDS = 600.0
"""How long a channel that refused us is left alone, unless somebody connects meanwhile."""

T = TypeVar("T")

_log = structlog.get_logger("twitch")


class Wanted(NamedTuple):
    """A subscription, without the conduit it goes to."""

    type: str
    version: str
    condition: tuple[tuple[str, str], ...]

    @property
    def channel_id(self) -> str:
        """Whose events these are."""
        return dict(self.condition)["broadcaster_user_id"]


class SubscriptionApi(Protocol):
    """Helix, as far as needed here."""

    async def subscriptions(self) -> list[Subscription]:
        """All EventSub subscriptions of this client."""

    async def subscribe(self, type: str, version: str, condition: Mapping[str, str], conduit_id: str) -> object:  # noqa: A002 -- Helix's word
        """Have these events sent to the conduit."""

    async def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription."""


class BotNotAuthorised(Exception):
    """The bot's own account has taken back what it granted; nothing can be done in any channel."""


def wanted(channel_ids: Iterable[str], bot_id: str) -> Iterator[Wanted]:
    """What we need to hear of these channels."""
    for channel_id in channel_ids:
        channel = ("broadcaster_user_id", channel_id)
        for kind in CHAT:
            yield Wanted(kind, "1", (channel, ("user_id", bot_id)))
        for kind, version in STREAM:
            yield Wanted(kind, version, (channel,))


class Subscriptions:
    """One conduit's subscriptions, compared with Twitch's own list every time: nothing local is believed."""

    def __init__(
        self,
        helix: SubscriptionApi,
        conduit_id: str,
        bot_id: str,
        *,
        bot_holds: Callable[[], Awaitable[bool]],
        refused: Callable[[str], Awaitable[None]],
    ) -> None:
        """`bot_holds` asks Twitch whether the bot's own grant still works; `refused` is told the id of a channel
        whose streamer has to connect again.
        """
        self._helix, self._conduit_id, self._bot_id = helix, conduit_id, bot_id
        self._bot_holds, self._refused = bot_holds, refused
        self._held: dict[str, float] = {}
        """Until when a channel is left alone, by the loop's clock."""
        self._told: set[str] = set()
        self.complete: frozenset[str] = frozenset()
        """Ids of the channels of which Twitch sent us everything already when it was last asked."""

    def forgive(self) -> None:
        """Somebody connected: channels that refused us are asked again at once."""
        self._held.clear()

    async def sync(self, channel_ids: Iterable[str]) -> int:
        """Subscribe to what is missing and end what is no longer wanted; how many could not be had just now.

        Those a streamer has to mend are not counted. Raises ProviderError when Twitch's list cannot be had, and
        BotNotAuthorised.
        """
        target = set(wanted(channel_ids, self._bot_id))
        listed = [sub for sub in await self._helix.subscriptions() if sub.conduit_id == self._conduit_id]
        there = {_wanted(sub) for sub in listed if sub.status == "enabled"}
        self.complete = _channels(target) - _channels(target - there)
        await self._each(
            self._unsubscribe(sub) for sub in listed if sub.status != "enabled" or _wanted(sub) not in target
        )
        missing = sorted(one for one in target - there if not self._holds(one.channel_id))
        outcomes = await self._each(self._subscribe(one) for one in missing)
        failed = [(one.channel_id, error) for one, error in zip(missing, outcomes, strict=True) if error is not None]
        # Who took it back once is asked for again at every change of anybody's: no news while the answer stays.
        if any(error is None or one.channel_id not in self._told for one, error in zip(missing, outcomes, strict=True)):
            _log.info("subscribed to Twitch events", asked=len(missing), failed=len(failed))
        refused = {channel_id for channel_id, error in failed if _is_refusal(error, FORBIDDEN)}
        await self._refuse(refused)
        self._told -= {one.channel_id for one in missing} - refused
        return sum(not _is_refusal(error, FORBIDDEN) for _, error in failed)

    async def _refuse(self, channel_ids: Collection[str]) -> None:
        if channel_ids and not await self._bot_holds():
            raise BotNotAuthorised
        for channel_id in channel_ids:
            self._held[channel_id] = asyncio.get_running_loop().time() + HOLD_SECONDS
            if channel_id not in self._told:
                self._told.add(channel_id)
                _log.warning("a streamer has to connect again", channel=channel_id)
            await self._refused(channel_id)

    def _holds(self, channel_id: str) -> bool:
        return self._held.get(channel_id, 0) > asyncio.get_running_loop().time()

    async def _subscribe(self, one: Wanted) -> ProviderError | None:
        try:
            await self._helix.subscribe(one.type, one.version, dict(one.condition), self._conduit_id)
        except ProviderError as error:
            return None if _is_refusal(error, THERE_ALREADY) else error
        return None

    async def _unsubscribe(self, sub: Subscription) -> None:
        try:
            await self._helix.unsubscribe(sub.id)
        except ProviderError as error:
            _log.info("a subscription could not be ended yet", error=str(error))

    async def _each(self, work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(each: Coroutine[Any, Any, T]) -> T:
            async with turns:
                return await each

        return await asyncio.gather(*(one(each) for each in work))


def _wanted(sub: Subscription) -> Wanted:
    condition = sorted((name, value) for name, value in sub.condition.items() if value)
    return Wanted(sub.type, sub.version, tuple(condition))


def _channels(some: Iterable[Wanted]) -> frozenset[str]:
    return frozenset(one.channel_id for one in some)


def _is_refusal(error: ProviderError, status: int) -> bool:
    return isinstance(error, ProviderRefused) and error.status == status
