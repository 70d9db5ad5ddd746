"""One Discord channel's feed: what waits for it, compared with what stands there, most urgent first; before all else,
answers that must go.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.discord.cards import Body, card_body
from bot.discord.post_sender import Api, Pace, Paused, Sender
from commands.post_steps import Step, steps
from commands.services import Services
from commands.touched import Shape, Touched
from moments.errors import (
    NotAuthorised,
    ProviderBusy,
    ProviderDown,
    ProviderRefused,
    ProviderUnreadable,
    StoreError,
)
from storage import answers, feeds
from storage.feeds import Due, Feed
from storage.posts import Post, State

TRIED_AGAIN = timedelta(hours=1)
"""A channel that cannot be posted to, unless a moderator sets its feed again."""
MOST_EDITS = 500
"""Posts changed by one look at a session; what more there is comes with the next."""

EDITS_AT_ONCE = 3
"""Posts changed before something new has its turn: with each mark, all around it tell of one more person."""

_FOR_NOW = (ProviderDown, ProviderBusy, ProviderUnreadable, NotAuthorised, StoreError)
"""What may work later."""

_log = structlog.get_logger("discord_bot")


def is_paused(feed: Feed, now: datetime) -> bool:
    """Whether nothing is posted for now, since Discord does not let us."""
    return feed.trouble_at is not None and timedelta(0) <= now - feed.trouble_at < TRIED_AGAIN


class Postbox:
    """`run` brings a channel's posts up to date, until nothing waits."""

    def __init__(
        self,
        services: Services,
        api: Api,
        pace: Pace,
        discord_channel: str,
        shape: Callable[[str], Shape],
        lose: Callable[[str, str | None], None],
    ) -> None:
        """`lose` is told when what waits is let go: a session's, or (None) all the channel's."""
        self._services, self._pace, self._channel = services, pace, discord_channel
        self._shape, self._lose = shape, lose
        self._waiting: OrderedDict[str, Touched] = OrderedDict()
        self._done: dict[str, Due] = {}
        self._sender = Sender(services, api, pace, discord_channel)
        self._closing = self._answers = False

    def take_back_answers(self) -> None:
        """Delete the answers that repeat what is gone, before anything else."""
        self._answers = True

    def put(self, session_id: str, touched: Touched) -> None:
        """Look at this when its turn comes."""
        self._waiting.setdefault(session_id, Touched()).add(touched)

    @property
    def waits(self) -> bool:
        """Whether there is something to do."""
        return (self._answers or bool(self._waiting)) and not self._closing

    def close(self) -> None:
        """End after the call that is under way."""
        self._closing = True

    def take_done(self) -> list[Due]:
        """Up to where sessions are shown as they are, since this was asked last."""
        done = [due for session_id, due in self._done.items() if session_id not in self._waiting]
        self._done.clear()
        return done

    def forget_done(self) -> None:
        """The feed may have been set otherwise: nothing counts as shown that was compared before."""
        self._done = {}  # another: what is being compared right now is noted in the one before

    async def run(self) -> None:
        """Whatever fails for now is tried again; what never will work is told to a moderator."""
        pause = self._pace.first_pause
        while self.waits:
            try:
                await (self._take_back() if self._answers else self._next())
                pause = self._pace.first_pause
            except _FOR_NOW as error:
                _log.warning("the feed waits", channel=self._channel, error=str(error))
                await asyncio.sleep(max(pause, error.retry_after) if isinstance(error, ProviderBusy) else pause)
                pause = min(2 * pause, self._pace.longest_pause)

    async def _take_back(self) -> None:
        self._answers = False
        try:
            for message_id in await answers.going(self._services.store, self._channel):
                if self._closing:
                    return
                await self._sender.take_back(message_id)
        except ProviderRefused as error:
            await self._sender.put_off(error)
        except _FOR_NOW:
            self._answers = True
            raise
        except Exception:
            _log.exception("answers could not be taken back", channel=self._channel)

    async def _next(self) -> None:
        session_id, touched = self._waiting.popitem(last=False)
        try:
            await self._show(session_id, touched)
        except Paused:
            self._waiting.clear()
            self._lose(self._channel, None)
        except _FOR_NOW:
            self._put_back(session_id, touched)
            raise
        except Exception:
            _log.exception("a session could not be posted", channel=self._channel, session=session_id)
            self._lose(self._channel, session_id)

    def _put_back(self, session_id: str, touched: Touched) -> None:
        self.put(session_id, touched)
        self._waiting.move_to_end(session_id, last=False)

    async def _show(self, session_id: str, touched: Touched) -> None:
        store = self._services.store
        feed = await feeds.of_channel(store, self._channel)
        if feed is None or is_paused(feed, self._services.clock()):
            raise Paused
        session = await store.session(session_id)
        revision = await store.revision(session) if session else -1
        edits, done = 0, self._done
        try:
            for step, body in await self._compared(feed, session_id, touched):
                if self._closing:
                    return self._put_back(session_id, touched)
                edits += step.post is not None and step.card is not None
                if edits > EDITS_AT_ONCE and self._waiting:
                    self.put(session_id, touched)
                    break
                if not self._changes(session_id, step):
                    await self._do(session_id, step, body)
        except ProviderRefused as error:
            await self._sender.pause(error)
        if feed.trouble_at is not None:
            await self._sender.resume()
        done[session_id] = Due(self._channel, session_id, revision)
        return None

    async def _do(self, session_id: str, step: Step, body: Body | None) -> None:
        post = step.post
        if post is None:
            if body is not None:
                await self._sender.make(session_id, step, body, lambda: self._changes(session_id, step))
        elif post.state is State.SENDING:
            if not await self._sender.settle(post, body) and body is not None:
                self.put(session_id, Touched(everything=True))
        elif body is None:
            await self._sender.delete(post)
        else:
            await self._sender.edit(post._replace(low=step.low, high=step.high), body)

    def _changes(self, session_id: str, step: Step) -> bool:
        """Whether what a post shows has changed since: it is looked at again at once, and not shown as it was."""
        waiting = self._waiting.get(session_id)
        if waiting is None or step.card is None:
            return False
        return waiting.everything or not waiting.numbers.isdisjoint(step.numbers)

    async def _compared(self, feed: Feed, session_id: str, touched: Touched) -> list[tuple[Step, Body | None]]:
        """What is to be done, most urgent first: what should not stand, what is new, what reads otherwise now."""
        away: list[tuple[Step, Body | None]] = []
        new: list[tuple[Step, Body | None]] = []
        changed: list[tuple[Step, Body | None]] = []
        async for step in steps(self._services, feed, session_id, touched, self._shape(session_id)):
            body = card_body(step.card, self._services.public_url) if step.card else None
            if body is None or (step.post is not None and step.post.state is State.SENDING):
                away.append((step, body))
            elif step.post is None:
                new.append((step, body))
            elif self._reads_otherwise(step, step.post, body):
                changed.append((step, body))
            if len(changed) == MOST_EDITS:
                self.put(session_id, Touched(everything=True))
                break
        return [*away, *new, *changed]

    def _reads_otherwise(self, step: Step, post: Post, body: Body) -> bool:
        if post.state is not State.POSTED:
            return False
        return post.digest != self._sender.digest(body) or (post.low, post.high) != (step.low, step.high)
