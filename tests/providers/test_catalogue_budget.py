"""How often a provider may be asked: exact in any window, shared by everybody, and it outlives a restart."""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest
from aiohttp import web

import providers.catalogue.budget
from providers.catalogue import Absent, Clock, Kind, MediaFacts, Spent
from providers.catalogue.budget import Pace, Quota, pacific
from providers.http import Http
from tests.providers.catalogue_server import (
    BODIES,
    PATHS,
    URLS,
    USER_AGENT,
    WITH_KEY,
    TurnedClock,
    catalogues,
    link,
    recorded,
)
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, says

VIDEOS = PATHS["youtube with a key"]
VIDEO = says(200, {"items": [{"id": "eiHXASgRTcA", "snippet": {"title": "t"}}]})


class Simulation:
    """A clock that jumps to the next awaited instant whenever nobody can run."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.seconds + seconds, id(awake), awake))
        await awake

    async def run(self, *work: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(each) for each in work]
        while not all(task.done() for task in tasks):
            for _ in range(10):
                await asyncio.sleep(0)
            if self._waiting:
                self.seconds, _, awake = heapq.heappop(self._waiting)
                if not awake.done():
                    awake.set_result(None)
        await asyncio.gather(*tasks, return_exceptions=True)


def most_in_any(window: float, instants: list[float]) -> int:
    """Counted one by one: how many lie within one window, both ends open a hair."""
    return max(sum(1 for other in instants if start <= other < start + window - 1e-9) for start in instants)


@pytest.mark.parametrize(("count", "seconds"), [(50, 5.0), (20, 60.0), (1, 1.0)])
async def test_R11_no_window_ever_holds_more_however_long_requests_are_on_their_way(count: int, seconds: float) -> None:
    chance = random.Random(4)
    simulated = Simulation()
    pace = Pace(count, seconds, Clock(lambda: simulated.seconds, simulated.sleep))
    sent: list[float] = []

    async def request() -> None:
        async with pace.turn():
            await simulated.sleep(chance.choice([0, 0, 0.1, 3]))  # connecting
            sent.append(simulated.seconds)
            await simulated.sleep(chance.random())

    await simulated.run(*(request() for _ in range(count * 4)))
    assert len(sent) == count * 4
    assert most_in_any(seconds, sent) <= count


async def test_a_turn_that_is_given_up_is_somebody_elses() -> None:
    simulated = Simulation()
    pace = Pace(1, 1.0, Clock(lambda: simulated.seconds, simulated.sleep))
    turns: list[float] = []

    async def request() -> None:
        async with pace.turn():
            turns.append(simulated.seconds)

    async def given_up() -> None:
        waiting = asyncio.ensure_future(request())
        await simulated.sleep(0.5)
        waiting.cancel()
        await request()

    await simulated.run(request(), given_up())
    assert turns == [0.0, 1.0]


async def test_a_request_that_fails_has_used_its_turn() -> None:
    simulated = Simulation()
    pace = Pace(1, 1.0, Clock(lambda: simulated.seconds, simulated.sleep))

    async def request() -> None:
        async with pace.turn():
            raise ValueError

    await simulated.run(request(), request(), request())
    assert simulated.seconds == 2.0


async def test_R11_musicbrainz_is_asked_once_a_second_by_its_name_and_contact(
    shared_data: Path, http: Http, service: Service
) -> None:
    clock = TurnedClock()
    came: list[float] = []
    body = recorded(shared_data, BODIES["musicbrainz"])

    async def noted(request: web.Request) -> web.StreamResponse:
        came.append(clock.seconds)
        return await says(200, body)(request)

    service.plan("GET", PATHS["musicbrainz"], noted)
    service.plan("GET", "/ws/2/url", noted)
    made = catalogues(http, service, clock)
    for _ in range(3):
        await made.look_up(link(URLS["musicbrainz"]), now=NOW)
        await made.recordings(link(URLS["deezer"]), now=NOW)
    assert [later - sooner for sooner, later in pairwise(came)] == [1.0] * 5
    assert USER_AGENT == "Moments/1.2.3 ( https://moments.example.org/contact )"
    assert {request.headers["User-Agent"] for request in service.asked} == {USER_AGENT}


async def test_R12_a_short_retry_after_is_waited_out(shared_data: Path, http: Http, service: Service) -> None:
    clock = TurnedClock()
    body = says(200, recorded(shared_data, BODIES["vimeo"]))
    service.plan("GET", PATHS["vimeo"], says(429, None, Retry_After="3"), body)
    assert isinstance(await catalogues(http, service, clock).look_up(link(URLS["vimeo"]), now=NOW), MediaFacts)
    assert clock.slept == [3.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20),
        ("999999999", 86_400),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 59.2),
        ("Sun, 01 Mar 2026 12:01:00 -0000", 5),
        ("soon", 5),
        ("²", 5),
        ("-5", 5),
        ("1" * 5_000, 5),
        ("Sun, 99 Mar 2026 12:01:00 GMT", 5),
    ],
)
async def test_R12_a_long_one_is_handed_on_and_everybody_heeds_it(
    http: Http, service: Service, value: str, seconds: float
) -> None:
    clock = TurnedClock()
    service.plan("GET", PATHS["vimeo"], says(429, None, Retry_After=value))
    made = catalogues(http, service, clock)
    for _ in range(2):
        absent = await made.look_up(link(URLS["vimeo"]), now=NOW)
        assert isinstance(absent, Absent)
        assert absent.kind is Kind.BUSY
        assert absent.retry_at == NOW + timedelta(seconds=seconds)
    if seconds <= 5:  # waited out twice, then handed on; and the same for the next
        assert len(service.asked) == 6
        return
    assert len(service.asked) == 1
    assert await made.look_up(link(URLS["vimeo"] + "1"), now=NOW) == absent


async def test_R12_who_waits_for_a_turn_heeds_what_others_are_told(http: Http, service: Service) -> None:
    service.plan("GET", PATHS["musicbrainz"], says(429, None, Retry_After="60"))
    made = catalogues(http, service)
    told = await asyncio.gather(*(made.look_up(link(URLS["musicbrainz"]), now=NOW) for _ in range(3)))
    assert [each.kind for each in told if isinstance(each, Absent)] == [Kind.BUSY] * 3
    assert len(service.asked) == 1


async def test_R12_musicbrainz_says_too_fast_with_a_503(http: Http, service: Service) -> None:
    clock = TurnedClock()
    service.plan("GET", PATHS["musicbrainz"], says(503, None, Retry_After="9"))
    absent = await catalogues(http, service, clock).look_up(link(URLS["musicbrainz"]), now=NOW)
    assert isinstance(absent, Absent)
    assert (absent.kind, absent.retry_at) == (Kind.BUSY, NOW + timedelta(seconds=9))


async def test_R12_apple_says_too_fast_with_a_403(http: Http, service: Service) -> None:
    service.plan("GET", "/lookup", says(403, b"<html>"))
    absent = await catalogues(http, service).look_up(link(URLS["apple_music"]), now=NOW)
    assert isinstance(absent, Absent)
    assert (absent.kind, absent.retry_at) == (Kind.BUSY, NOW + timedelta(seconds=60))


@pytest.mark.parametrize(("name", "count", "seconds"), [("deezer", 50, 5), ("apple_music", 20, 60)])
async def test_each_pace_is_the_providers_own(
    shared_data: Path, http: Http, service: Service, name: str, count: int, seconds: int
) -> None:
    clock = TurnedClock()
    service.plan("GET", PATHS[name], says(200, recorded(shared_data, BODIES[name])))
    made = catalogues(http, service, clock)
    for _ in range(count):
        await made.look_up(link(URLS[name]), now=NOW)
    assert clock.slept == []
    await made.look_up(link(URLS[name]), now=NOW)
    assert clock.slept == [seconds]


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (datetime(2026, 1, 10, 7, 59, tzinfo=UTC), datetime(2026, 1, 10, 8, tzinfo=UTC)),
        (datetime(2026, 1, 10, 8, 0, tzinfo=UTC), datetime(2026, 1, 11, 8, tzinfo=UTC)),
        (datetime(2026, 7, 10, 6, 59, tzinfo=UTC), datetime(2026, 7, 10, 7, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, 0, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # the clocks change
        (datetime(2026, 10, 31, 12, 0, tzinfo=timezone(timedelta(hours=9))), datetime(2026, 10, 31, 7, tzinfo=UTC)),
    ],
)
def test_R12_the_day_of_youtubes_quota_ends_at_midnight_pacific(now: datetime, reset: datetime) -> None:
    quota = Quota(1, pacific())
    assert quota.spend(1, now) is None
    assert quota.spend(1, now) == reset
    assert quota.used_up(now) == reset
    assert quota.spend(1, reset) is None


def test_without_a_table_of_zones_the_day_is_that_of_the_winter(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: str) -> None:
        raise ZoneInfoNotFoundError

    monkeypatch.setattr(providers.catalogue.budget, "ZoneInfo", nowhere)
    assert Quota(0, pacific()).spend(1, NOW) == datetime(2026, 3, 2, 8, tzinfo=UTC)


async def test_R12_a_used_up_quota_parks_until_it_is_new(shared_data: Path, http: Http, service: Service) -> None:
    clock = TurnedClock()
    answer = says(403, recorded(shared_data, "youtube/error_403_quotaExceeded"))
    kept: list[Spent] = []
    made = await youtube(http, service, clock, kept.append, answer, VIDEO)
    reset = datetime(2026, 3, 2, 8, tzinfo=UTC)
    for _ in range(3):
        absent = await made(NOW)
        assert isinstance(absent, Absent)
        assert (absent.kind, absent.retry_at) == (Kind.QUOTA, reset)
    assert len(service.asked) == 1
    assert kept[-1] == Spent(date(2026, 3, 1), 10_000)
    clock.seconds += (reset - NOW).total_seconds()
    assert isinstance(await made(reset), MediaFacts)


async def test_youtubes_units_are_budgeted_and_outlive_a_restart(http: Http, service: Service) -> None:
    kept: list[Spent] = []
    before = Spent(date(2026, 3, 1), 9_998)
    made = await youtube(http, service, TurnedClock(), kept.append, VIDEO, spent=before)
    assert isinstance(await made(NOW), MediaFacts)
    assert isinstance(await made(NOW), MediaFacts)
    absent = await made(NOW)
    assert isinstance(absent, Absent)
    assert (absent.kind, absent.retry_at) == (Kind.QUOTA, datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert (len(service.asked), kept[-1].units) == (2, 10_000)
    assert isinstance(await made(NOW + timedelta(days=1)), MediaFacts)
    assert kept[-1] == Spent(date(2026, 3, 2), 1)
    yesterday = await youtube(http, service, TurnedClock(), kept.append, VIDEO, spent=Spent(date(2026, 2, 28), 10_000))
    assert isinstance(await yesterday(NOW), MediaFacts)


async def test_every_attempt_costs_its_unit(http: Http, service: Service) -> None:
    kept: list[Spent] = []
    await (await youtube(http, service, TurnedClock(), kept.append, says(500)))(NOW)
    assert [spent.units for spent in kept] == [1, 2, 3]


async def test_R12_too_fast_for_youtube_is_no_used_up_quota(http: Http, service: Service) -> None:
    # Synthetic: in the envelope of the recorded errors.
    error = {"error": {"errors": [{"reason": "userRateLimitExceeded"}], "code": 403}}
    made = await youtube(http, service, TurnedClock(), lambda _: None, says(403, error), VIDEO)
    assert isinstance(await made(NOW), MediaFacts)


Asks = Callable[[datetime], Awaitable[MediaFacts | Absent]]


async def youtube(
    http: Http,
    service: Service,
    clock: TurnedClock,
    on_spent: Callable[[Spent], None],
    *answers: Handler,
    spent: Spent | None = None,
) -> Asks:
    service.plan("GET", VIDEOS, *answers)
    made = catalogues(http, service, clock, keys=WITH_KEY, youtube_spent=spent, on_youtube_spent=on_spent)
    return lambda now: made.look_up(link(URLS["youtube"]), now=now)
