"""How many commands run at once: bounded, so that a flood leaves the event loop usable, and fair between channels."""

import asyncio
from collections import OrderedDict, deque

MOST_AT_ONCE = 1024
"""As many as one transaction takes: whoever is let in is in the next one."""


class Admission:
    """Lets a bounded number of commands in; while it is full, channels take turns, whoever of them is flooding."""

    def __init__(self, at_once: int = MOST_AT_ONCE) -> None:
        self._free = at_once
        self._waiting: OrderedDict[tuple[str, str], deque[asyncio.Future[None]]] = OrderedDict()

    async def enter(self, channel: tuple[str, str]) -> None:
        """Return when it is this command's turn."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next channel's next command in."""
        while self._waiting:
            channel, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(channel)
            else:
                del self._waiting[channel]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
