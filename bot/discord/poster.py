"""Keeps what stands in Discord channels true to the store, through restarts and while Discord is down: the feed's
posts, and answers, which go when what they repeat goes (storage/answers.py).

Told of every change, it looks again at what is near; whatever it was not told of is found every minute by the number
that grows with each change of a session (storage/feeds.py).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

import structlog

from bot.discord.post_sender import USUAL, Api, Pace
from bot.discord.postbox import Postbox, is_paused
from commands.services import Services
from commands.touched import Shape, Touched
from commands.vod import vods
from moments.errors import MomentsError, StoreError
from storage import Change, Transaction, answers, feeds
from storage.feeds import Due

MOST_CHANGES = 1_000
"""Changes of a session that wait; of more, all of it is looked at."""
MOST_SESSIONS = 2_000
"""Sessions with waiting changes; the minute's look finds what others there are."""
MOST_SHAPES = 300
VOD_APPEARS = timedelta(days=1)
"""After a session's end, while which its posts get the links into its VOD."""

_log = structlog.get_logger("discord_bot")


class Poster:
    """`announce` is called with all that was committed; `run` works for as long as the process lives."""

    def __init__(self, services: Services, api: Api, *, pace: Pace = USUAL) -> None:
        self._services, self._api, self._pace = services, api, pace
        self._changes: OrderedDict[str, list[Change] | None] = OrderedDict()
        """By session, what is to be looked at; None for everything."""
        self._shapes: OrderedDict[str, Shape] = OrderedDict()
        self._boxes: dict[str, Postbox] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._current: set[tuple[str, str]] = set()
        """(Discord channel, session) that were looked at since we started and of which every change was told."""
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._committed = asyncio.Event()
        self._telling = self._looking = self._closing = False

    def announce(self, changes: Sequence[Change]) -> None:
        """Take note of what was committed. Never waits."""
        for change in changes:
            if change.session_id not in self._changes and len(self._changes) >= MOST_SESSIONS:
                self._current.clear()
                return
            waiting = self._changes.setdefault(change.session_id, [])
            if change.kind in {"session", "stale"} or (waiting is not None and len(waiting) >= MOST_CHANGES):
                self._changes[change.session_id] = None
            elif waiting is not None:
                waiting.append(change)
        if changes:
            self._woken.set()
        self._committed.set()
        self._note()

    async def run(self) -> None:
        """Post, change and delete, until cancelled; then drain() ends what is under way."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_every_minute(), name="feed sweep")
            group.create_task(self._hand_out(), name="feed")
            group.create_task(self._take_back(), name="answers")

    async def drain(self, seconds: float) -> None:
        """Finish what is under way, for so many seconds at most; what was not begun is done after the next start."""
        self._closing = True
        for box in self._boxes.values():
            box.close()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        await self._end()

    async def settle(self) -> None:
        """Return once nothing waits and nothing is under way."""
        await self._quiet.wait()

    async def look(self) -> None:
        """Find what was missed: since the last run, by a failure, or because a channel or a VOD can be reached again.

        Raises StoreError.
        """
        now, store = self._services.clock(), self._services.store
        self._committed.set()
        await self._keep_done()
        missed = {one[:2] for one in await feeds.due(store, now)} - self._current
        linked = await feeds.may_change(store, now - VOD_APPEARS)
        for session_id in {one.session_id for one in linked}:
            shown = {one[:2] for one in linked if one.session_id == session_id}
            missed |= shown - self._current
            if shown & self._current and await self._links_changed(session_id):
                missed |= shown
        for discord_channel, session_id in sorted(missed):
            feed = await feeds.of_channel(store, discord_channel)
            if feed is not None and not is_paused(feed, now):
                self._hand(discord_channel, session_id, Touched(everything=True))

    async def _look_every_minute(self) -> None:
        while True:
            try:
                await self.look()
            except MomentsError as error:
                _log.warning("what is to be posted could not be looked for", error=str(error))
            except Exception:
                _log.exception("what is to be posted could not be looked for")
            await asyncio.sleep(self._pace.look)

    async def _hand_out(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._changes:
                session_id, changes = self._changes.popitem(last=False)
                self._telling = True
                try:
                    await self._tell(session_id, changes)
                except StoreError as error:
                    self._current = {pair for pair in self._current if pair[1] != session_id}
                    _log.warning("a change was not posted yet", session=session_id, error=str(error))
                finally:
                    self._telling = False
                    self._note()

    async def _tell(self, session_id: str, changes: list[Change] | None) -> None:
        showing = await feeds.showing(self._services.store, session_id)
        if not showing:
            return
        shape, touched = self._shape(session_id), Touched(everything=changes is None)
        for change in changes or ():
            touched.add(shape.touched(change))
        now = self._services.clock()
        for feed in showing:
            if changes is None:  # the feed itself may have been set otherwise: all it shows is compared
                self._lose(feed.discord_channel, None)
                if box := self._boxes.get(feed.discord_channel):
                    box.forget_done()
            if is_paused(feed, now):
                self._current.discard((feed.discord_channel, session_id))
            else:
                is_current = (feed.discord_channel, session_id) in self._current
                self._hand(feed.discord_channel, session_id, touched if is_current else Touched(everything=True))

    async def _take_back(self) -> None:
        """After anything was written, see whether answers are to go."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            self._looking = True
            try:
                await self._look_at_answers()
            except StoreError as error:
                _log.warning("answers to be taken back could not be looked for", error=str(error))
            except Exception:
                _log.exception("answers to be taken back could not be looked for")
            finally:
                self._looking = False
                self._note()
            await asyncio.sleep(self._pace.answers)

    async def _look_at_answers(self) -> None:
        now, store = self._services.clock(), self._services.store
        if await answers.are_doubtful(store):
            await store.run(answers.settle, message=None, now=now)
        for discord_channel in await answers.to_clear(store, now):
            if not self._closing:
                box = self._box(discord_channel)
                box.take_back_answers()
                self._begin(discord_channel, box)

    def _hand(self, discord_channel: str, session_id: str, touched: Touched) -> None:
        if self._closing:
            return
        self._current.add((discord_channel, session_id))
        box = self._box(discord_channel)
        box.put(session_id, touched)
        self._begin(discord_channel, box)

    def _box(self, discord_channel: str) -> Postbox:
        box = self._boxes.get(discord_channel)
        if box is None:
            box = self._boxes[discord_channel] = Postbox(
                self._services, self._api, self._pace, discord_channel, self._shape, self._lose
            )
        return box

    def _begin(self, discord_channel: str, box: Postbox) -> None:
        if discord_channel not in self._tasks:
            self._start(discord_channel, box)
            self._note()

    def _start(self, discord_channel: str, box: Postbox) -> None:
        task = self._tasks[discord_channel] = asyncio.create_task(box.run(), name=f"feed {discord_channel}")
        task.add_done_callback(lambda _task: self._rest(discord_channel, box))

    def _rest(self, discord_channel: str, box: Postbox) -> None:
        self._tasks.pop(discord_channel, None)
        if box.waits and not self._closing:
            self._start(discord_channel, box)
        self._note()

    def _note(self) -> None:
        """Tell who waits whether anything is under way."""
        if self._changes or self._telling or self._tasks or self._looking or self._committed.is_set():
            self._quiet.clear()
        else:
            self._quiet.set()

    def _lose(self, discord_channel: str, session_id: str | None) -> None:
        """A channel's posts of a session, or of all, were not brought up to date."""
        self._current = {
            pair for pair in self._current if pair[0] != discord_channel or session_id not in (None, pair[1])
        }

    def _shape(self, session_id: str) -> Shape:
        shape = self._shapes.setdefault(session_id, Shape())
        self._shapes.move_to_end(session_id)
        if len(self._shapes) > MOST_SHAPES:
            self._shapes.popitem(last=False)
        return shape

    async def _links_changed(self, session_id: str) -> bool:
        shape, session = self._shapes.get(session_id), await self._services.store.session(session_id)
        if shape is None or session is None:
            return False
        return await vods(self._services, session) != shape.vods

    async def _keep_done(self) -> None:
        done: list[Due] = [each for box in self._boxes.values() for each in box.take_done()]
        self._boxes = {channel: box for channel, box in self._boxes.items() if channel in self._tasks}
        if not done:
            return

        async def keep(transaction: Transaction) -> None:
            await feeds.followed(transaction, done)

        await self._services.store.run(keep, message=None, now=self._services.clock())

    async def _end(self) -> None:
        self._closing, tasks = True, list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._keep_done()
        except StoreError as error:
            _log.info("how far the feed came is looked up after the next start", error=str(error))
