"""Grants in use, against the fake Twitch: handed out, renewed, asked after each hour, and told when they are dead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from commands.credentials import ASKED_EVERY, WRONG_KEY, StoredGrants, check_key, validate_all, validate_hourly
from moments.errors import NotAuthorised, ProviderDown, StoreError
from moments.grants import Grant
from moments.live import Place
from providers.http import open_http
from providers.twitch import Endpoints, Helix, TwitchApi, TwitchOAuth
from storage import Store, Transaction, channels, connections, credentials, facts, open_store
from storage.credentials import Vault
from storage.keys import SecretKeyError, SecretKeys
from tests.chat import DEFAULTS, EVENING, Watch
from tests.databases import change
from tests.fake_twitch.server import FakeTwitch, FakeUser

T = TypeVar("T")
OLD, NEW = "o" * 40, "n" * 40
KEYS = SecretKeys((OLD,))
SCOPES = frozenset({"channel:bot", "channel:manage:broadcast"})
HOUR = timedelta(hours=1)


class Desk:
    """A store with grants, a Twitch that gave them, and who was told that theirs is dead."""

    def __init__(self, store: Store, twitch: FakeTwitch, oauth: TwitchOAuth, helix_of: Callable[..., Helix]) -> None:
        self.store, self.twitch = store, twitch
        self.watch = Watch(EVENING)
        self.told: list[str] = []
        self.grants = StoredGrants(store, Vault(KEYS), self.watch, self._tell)
        self.api = TwitchApi(oauth, helix_of(self.grants, self.watch), "bot")

    async def _tell(self, user_id: str) -> None:
        self.told.append(user_id)

    async def do(self, job: Callable[[Transaction], Awaitable[T]]) -> T:
        return await self.store.run(job, message=None, now=self.watch.now)

    async def granted(self, name: str, scopes: frozenset[str] = SCOPES) -> FakeUser:
        """Somebody who has just connected."""
        user = self.twitch.user(name)
        token, refresh = self.twitch.mint(user, SCOPES)
        grant = Grant("twitch", user.id, user.login, token.value, refresh, scopes)
        await self.do(lambda transaction: credentials.save(transaction, Vault(KEYS), grant, self.watch.now))
        return user

    async def loaded(self, user: FakeUser) -> Grant:
        grant = await self.grants.load(user.id)
        assert grant is not None
        return grant

    async def row(self, user: FakeUser) -> credentials.Held:
        return next(held for held in await credentials.held(self.store) if held.user_id == user.id)

    def asked(self, path: str) -> int:
        return sum(request.path == path for request in self.twitch.requests)

    async def validate(self) -> None:
        """One round after everybody."""
        await validate_all(self.grants, self.api, asked_before=self.watch.now, sleep=no_time)

    def passes(self, length: timedelta) -> None:
        self.watch.now += length


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def desk(database: Path) -> AsyncIterator[Desk]:
    async with FakeTwitch() as twitch, open_store(database, defaults=DEFAULTS) as store:
        endpoints = Endpoints(twitch.api_url, twitch.auth_url, twitch.eventsub_url)
        async with open_http([endpoints.api, endpoints.auth]) as http:
            oauth = TwitchOAuth(http, endpoints, twitch.client_id, twitch.client_secret)
            desk = Desk(store, twitch, oauth, lambda grants, clock: Helix(http, endpoints, oauth, grants, clock))
            yield desk
            await desk.api.helix.settle()


# --- handing out


async def test_a_token_that_ran_out_is_renewed_kept_and_used(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    before = await desk.loaded(rosa)
    desk.twitch.expire(rosa)
    await desk.twitch.online(rosa)
    await desk.api.helix.create_marker(rosa.id, "now")
    after = await desk.loaded(rosa)
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert desk.told == []
    assert desk.asked("/oauth2/token") == 1


async def test_a_dead_grant_is_told_once_and_stops_nobody_else(desk: Desk) -> None:
    rosa, ben = await desk.granted("rosa"), await desk.granted("ben")
    desk.twitch.tokens.end_grants(rosa)
    for _ in range(2):
        with pytest.raises(NotAuthorised):
            await desk.api.helix.create_marker(rosa.id, "now")
    assert desk.told == [rosa.id]
    assert await desk.grants.load(rosa.id) is None
    assert await desk.grants.load(ben.id) is not None
    his = await desk.loaded(ben)
    await asyncio.gather(*(desk.grants.dead(his) for _ in range(3)))
    assert desk.told == [rosa.id, ben.id]


async def test_who_has_connected_again_meanwhile_is_not_told_that_the_old_grant_is_dead(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    before = await desk.loaded(rosa)
    await desk.granted("rosa")
    await desk.loaded(rosa)  # handed out to somebody else
    await desk.grants.dead(before)
    assert desk.told == []
    assert await desk.grants.load(rosa.id) is not None


@pytest.mark.parametrize("still_good", [True, False])
async def test_a_refresh_under_way_does_not_touch_what_was_granted_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, still_good: bool
) -> None:
    rosa = await desk.granted("rosa")
    old = await desk.loaded(rosa)
    if not still_good:
        desk.twitch.tokens.end_grants(rosa)
    refresh = desk.api.oauth.refresh

    async def slow(grant: Grant) -> Grant:
        try:
            return await refresh(grant)
        finally:
            await desk.granted("rosa")  # while Twitch's answer was on its way
            await desk.loaded(rosa)

    monkeypatch.setattr(desk.api.oauth, "refresh", slow)
    found = await desk.api.helix.user_tokens.renewed(rosa.id, old.access_token)
    assert found == await desk.loaded(rosa)
    assert await desk.api.oauth.validate(found.access_token) is not None
    assert (await desk.row(rosa)).state == "ok"
    assert desk.told == []
    assert desk.asked("/oauth2/token") == 1


async def test_what_twitch_said_of_a_grant_is_not_noted_of_the_next_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rosa = await desk.granted("rosa", frozenset({"channel:bot"}))
    validate = desk.api.oauth.validate

    async def slow(token: str) -> object:
        said = await validate(token)
        await desk.granted("rosa", SCOPES | {"channel:manage:clips"})
        return said

    monkeypatch.setattr(desk.api.oauth, "validate", slow)
    await desk.validate()
    assert (await desk.row(rosa)).scopes == SCOPES | {"channel:manage:clips"}


async def test_who_is_told_that_a_grant_is_dead_finds_it_noted(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    place = Place("twitch", rosa.id, "Rosa")

    async def connect(transaction: Transaction) -> None:
        await transaction.save_settings(place, (await transaction.live(place)).channel)
        await connections.connect(transaction, place, SCOPES, desk.watch.now)

    await desk.do(connect)
    await desk.grants.dead(await desk.loaded(rosa))
    found = await connections.of_channel(desk.store, *place[:2])
    assert found is not None
    assert found.state is connections.State.NEEDS_AUTHORISATION
    assert desk.told == [rosa.id]


async def test_a_refresh_that_ends_after_a_disconnect_brings_no_token_back(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    grant = await desk.loaded(rosa)
    await desk.do(lambda transaction: credentials.remove(transaction, "twitch", rosa.id))
    with pytest.raises(NotAuthorised, match="withdrawn"):
        await desk.grants.save(grant)
    assert await credentials.held(desk.store) == []


async def test_KEY_2_rows_that_were_swapped_are_told_as_dead_to_both(desk: Desk) -> None:
    rosa, ben = await desk.granted("rosa"), await desk.granted("ben")
    for first, second in (("rosa", "other"), ("ben", "rosa"), ("other", "ben")):
        change(desk.store.path, f"UPDATE credential SET login = '{second}' WHERE login = '{first}'")  # noqa: S608
    change(
        desk.store.path,
        "UPDATE credential SET user_id = 'x' || user_id",
        f"UPDATE credential SET user_id = '{rosa.id}' WHERE login = 'rosa'",  # noqa: S608
        f"UPDATE credential SET user_id = '{ben.id}' WHERE login = 'ben'",  # noqa: S608
    )
    assert await desk.grants.load(rosa.id) is None
    assert await desk.grants.load(ben.id) is None
    assert desk.told == [rosa.id, ben.id]
    assert (await desk.row(rosa)).state == "dead"


async def test_KEY_3_what_a_key_seals_that_is_not_listed_is_not_taken_for_dead(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    await desk.do(lambda transaction: credentials.reseal_all(transaction, Vault(SecretKeys((NEW, OLD)))))
    with capture_logs() as logged:
        for _ in range(2):
            assert await desk.grants.load(rosa.id) is None
        await desk.validate()
    assert desk.told == []
    assert (await desk.row(rosa)).state == "ok"
    assert [entry["event"] for entry in logged] == [
        "a token is sealed with a key that is not in MOMENTS_SECRET_KEY: add it"
    ]


async def test_a_use_is_noted_and_being_asked_after_is_none(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    desk.passes(2 * HOUR)
    desk.twitch.expire(rosa)
    await desk.validate()  # with a refresh, which loads the grant too
    assert (await desk.row(rosa)).used_at == EVENING
    await desk.loaded(rosa)
    assert (await desk.row(rosa)).used_at == desk.watch.now
    commits = desk.store.stats.commits
    await desk.loaded(rosa)
    assert desk.store.stats.commits == commits


async def test_a_store_that_cannot_write_keeps_no_token_from_who_needs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rosa = await desk.granted("rosa")

    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(desk.store, "run", full)
    with capture_logs() as logged:
        assert await desk.grants.load(rosa.id) is not None
    assert [entry["log_level"] for entry in logged] == ["warning"]


# --- asking after


async def test_what_twitch_says_of_a_grant_is_noted(desk: Desk) -> None:
    rosa = await desk.granted("rosa", scopes=SCOPES | {"channel:manage:clips"})
    desk.twitch.rename(rosa, "rosalind")
    desk.passes(HOUR)
    with capture_logs() as logged:
        await desk.validate()
    row = await desk.row(rosa)
    assert (row.login, row.scopes, row.validated_at) == ("rosalind", SCOPES, desk.watch.now)
    assert [entry["without"] for entry in logged] == [["channel:manage:clips"]]
    grant = await desk.loaded(rosa)
    assert grant.expires_at is not None
    assert timedelta(hours=3) < grant.expires_at - desk.watch.now <= timedelta(hours=4)


async def test_asked_after_while_a_call_finds_it_run_out_a_token_is_refreshed_once(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    desk.twitch.expire(rosa)
    await desk.twitch.online(rosa)
    desk.twitch.faults.add("POST", "/oauth2/token", delay=0.1)
    marking = [desk.api.helix.create_marker(rosa.id, f"{n}") for n in range(4)]
    await asyncio.gather(desk.validate(), *marking)
    assert desk.asked("/oauth2/token") == 1
    assert desk.told == []


async def test_a_grant_that_was_taken_back_is_found_dead(desk: Desk) -> None:
    rosa, ben = await desk.granted("rosa"), await desk.granted("ben")
    desk.twitch.tokens.end_grants(rosa)
    await desk.validate()
    assert desk.told == [rosa.id]
    assert (await desk.row(rosa)).state == "dead"
    assert (await desk.row(ben)).state == "ok"
    await desk.validate()
    assert desk.told == [rosa.id]
    assert desk.asked("/oauth2/token") == 1


async def test_AUTH_2_a_token_that_is_somebody_elses_is_used_no_more(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    told = {"client_id": desk.twitch.client_id, "user_id": "99", "login": "eve", "scopes": [], "expires_in": 100}
    desk.twitch.faults.add("GET", "/oauth2/validate", status=200, body=told)
    await desk.validate()
    assert desk.told == [rosa.id]
    assert (await desk.row(rosa)).login == "rosa"


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"abort": True}])
async def test_while_twitch_is_down_nothing_is_taken_for_dead_and_nobody_else_is_asked_after(
    desk: Desk, fault: dict[str, object]
) -> None:
    for name in ("rosa", "ben", "cat"):
        await desk.granted(name)
    before = await credentials.held(desk.store)
    desk.twitch.faults.add("GET", "/oauth2/validate", times=None, **fault)  # type: ignore[arg-type]
    with capture_logs() as logged:
        await desk.validate()
    assert await credentials.held(desk.store) == before
    assert desk.told == []
    assert len({request.path for request in desk.twitch.requests}) == 1
    assert [entry["log_level"] for entry in logged] == ["warning"]


async def test_one_answer_that_makes_no_sense_does_not_keep_the_others_waiting(desk: Desk) -> None:
    rosa, ben = await desk.granted("rosa"), await desk.granted("ben")
    desk.passes(HOUR)
    desk.twitch.faults.add("GET", "/oauth2/validate", status=200, body=[])
    await desk.validate()
    assert desk.told == []
    assert (await desk.row(rosa)).validated_at == EVENING
    assert (await desk.row(ben)).validated_at == desk.watch.now


async def test_a_wrong_client_secret_costs_nobody_their_grant(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    desk.twitch.expire(rosa)
    desk.twitch.client_secret = "changed in the developer console"
    await desk.validate()
    assert desk.told == []
    assert await desk.grants.load(rosa.id) is not None


async def test_every_token_is_asked_after_at_the_start_and_then_each_hour_one_at_a_time(desk: Desk) -> None:
    users = [await desk.granted(f"streamer{n}") for n in range(5)]
    asked: dict[str, list[timedelta]] = {user.id: [] for user in users}
    under_way = 0
    validate = desk.grants.validate

    async def noted(api: TwitchApi, user_id: str) -> None:
        nonlocal under_way
        assert under_way == 0
        under_way += 1
        asked[user_id].append(desk.watch.now - EVENING)
        await validate(api, user_id)
        under_way -= 1

    desk.grants.validate = noted  # type: ignore[method-assign]
    await run_for(desk, timedelta(hours=6))
    for instants in asked.values():
        assert instants[0] < timedelta(minutes=1)
        assert max(later - earlier for earlier, later in pairwise(instants)) <= HOUR
        assert len(instants) <= 9
    assert len({instants[0] for instants in asked.values()}) == len(users)


async def test_a_clock_that_is_set_back_keeps_nobody_from_being_asked_after_each_hour(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    month, sleeps, asked = timedelta(days=30), 0, [0]

    async def sleep(seconds: float) -> None:
        nonlocal sleeps
        sleeps += 1
        desk.passes(timedelta(seconds=seconds))
        if sleeps == 1:
            desk.watch.now -= month  # it was a month ahead, as of a computer that has just been switched on
        if sleeps % 60 == 0:
            asked.append(desk.asked("/oauth2/validate"))
        if sleeps == 600:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await validate_hourly(desk.grants, desk.api, desk.watch, sleep)
    each_hour = [later - earlier for earlier, later in pairwise(asked)]
    assert min(each_hour) >= 1
    assert max(each_hour[1:]) <= 2
    assert (await desk.row(rosa)).validated_at <= desk.watch.now  # type: ignore[operator]


async def test_ID_1_a_channels_login_is_learnt_anew_each_time_its_grant_is_asked_after(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    place = Place("twitch", rosa.id, "Rosa")
    await desk.do(lambda transaction: channels.stored(transaction, place))
    desk.twitch.rename(rosa, "rosalind")
    await desk.validate()
    assert await connections.called(desk.store, "twitch", "rosalind", desk.watch.now) == rosa.id
    desk.passes(timedelta(hours=23))
    await desk.validate()
    desk.passes(timedelta(hours=23))
    assert await connections.login_of(desk.store, "twitch", rosa.id, desk.watch.now) == "rosalind"


async def test_the_hourly_question_survives_everything_with_a_line_each_time(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    wrong: list[Exception] = [StoreError("The disk is full."), LookupError("a bug"), ProviderDown("GET: 503")]

    async def failing(*_: object) -> None:
        if wrong:
            raise wrong.pop(0)
        await validate(desk.api, rosa.id)

    validate, desk.grants.validate = desk.grants.validate, failing  # type: ignore[method-assign,assignment]
    with capture_logs() as logged:
        await run_for(desk, timedelta(minutes=5))
    assert [entry["log_level"] for entry in logged] == ["warning", "error", "warning"]
    assert (await desk.row(rosa)).validated_at == EVENING + timedelta(minutes=3)


async def run_for(desk: Desk, length: timedelta) -> None:
    """Validate hourly until the clock has gone so far; it goes on only while everybody sleeps."""
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        desk.passes(timedelta(seconds=seconds))
        if desk.watch.now - EVENING >= length:
            done.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(validate_hourly(desk.grants, desk.api, desk.watch, sleep))
    await asyncio.wait([task, asyncio.create_task(done.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("fault", [{"abort": True}, {"status": 500}, {"status": 200, "body": "no JSON"}])
async def test_trap_10_a_connection_that_is_cut_does_not_end_the_hourly_question(
    desk: Desk, fault: dict[str, object]
) -> None:
    rosa = await desk.granted("rosa")
    cut = desk.twitch.faults.add("GET", "/oauth2/validate", times=2, **fault)  # type: ignore[arg-type]
    await run_for(desk, timedelta(hours=3))
    assert cut.used == 2
    assert desk.watch.now - (await desk.row(rosa)).validated_at < HOUR  # type: ignore[operator]
    assert desk.told == []


async def test_trap_11_a_dead_refresh_token_is_told_at_the_next_question_and_not_dropped_silently(desk: Desk) -> None:
    rosa = await desk.granted("rosa")
    desk.twitch.tokens.end_grants(rosa)
    await run_for(desk, timedelta(hours=2))
    assert desk.told == [rosa.id]
    assert (await desk.row(rosa)).state == "dead"


def test_twitch_would_be_asked_often_enough() -> None:
    assert ASKED_EVERY + timedelta(minutes=5) < HOUR


# --- the secret key


async def test_KEY_3_a_database_takes_the_first_key_it_sees_and_any_listed_one_afterwards(database: Path) -> None:
    async with open_store(database, defaults=DEFAULTS) as store:
        await check_key(store, KEYS, EVENING)
        assert await facts.get(store, facts.KEY_FINGERPRINT) == Vault(KEYS).key_ids[0]
        await check_key(store, SecretKeys((NEW, OLD)), EVENING)
        await check_key(store, SecretKeys((OLD, NEW)), EVENING)
    async with open_store(database, defaults=DEFAULTS) as store:
        await check_key(store, KEYS, EVENING)
        for wrong in ((NEW,), (NEW, "x" * 40)):
            with pytest.raises(SecretKeyError) as refused:
                await check_key(store, SecretKeys(wrong), EVENING)
            assert str(refused.value) == WRONG_KEY


async def test_KEY_3_the_fingerprint_tells_nothing_of_the_key(database: Path) -> None:
    async with open_store(database, defaults=DEFAULTS) as store:
        await check_key(store, KEYS, EVENING)
        kept = await facts.get(store, facts.KEY_FINGERPRINT)
    assert kept
    assert kept not in KEYS.derive(credentials.PURPOSE).hex()
    assert OLD.encode() not in database.read_bytes()
