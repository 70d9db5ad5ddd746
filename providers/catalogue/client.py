"""One provider's door: its budget, what may be repeated, and what its statuses mean."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

from moments.errors import ProviderDown, ProviderUnreadable
from providers.catalogue.budget import Budget
from providers.catalogue.facts import Absent, Kind
from providers.catalogue.shapes import Malformed, Row
from providers.http import Answer, Http, Params

T = TypeVar("T")

PAUSES_SECONDS = (0.5, 2.0)
"""Before a second and a third attempt, when nobody answered or their side broke."""
PATIENCE_SECONDS = 5.0
"""A pause up to that is waited out; a longer one is handed on, with the time it ends."""
BUSY_SECONDS = 5.0
"""After a "too fast" that does not say for how long."""
DOWN_SECONDS = 30.0
"""After three attempts in vain: so that a provider that is down holds up no queue of others."""
DAY_SECONDS = 86_400.0

_CODE = re.compile(r"[A-Za-z0-9_ ]{1,60}")


class Said(NamedTuple):
    """What a provider meant by an answer that is none."""

    kind: Kind
    code: str = ""
    seconds: float | None = None
    """For a pause: how long, where it says so."""


Judge = Callable[[Answer, datetime], Said | None]
"""A provider's own way of saying no; None leaves it to the status."""


class Missing(Exception):
    """There are no facts; inside of this folder only, `look_up` hands out what is in it."""

    def __init__(self, absent: Absent) -> None:
        super().__init__(absent.said)
        self.absent = absent


class Client:
    """Asks one provider; never prints what it sends along."""

    def __init__(
        self,
        http: Http,
        base: str,
        budget: Budget,
        headers: Mapping[str, str],
        judge: Judge = lambda _answer, _now: None,
    ) -> None:
        self._http = http
        self._base = base.rstrip("/")
        self._budget = budget
        self._headers = dict(headers)
        self._judge = judge

    async def read(
        self,
        path: str,
        shape: Callable[[Row], T],
        *,
        now: datetime,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        units: int = 0,
    ) -> T:
        """GET an object in this shape. Raises Missing; may wait for its turn as long as the provider's pace demands."""
        return shaped(f"GET {path}", await self._get(path, now, params, headers, units), shape)

    async def post(
        self,
        path: str,
        shape: Callable[[Row], T],
        *,
        now: datetime,
        data: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> T:
        """POST a form once and read the object that comes back. Raises Missing."""
        await self._open(f"POST {path}", now)
        answer = await self._exchange("POST", path, now, headers=headers, data=data)
        return shaped(f"POST {path}", answer, shape)

    async def _get(
        self, path: str, now: datetime, params: Params | None, headers: Mapping[str, str] | None, units: int
    ) -> Answer:
        for pause in (*PAUSES_SECONDS, None):
            try:
                await self._open(f"GET {path}", now)
                async with self._budget.turn():
                    await self._open(f"GET {path}", now)  # others were told while this one waited for its turn
                    self._spend(f"GET {path}", units, now)
                    return await self._exchange("GET", path, now, params=params, headers=headers)
            except Missing as missing:
                if pause is None or not self._worth_repeating(missing.absent):
                    self._rest_if_down(missing.absent)
                    raise
                if missing.absent.kind is Kind.DOWN:
                    await self._budget.clock.sleep(pause)
        raise AssertionError("the last attempt raises its own error")

    async def _open(self, asked: str, now: datetime) -> None:
        """Wait out a short pause; Missing for a long one."""
        left = self._budget.left()
        if left > PATIENCE_SECONDS:
            raise Missing(Absent(self._budget.paused, f"{asked}: not asked", now + timedelta(seconds=left)))
        if left > 0:
            await self._budget.clock.sleep(left)

    def _spend(self, asked: str, units: int, now: datetime) -> None:
        until = self._budget.quota.spend(units, now) if self._budget.quota and units else None
        if until is not None:
            raise Missing(Absent(Kind.QUOTA, f"{asked}: not asked", until.astimezone(UTC)))

    def _worth_repeating(self, absent: Absent) -> bool:
        if absent.kind is Kind.BUSY:
            return self._budget.left() <= PATIENCE_SECONDS
        return absent.kind is Kind.DOWN and absent.retry_at is None

    def _rest_if_down(self, absent: Absent) -> None:
        if absent.kind is Kind.DOWN and absent.retry_at is None:
            self._budget.pause(Kind.DOWN, DOWN_SECONDS)

    async def _exchange(
        self,
        method: str,
        path: str,
        now: datetime,
        *,
        headers: Mapping[str, str] | None,
        params: Params | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {**self._headers, **(headers or {})}
        try:
            answer = await self._http.request(method, f"{self._base}{path}", params=params, data=data, headers=sent)
        except ProviderDown as error:
            absent = Absent(Kind.DOWN, str(error))
        except ProviderUnreadable as error:
            absent = Absent(Kind.UNREADABLE, str(error))
        else:
            said = self._judge(answer, now) or judged(answer)
            if said is None:
                return answer
            absent = self._absent(f"{method} {path}: {answer.status}", said, answer, now)
        raise Missing(absent)

    def _absent(self, asked: str, said: Said, answer: Answer, now: datetime) -> Absent:
        code = said.code if _CODE.fullmatch(said.code) else ""
        if said.kind is Kind.QUOTA:
            quota = self._budget.quota
            until = quota.used_up(now) if quota else now + timedelta(seconds=_pause(said, answer, now, DAY_SECONDS))
            self._budget.pause(Kind.QUOTA, (until - now).total_seconds())
            return Absent(Kind.QUOTA, asked, until.astimezone(UTC), code)
        if said.kind is Kind.BUSY:
            seconds = _pause(said, answer, now, BUSY_SECONDS)
            self._budget.pause(Kind.BUSY, seconds)
            return Absent(Kind.BUSY, asked, now + timedelta(seconds=seconds), code)
        return Absent(said.kind, asked, None, code)


def shaped(asked: str, answer: Answer, shape: Callable[[Row], T]) -> T:
    """The answer in this shape; Missing (unreadable) when any of it is not as documented."""
    try:
        if isinstance(answer.json, dict):
            return shape(answer.json)
        problem = "not an object"
    except Malformed as error:
        problem = str(error)
    raise Missing(Absent(Kind.UNREADABLE, f"{asked}: {answer.status}, {problem}"))


_STATUSES = {404: Kind.GONE, 410: Kind.GONE, 429: Kind.BUSY, 451: Kind.REGION}


def judged(answer: Answer) -> Said | None:
    """What a status means where the provider says nothing of its own; None for a success."""
    if 200 <= answer.status < 300:
        return None
    if answer.status >= 500:
        busy = answer.status == 503 and "Retry-After" in answer.headers
        return Said(Kind.BUSY if busy else Kind.DOWN)
    return Said(_STATUSES.get(answer.status, Kind.REFUSED))


def _pause(said: Said, answer: Answer, now: datetime, otherwise: float) -> float:
    seconds = said.seconds if said.seconds is not None else _retry_after(answer.headers.get("Retry-After", ""), now)
    return otherwise if seconds is None else min(max(seconds, 0.1), DAY_SECONDS)


def _retry_after(value: str, now: datetime) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date."""
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, IndexError):
        return None
    return (until - now).total_seconds() if until.tzinfo is not None else None
