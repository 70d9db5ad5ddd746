"""How often one client may ask (RES-4). Marks in chat have no limit here."""

import hmac
import re
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic

from moments.errors import Refusal

REMEMBERED_CLIENTS = 10_000
"""Clients kept a limit. Past that the longest unseen are forgotten, which only ever gives them more."""
_KEY_SECONDS = 86_400.0
_PAGES = (
    "/s/",
    "/c/",
    "/m/",
    "/t/",
    "/me/",
    "/login/",
    "/twitch/",
    "/logout",
    "/session/",
    "/link/",
    "/join",
    "/privacy",
    "/terms",
)
_LOGIN = re.compile(r"/login/[^/?]+|/me/link/[^/?]+|/twitch/connect/start(\?code)?|/twitch/connect\?code")
"""Where a login begins, or the bot's code is tried."""
_EXPORT = re.compile(r"/s/.+/export\.[^/]*")
"""A session may be named platform/channel, so there can be a slash within."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`times` at once, refilled evenly over `seconds`."""

    times: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LimitRates:
    """What one client address may do."""

    pages: Rate = Rate(600, 300)
    api_reads: Rate = Rate(300, 300)
    api_writes: Rate = Rate(30, 3600)
    """A person's, wherever they ask from."""
    logins: Rate = Rate(10, 600)
    exports: Rate = Rate(10, 3600)
    exports_at_once: int = 2
    spare_operator: bool = True
    """Requests from this machine and through no proxy are the operator's own scripts; nobody limits those."""


class Bucket:
    """A token bucket for each key, kept as one number: the time at which that bucket is full again."""

    def __init__(self, rate: Rate, remembered: int = REMEMBERED_CLIENTS) -> None:
        self._interval = rate.seconds / rate.times
        self._seconds = rate.seconds
        self._remembered = remembered
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: bytes, now: float) -> float:
        """Take one; the seconds to wait when there is none, else 0."""
        full_at = max(now, self._full_at.get(key, now)) + self._interval
        wait = full_at - now - self._seconds
        if wait > 1e-9:  # the interval is seldom a whole binary fraction
            return wait
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return 0.0

    def clear(self) -> None:
        """Forget everyone."""
        self._full_at.clear()


class TooMany(Refusal):
    """One client asked too often; `retry_after` in whole seconds."""

    def __init__(self, sentence: str, wait: float) -> None:
        super().__init__(sentence)
        self.retry_after = max(1, ceil(wait))


class Limits:
    """Every limit of the site. Addresses are known by an HMAC whose key lives in memory, for a day (PRIV-3)."""

    def __init__(self, rates: LimitRates | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.rates = rates or LimitRates()
        self._clock = clock
        self._pages = Bucket(self.rates.pages)
        self._reads = Bucket(self.rates.api_reads)
        self._writes = Bucket(self.rates.api_writes)
        self._logins = Bucket(self.rates.logins)
        self._exports = Bucket(self.rates.exports)
        self._exporting: Counter[bytes] = Counter()
        self._renew(clock())

    def _renew(self, now: float) -> None:
        self._secret = secrets.token_bytes(32)
        self._secret_until = now + _KEY_SECONDS
        self._pages.clear()
        self._reads.clear()
        self._writes.clear()
        self._logins.clear()
        self._exports.clear()

    def _key(self, client: str, now: float) -> bytes:
        if now >= self._secret_until:
            self._renew(now)
        return hmac.digest(self._secret, client.encode(), "sha256")

    @contextmanager
    def allow(self, path: str, client: str) -> Iterator[None]:
        """Hold while answering; raises TooMany when this client has used up what the path allows.

        A path ends in `?code` when its query has one.
        """
        now = self._clock()
        key = self._key(client, now)
        if path.startswith("/api/"):
            _take(self._reads, key, now, "That is too many questions at once.")
        elif _LOGIN.fullmatch(path):
            _take(self._logins, key, now, "That is too many logins at once.")
        elif path.partition("?")[0] in {"/", "/me"} or path.startswith(_PAGES):
            _take(self._pages, key, now, "That is too many pages at once.")
        if not _EXPORT.fullmatch(path):
            yield
            return
        with self._exporting_once_more(key):
            _take(self._exports, key, now, "That is too many downloads in one hour.")
            yield

    def allow_write(self, platform: str, user_id: str) -> None:
        """Raise TooMany when this account has changed enough through the API for now."""
        now = self._clock()
        _take(self._writes, self._key(f"{platform} {user_id}", now), now, "That is too many moments in one hour.")

    @contextmanager
    def _exporting_once_more(self, key: bytes) -> Iterator[None]:
        most = self.rates.exports_at_once
        if self._exporting[key] >= most:
            raise TooMany(f"Only {most} downloads at once; wait until one is done.", 5)
        self._exporting[key] += 1
        try:
            yield
        finally:
            self._exporting[key] -= 1
            if not self._exporting[key]:
                del self._exporting[key]


def _take(bucket: Bucket, key: bytes, now: float, sentence: str) -> None:
    wait = bucket.take(key, now)
    if wait:
        raise TooMany(f"{sentence} Try again in {ceil(wait)} s.", wait)
