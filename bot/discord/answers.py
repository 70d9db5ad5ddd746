"""Answering an interaction that was acknowledged: once, and what is for its caller alone to nobody else."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import structlog

from bot.discord.cards import EPHEMERAL, Body, body, card_body, reply_text, text_body
from bot.discord.rest import Posted
from bot.discord.translate import Handle
from commands.model import Card, Reply
from commands.services import Clock
from moments.errors import ProviderBusy, ProviderDown, ProviderRefused
from storage.answers import Trace

T = TypeVar("T")

TOKEN_LASTS = timedelta(minutes=14, seconds=30)
"""How long an interaction can be answered; Discord gives 15 minutes."""
LONGEST_PAUSE = 30.0
MOST_PRESSED = 1_000
BROKEN = Reply("Something broke on our side.", private=True, kind="refusal")

Follow = Callable[[Card, datetime], AsyncIterator[Card]]
"""A card anew each time that more is known, until an instant (commands.cards.follow)."""

Keep = Callable[[Handle, Posted, tuple[Trace, ...]], None]
"""Notes what a message shows from now on; never waits."""

_log = structlog.get_logger("discord_bot")


class Mouth(Protocol):
    """Discord's answers by an interaction's token: bot.discord.rest.Rest."""

    async def callback(self, interaction_id: str, token: str, body: Mapping[str, Any], *, deadline: float) -> None:
        """Acknowledge, again and again until `deadline` of the event loop's clock."""

    async def edit_original(self, token: str, body: Mapping[str, Any]) -> Posted:
        """Give the answer that was put off, or change it; where it stands."""

    async def delete_original(self, token: str) -> None:
        """Take it away."""

    async def follow_up(self, token: str, body: Mapping[str, Any], *, again: bool = False) -> None:
        """Say something more; `again` where saying it twice is better than not at all."""


class Answers:
    """What becomes of replies. Each call raises ProviderError once Discord has said no, or nothing for too long."""

    def __init__(self, rest: Mouth, site: str, clock: Clock, pause: float, keep: Keep) -> None:
        self._rest, self._site, self._clock, self._pause, self._keep = rest, site, clock, pause, keep
        self._newest: OrderedDict[str, Handle] = OrderedDict()
        """Whose press has the last word on a card, by its message; MOST_PRESSED of them."""

    async def to_command(self, handle: Handle, reply: Reply | None, *, hidden: bool) -> bool:
        """In the place of "thinking…", which is `hidden` from others or not; None when it was answered before.

        Whether the reply stands there now.
        """
        stands = False
        if reply is None:
            await self._persist(handle, lambda: self._rest.delete_original(handle.token))
        elif reply.private and not hidden and not handle.alone:
            # Whether others see it was settled with the acknowledgement: what stands there cannot become private.
            await self._persist(handle, lambda: self._rest.delete_original(handle.token))
            await self._privately(handle, reply, again=True)
        else:
            await self._edit(handle, reply)
            stands = True
        await self._aside(handle, reply)
        return stands

    async def to_press(self, handle: Handle, reply: Reply | None) -> None:
        """To who pressed it the words, and the card the button is under as it is now; None as above."""
        if reply is None:
            return
        self._newest[handle.message] = handle
        self._newest.move_to_end(handle.message)
        if len(self._newest) > MOST_PRESSED:
            self._newest.popitem(last=False)
        # Neither waits while Discord stumbles over the other.
        both = await asyncio.gather(self._repaint(handle, reply), self._tell(handle, reply), return_exceptions=True)
        for error in both:
            if error is not None:
                raise error

    async def keep_true(self, handle: Handle, card: Card, follow: Follow) -> None:
        """Change the answer whenever more is known of what it shows, while it can be changed."""
        async for newer in follow(card, self._clock() + TOKEN_LASTS):
            posted = await self._rest.edit_original(handle.token, card_body(newer, self._site))
            self._keep(handle, posted, newer.shows)

    async def _repaint(self, handle: Handle, reply: Reply) -> None:
        if reply.card is None:
            return
        try:
            await self._edit(handle, reply)
        except ProviderRefused as error:  # the message has been deleted meanwhile; the press counts
            _log.info("a pressed card is not there any more", status=error.status, code=error.code)

    async def _tell(self, handle: Handle, reply: Reply) -> None:
        await self._privately(handle, reply._replace(card=None))
        await self._aside(handle, reply)

    async def _edit(self, handle: Handle, reply: Reply) -> None:
        async def change(made: Body) -> Posted | None:
            # A card that was pressed again meanwhile has a newer count by now, which must not be put back.
            newest = self._newest.get(handle.message, handle) if handle.message else handle
            return await self._rest.edit_original(handle.token, made) if newest == handle else None

        posted = await self._first_accepted(handle, reply, change)
        if posted is not None:
            self._keep(handle, posted, reply.card.shows if reply.card else reply.shows)

    async def _aside(self, handle: Handle, reply: Reply | None) -> None:
        if reply is not None and reply.aside:
            await self._privately(handle, Reply(reply.aside))

    async def _privately(self, handle: Handle, reply: Reply, *, again: bool = False) -> None:
        """`again` for the only answer there will be: twice is better than not at all."""

        async def say(made: Body) -> None:
            told = {**made, "flags": made["flags"] | EPHEMERAL}
            await self._rest.follow_up(handle.token, told, again=again)

        await self._first_accepted(handle, reply, say, again=again)

    async def _first_accepted(
        self, handle: Handle, reply: Reply, send: Callable[[Body], Awaitable[T]], *, again: bool = True
    ) -> T:
        """Send it, or what is left of it without what Discord refuses: it takes no picture from `localhost`, say."""
        *bodies, last = self._bodies(reply)
        for made in bodies:
            try:
                return await self._persist(handle, lambda made=made: send(made), again=again)  # type: ignore[misc]
            except ProviderRefused as error:
                if error.status != 400:
                    raise
                _log.error("Discord refuses an answer of ours", code=error.code, card=bool(made["embeds"]))
        return await self._persist(handle, lambda: send(last), again=again)

    def _bodies(self, reply: Reply) -> Iterator[Body]:
        yield body(reply, self._site)
        if reply.card is not None:
            yield text_body(reply_text(reply, self._site))
        yield text_body(BROKEN.text)

    async def _persist(self, handle: Handle, ask: Callable[[], Awaitable[T]], *, again: bool = True) -> T:
        """Ask while Discord stumbles, for as long as it would take an answer; unless `again`, never for a second one.

        What Discord may have done although nobody heard so is done twice otherwise.
        """
        clock, pause = asyncio.get_running_loop().time, self._pause
        left = (handle.made + TOKEN_LASTS - self._clock()).total_seconds()
        until = clock() + max(left, LONGEST_PAUSE)  # should the two clocks disagree
        while True:
            try:
                return await ask()
            except ProviderBusy as error:
                wait = max(pause, error.retry_after)
                if clock() + wait > until:
                    raise
            except ProviderDown as error:
                wait = pause
                if clock() + wait > until or (error.unanswered and not again):
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)
