"""What was said in a channel lately: where everyone reads along, the same answer twice in a row is noise."""

from datetime import datetime, timedelta

from commands.model import Heard, Reply
from moments.sessions import LATE_SECONDS

MOST_REMEMBERED = 10_000


class Once:
    """Remembers read answers and refusals for a platform's `once_seconds`, a channel at a time."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, str], datetime] = {}

    def said(self, heard: Heard, reply: Reply, now: datetime) -> bool:
        """Whether this channel was given the same answer a moment ago; if not, it is from now on."""
        seconds = heard.platform.once_seconds
        if not seconds or reply.kind not in {"read", "refusal"}:
            return False
        same = (*heard.place[:2], reply.same or reply.text)
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
