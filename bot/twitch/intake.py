"""Every notification once: chat to the dispatcher and its answers to the outbox, everything else to its use case."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from bot.twitch import translate
from bot.twitch.translate import TWITCH, Happening, Revoked, WentOnline
from commands.model import Heard, Reply
from commands.services import Clock
from moments.errors import ProviderError, StoreError
from moments.people import Role

AT_ONCE = 1024
"""Chat commands under way: as many as one transaction takes."""
MOST_WAITING = 20_000
"""Chat commands that wait their turn; with more of them the sockets are not read, and Twitch's end fills instead."""
MOST_HAPPENINGS = 1_000
"""Events of one channel that wait for the ones before them."""
REMEMBERED = 200_000
"""Messages known again when they are delivered again: a day of two commands a second."""
ATTEMPTS = 6
_LONGEST_PAUSE = 30.0

_log = structlog.get_logger("twitch")


class Hearer(Protocol):
    """The dispatcher."""

    async def hear(self, heard: Heard) -> Reply | None:
        """The reply to a message, durable before it is given."""


class Mouth(Protocol):
    """The outbox."""

    def put(self, channel_id: str, reply: Reply, to_message_id: str | None) -> None:
        """Say this when the channel's turn comes."""

    def set_standing(self, channel_id: str, moderator: bool, vip: bool) -> None:
        """What the bot is in this channel now."""


@dataclass(frozen=True, slots=True)
class Use:
    """The use cases, durable on return, and fine to repeat with the same event."""

    happened: Callable[[Happening, datetime], Awaitable[None]]
    """Called with what happened, and when it reached us."""
    revoked: Callable[[str, str, datetime], Awaitable[None]]
    """Called with the id of a streamer who may have taken back what they granted (or the bot's account has), with why
    Twitch says it ended a subscription, and when that reached us.
    """


class Intake:
    """What comes off the sockets. `take` returns at once; the work goes on in tasks of a bounded number."""

    def __init__(
        self,
        dispatcher: Hearer,
        outbox: Mouth,
        use: Use,
        clock: Clock,
        bot_id: str,
        *,
        resubscribe: Callable[[], object],
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        pause: float = 1.0,
    ) -> None:
        """`resubscribe` is called when Twitch has ended a subscription."""
        self.channels: Collection[str] = frozenset()
        """Ids of the channels that are connected: events of others are dropped (PLAT-3)."""
        self._dispatcher, self._outbox, self._use, self._clock = dispatcher, outbox, use, clock
        self._bot_id = bot_id
        self._resubscribe = resubscribe
        self._at_once, self._most_waiting, self._pause = at_once, most_waiting, pause
        self._seen: dict[str, None] = {}
        self._waiting: deque[Heard] = deque()
        self._lanes: dict[str, deque[tuple[Happening, datetime]]] = {}
        self._revoking: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hearing = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._closed = False

    def take(self, envelope: Mapping[str, Any]) -> None:
        """Take a notification or a revocation; it is dropped when it cannot be read, is known or not for us."""
        if self._closed:
            return
        metadata = envelope.get("metadata")
        kind = metadata.get("message_type") if isinstance(metadata, Mapping) else None
        if kind == "revocation":
            self._take_revocation(envelope)
        elif translate.subscription_type(envelope) == "channel.chat.message":
            self._take_chat(envelope)
        else:
            self._take_happening(envelope)

    async def room(self) -> None:
        """Return when more may come."""
        if not self._has_room.is_set():
            await self._has_room.wait()

    async def drain(self, seconds: float) -> None:
        """Take nothing more, and finish what was taken within so many seconds."""
        self._closed = True
        self._has_room.set()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._tasks and loop.time() < until:
            await asyncio.wait(set(self._tasks), timeout=until - loop.time())
        left = set(self._tasks)
        if left:
            _log.warning("Twitch commands were cut short by the end", commands=len(left) + len(self._waiting))
        self._waiting.clear()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # --- chat

    def _take_chat(self, envelope: Mapping[str, Any]) -> None:
        heard = translate.heard(envelope, self._clock())
        if heard is None or heard.place.platform_id not in self.channels:
            return
        if heard.author.user_id == self._bot_id:
            moderator, vip = heard.role >= Role.MODERATOR, heard.role == Role.VIP
            self._outbox.set_standing(heard.place.platform_id, moderator, vip)
            return
        # The dispatcher would say the same of talk, a task later.
        if not heard.text.lstrip().startswith(TWITCH.prefix) or translate.from_a_bot(envelope):
            return
        if self._known(f"chat {heard.message_id}"):
            return
        self._waiting.append(heard)
        if len(self._waiting) >= self._most_waiting:
            self._has_room.clear()
        self._hear_more()

    def _hear_more(self) -> None:
        while self._waiting and self._hearing < self._at_once:
            self._hearing += 1
            self._begin(self._hear(self._waiting.popleft()))
        if len(self._waiting) < self._most_waiting:
            self._has_room.set()

    async def _hear(self, heard: Heard) -> None:
        try:
            reply = await self._dispatcher.hear(heard)
            if reply is not None:
                self._outbox.put(heard.place.platform_id, _in_turn(reply, heard.role), heard.message_id)
        except Exception:
            _log.exception("a Twitch message was lost", channel=heard.place.platform_id)
        finally:
            self._hearing -= 1
            self._hear_more()

    # --- everything else, one channel's events in their order

    def _take_happening(self, envelope: Mapping[str, Any]) -> None:
        happened = translate.happening(envelope)
        if happened is None or happened.place.platform_id not in self.channels:
            return
        if isinstance(happened, WentOnline) and happened.type != "live":
            return  # a rerun or a premiere
        if self._known(happened.message_id):
            return
        channel = happened.place.platform_id
        lane = self._lanes.get(channel)
        if lane is None:
            lane = self._lanes[channel] = deque()
            self._begin(self._walk(channel, lane))
        if len(lane) >= MOST_HAPPENINGS:
            _log.warning("too many Twitch events wait; one was dropped", channel=channel)
            return
        lane.append((happened, self._clock()))

    async def _walk(self, channel: str, lane: deque[tuple[Happening, datetime]]) -> None:
        try:
            while lane:
                await self._happened(*lane.popleft())
        finally:
            del self._lanes[channel]

    async def _happened(self, happened: Happening, arrived: datetime) -> None:
        await self._taken(lambda: self._use.happened(happened, arrived), type(happened).__name__)

    async def _taken(self, use: Callable[[], Awaitable[None]], kind: str) -> None:
        """Have an event dealt with, again and again while store or Twitch stumble."""
        pause = self._pause
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await use()
            except (StoreError, ProviderError) as error:
                _log.warning("a Twitch event could not be taken", type=kind, attempt=attempt, error=str(error))
            except Exception:
                _log.exception("a Twitch event failed", type=kind)
                return
            else:
                return
            if attempt < ATTEMPTS:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _take_revocation(self, envelope: Mapping[str, Any]) -> None:
        revoked = translate.revoked(envelope)
        if revoked is None:
            return
        _log.warning("Twitch ended a subscription", type=revoked.type, channel=revoked.channel_id, why=revoked.status)
        told = (revoked.channel_id, revoked.status)
        if told not in self._revoking:  # there is one for each kind of event
            self._revoking.add(told)
            self._begin(self._revoked(*told, self._clock()))

    async def _revoked(self, channel_id: str, status: str, arrived: datetime) -> None:
        try:
            await self._taken(lambda: self._use.revoked(channel_id, status, arrived), Revoked.__name__)
        finally:
            self._revoking.discard((channel_id, status))
            self._resubscribe()

    # --- both

    def _known(self, message_id: str) -> bool:
        if message_id in self._seen:
            return True
        self._seen[message_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _in_turn(reply: Reply, role: Role) -> Reply:
    """Acts are said before all else: only moderators', or a viewer who adjusts without end would silence the rest."""
    return reply._replace(kind="read") if reply.kind == "changed" and role < Role.MODERATOR else reply
