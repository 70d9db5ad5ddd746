"""What was said in a channel lately: where everyone reads along, the same answer twice in a row is noise."""

from datetime import datetime, timedelta

from commands.model import Heard, Reply
from moments.sessions import LATE_SECONDS

MOST_REMEMBERED = 10_000


class Once:
    """Remembers read answers and refusals for a platform's `once_seconds`, a channel at a time."""

    def __init__(self) -> None:
        self._until: dict[tuple[object, ...], datetime] = {}

    def said(self, heard: Heard, asked: tuple[str | None, str], reply: Reply, now: datetime) -> bool:
        """Whether this channel was given the same answer a moment ago; if not, it is from now on."""
        seconds = heard.platform.once_seconds
        if not seconds or reply.kind not in {"read", "refusal"}:
            return False
        # A read answer tells of a running clock: what was asked is what makes it the same.
        same = (*heard.place[:2], *(asked if reply.kind == "read" else (reply.text,)))
        until = self._until.get(same)
        # Messages overtake each other; further ahead than that, the clock was set back.
        if until is not None and now < until <= now + timedelta(seconds=seconds + LATE_SECONDS):
            return True
        if len(self._until) >= MOST_REMEMBERED:
            self._until = {key: when for key, when in self._until.items() if now < when}
        self._until.pop(same, None)
        self._until[same] = now + timedelta(seconds=seconds)
        while len(self._until) > MOST_REMEMBERED:
            del self._until[next(iter(self._until))]
        return False
