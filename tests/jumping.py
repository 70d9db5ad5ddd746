"""Time that jumps: the event loop's clock goes straight to the next timer, so a test of minutes takes none."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


class JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for a timer, time jumps to it; where sockets are spoken to, after a moment's grace."""

    jumped = 0.0
    grace = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout == 0 else self.grace)
        if not ready:
            assert timeout is not None, "everybody waits for everybody"
            self.jumped += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, grace: float) -> None:
        self._jumping = JumpingSelector()
        self._jumping.grace = grace
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds."""
        return 1000.0 + self._jumping.jumped


def play(scene: Coroutine[Any, Any, None], grace: float = 0.0) -> None:
    """Run a scene to its end. `grace`: how many real seconds a socket may take before time jumps over its answer."""
    with asyncio.Runner(loop_factory=lambda: JumpingLoop(grace)) as runner:
        runner.run(scene)


def now() -> float:
    """The loop's time, in seconds."""
    return asyncio.get_running_loop().time()


def scene(body: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that plays in time that jumps."""

    def test() -> None:
        async def whole() -> None:
            await body()

        play(whole())

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test
