"""Notes which message answers what, beside the answering, which never waits for it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.discord.rest import Posted
from bot.discord.translate import Handle
from moments.errors import StoreError
from storage.answers import Answer, Trace

TRIES = 6
"""With pauses from one second on, twice as long each time: a store is busy for half a minute at most."""

Note = Callable[[Answer], Awaitable[None]]
"""Keeps what a message shows (commands.answered.note_answer); raises StoreError."""

_log = structlog.get_logger("discord_bot")


class Noter:
    """`keep` returns at once; the work goes on in tasks of its own."""

    def __init__(self, note: Note, pause: float) -> None:
        """`pause` is the first, in seconds, before a busy store is asked again."""
        self._note, self._pause = note, pause
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, handle: Handle, posted: Posted, shows: tuple[Trace, ...]) -> None:
        """Note an answer that others may read; not where the bot could not delete it anyway."""
        reached = bool(handle.guild) or handle.alone
        if not shows or not reached or posted.ephemeral or not posted.message_id:
            return
        answer = Answer(handle.guild, posted.channel_id, posted.message_id, shows)
        task = asyncio.create_task(self._keep(answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Finish within so many seconds."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        left = set(self._tasks)
        if left:
            _log.warning("answers that stand could not be noted before the end", answers=len(left))
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _keep(self, answer: Answer) -> None:
        pause = self._pause
        for left in reversed(range(TRIES)):
            try:
                return await self._note(answer)
            except StoreError as error:
                if not left:
                    _log.error("an answer could not be noted, and will not follow", error=str(error))
            except Exception:
                _log.exception("an answer could not be noted, and will not follow")
                return None
            await asyncio.sleep(pause)
            pause *= 2
        return None
