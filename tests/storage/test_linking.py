"""Accounts that become one person's and cease to be: counts follow exactly, and nothing else does."""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from commands import linking as use_cases
from commands.feed import Feed
from commands.forgetme import forget
from commands.linking import MOST_CHANGES
from commands.services import Services
from moments.errors import Refusal
from moments.live import Author
from storage import Store, Transaction, answers, linking, open_store, own, popularity, public_saves, saves, tracks
from storage.backup import backup
from storage.ledger import NOBODY
from storage.purge import purge
from storage.restore import restore
from storage.saves import SaveRequest
from tests.databases import rows
from tests.storage.test_saves_stateful import ACCOUNTS, SOURCES, Kept, World
from tests.stream import BEGAN, DEFAULTS, KEYS, Stream

T = TypeVar("T")

ANN, ANN_ON_DISCORD, BEN, CAT = ACCOUNTS
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
HISTORIES = int(os.environ.get("MOMENTS_HISTORIES", "40"))


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as opened:
        yield opened


async def run(store: Store, job: Callable[[Transaction], Awaitable[T]], now: datetime = BEGAN) -> T:
    return await store.run(job, message=None, now=now)


async def join(store: Store, by: Author, other: Author, now: datetime = BEGAN, *, settled: bool = True) -> None:
    await run(store, lambda transaction: linking.join(transaction, by, other, now, settled=settled), now)


async def part(store: Store, by: Author, now: datetime = BEGAN) -> bool:
    return bool(await run(store, lambda transaction: linking.part(transaction, by, by, now), now))


def services_of(store: Store, clock: Callable[[], datetime] = lambda: BEGAN) -> Services:
    return Services(store, Feed(), clock, DEFAULTS, "http://localhost:8080", KEYS)


async def save(
    store: Store, author: Author, start: int, end: int, now: datetime = BEGAN, note: str = "", *, private: bool = False
) -> str:
    request = SaveRequest(author, *SOURCES[0], "track", start, end, now, note, private, origin="discord:70")
    return (await run(store, lambda transaction: saves.save(transaction, request), now)).id


async def delete(store: Store, author: Author, public_id: str) -> bool:
    return await run(store, lambda transaction: saves.delete(transaction, author, public_id, BEGAN))


async def people(store: Store, start: int, end: int) -> int:
    found = await popularity.saved_by(store, *SOURCES[0], start, end)
    assert found is not None
    return found.people


# --- any order of anything


@dataclass
class Oracle:
    """What links are there, kept by hand: on two platforms a person has two accounts at most."""

    saved: World = field(default_factory=World)
    links: list[tuple[frozenset[int], datetime, bool]] = field(default_factory=list)
    changes: list[tuple[set[int], datetime]] = field(default_factory=list)
    now: datetime = BEGAN
    purged: datetime = BEGAN

    def partner(self, account: int) -> int | None:
        return next((next(iter(pair - {account})) for pair, *_ in self.links if account in pair), None)

    def reaches(self, account: int) -> set[int]:
        """The accounts whose saves this one lists and forgets."""
        return {account}.union(
            *(pair for pair, at, logins in self.links if account in pair and (logins or at + WEEK <= self.purged))
        )

    def may_link(self, one: int, other: int) -> bool:
        platforms = {ACCOUNTS[each].platform for each in (one, other)}
        return (
            len(platforms) == 2
            and self.partner(one) is self.partner(other) is None
            and all(self.changed(each) < MOST_CHANGES for each in (one, other))
        )

    def changed(self, account: int) -> int:
        since = self.now - linking.CHANGES_REMEMBERED
        return sum(account in who and at > since for who, at in self.changes)

    def link(self, one: int, other: int, *, logins: bool) -> None:
        self.links.append((frozenset({one, other}), self.now, logins))
        self.changes.append(({one, other}, self.now))
        self.saved.people[one] = self.saved.person(other)

    def confirm(self, account: int) -> None:
        self.links = [(pair, at, logins or account in pair) for pair, at, logins in self.links]

    def unlink(self, account: int) -> bool:
        pair = next((pair for pair, *_ in self.links if account in pair), None)
        if pair is None:
            return False
        self.links = [each for each in self.links if each[0] != pair]
        self.changes.append((set(pair), self.now))
        self.saved.people[account] = object()
        return True

    def listed(self, account: int) -> list[Kept]:
        """The newest of each of its own moments, newest first."""
        mine = [each for each in self.saved.saves if each.account in self.reaches(account)]
        return [each for each in reversed(mine) if self.saved.newest(each) is each]

    def delete(self, account: int, save: Kept) -> None:
        """It goes with what it replaced, as far as that is the account's own; of another account nothing goes."""
        newest, reached = self.saved.newest, self.reaches(account)
        gone = {each.number for each in self.saved.saves if newest(each) is save and each.account in reached}
        self.saved.saves = [each for each in self.saved.saves if each.number not in gone]

    def forget(self, account: int) -> None:
        gone = self.reaches(account)
        if gone == {account}:
            self.unlink(account)
        self.links = [each for each in self.links if not each[0] & gone]
        self.changes = [(who - gone, at) for who, at in self.changes]
        self.saved.saves = [each for each in self.saved.saves if each.account not in gone]
        for each in gone:
            self.saved.people.pop(each, None)


account_numbers = st.integers(0, len(ACCOUNTS) - 1)
steps = st.one_of(
    st.tuples(st.just("save"), account_numbers, st.integers(0, 9), st.integers(1, 9)),
    st.tuples(st.just("save"), st.integers(0, 1), st.integers(3, 5), st.integers(4, 5)),
    st.tuples(st.just("link"), account_numbers, account_numbers, st.booleans()),
    st.tuples(st.just("link"), st.sampled_from([0, 2]), st.just(1), st.booleans()),
    st.tuples(st.just("delete"), account_numbers, st.integers(0, 3)),
    st.tuples(st.just("unlink"), account_numbers),
    st.tuples(st.just("forget"), account_numbers),
    st.tuples(st.just("pass"), st.sampled_from([1, 7, 31])),
)


@example(history=[("save", 0, 4, 5), ("link", 1, 0, False), ("save", 1, 4, 5), ("delete", 1, 0), ("unlink", 0)])
@example(history=[*[("pass", 1)] * 3, ("save", 0, 4, 5), ("link", 0, 1, False), ("save", 1, 4, 5), ("delete", 1, 0)])
@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(steps, min_size=4, max_size=24))
def test_VOTE_3_any_order_of_linking_unlinking_saving_and_forgetting_counts_as_the_oracle(
    history: list[tuple[object, ...]],
) -> None:
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        asyncio.run(_live_through(folder / "moments.db", history))
    finally:
        shutil.rmtree(folder)


async def _live_through(path: Path, history: list[tuple[object, ...]]) -> None:
    oracle = Oracle()
    async with open_store(path, defaults=DEFAULTS) as store:
        await run(store, lambda transaction: tracks.open_source(transaction, *SOURCES[0], "track", BEGAN))
        for number, step in enumerate(history):
            oracle.now += HOUR
            await _step(store, oracle, number, *step)
            await _check(store, oracle)


async def _step(store: Store, oracle: Oracle, number: int, what: object, *given: object) -> None:
    services, now = services_of(store), oracle.now
    match what, given:
        case "save", (int(account), int(start), int(length)):
            note, private = ["", "", f"note {number}", f"secret {number}"][number % 4], number % 4 == 3
            kept = Kept(number, account, 0, start, start + length, note, private, message=None)
            oracle.saved.person(account)
            oracle.saved.saves.append(kept)
            kept.id = await save(store, ACCOUNTS[account], start, start + length, now, note, private=private)
        case "delete", (int(account), int(choice)):
            await _delete(store, oracle, account, choice)
        case "link", (int(one), int(other), bool(logins)):
            await _link(store, oracle, one, other, logins=logins)
        case "unlink", (int(account),):
            assert await part(store, ACCOUNTS[account], now) == oracle.unlink(account)
        case "forget", (int(account),):
            oracle.forget(account)
            await forget(services, ACCOUNTS[account], now)
        case "pass", (int(days),):
            oracle.now = oracle.purged = now + timedelta(days=days)
            await run(store, lambda transaction: purge(transaction, oracle.now), oracle.now)


async def _delete(store: Store, oracle: Oracle, account: int, choice: int) -> None:
    for kept in oracle.listed(account)[choice : choice + 1]:
        oracle.delete(account, kept)
        assert await delete(store, ACCOUNTS[account], kept.id)
    for kept in oracle.saved.saves:
        if oracle.saved.newest(kept).account not in oracle.reaches(account):
            assert not await delete(store, ACCOUNTS[account], kept.id)


async def _link(store: Store, oracle: Oracle, one: int, other: int, *, logins: bool) -> None:
    services, now = services_of(store), oracle.now
    if oracle.partner(one) == other and other not in oracle.reaches(one):
        oracle.confirm(one)
        await use_cases.join(services, ACCOUNTS[one], ACCOUNTS[other], now)
        return
    if not oracle.may_link(one, other):
        with pytest.raises(Refusal):
            await use_cases.join(services, ACCOUNTS[one], ACCOUNTS[other], now)
        return
    oracle.link(one, other, logins=logins)
    if logins:
        await use_cases.join(services, ACCOUNTS[one], ACCOUNTS[other], now)
    else:
        await join(store, ACCOUNTS[one], ACCOUNTS[other], now, settled=False)


async def _check(store: Store, oracle: Oracle) -> None:
    track = frozenset({0})
    exact = Counter((held.save.start, held.save.end) for _, held in oracle.saved.counted(track))
    cells = await store.fetch("SELECT start_seconds, end_seconds, people FROM cell")
    assert {(start, end): number for start, end, number in cells} == exact
    found = await tracks.of_source(store, *SOURCES[0])
    assert found is not None
    assert await popularity.heat(store, found, None) == oracle.saved.heatmap(track)
    for start, end in exact:
        assert await people(store, start, end) == oracle.saved.saved_by(track, start, end)
    for number, author in enumerate(ACCOUNTS):
        others = {each.account[:2] for each in await linking.others(store, *author[:2])}
        partner = oracle.partner(number)
        assert others == (set() if partner is None else {ACCOUNTS[partner][:2]})
        reached = oracle.reaches(number)
        assert await own.accounts(store, author) == {ACCOUNTS[each][:2] for each in reached}
        mine = [each for each in oracle.saved.saves if each.account in reached]
        assert await saves.saves_of(store, *author[:2]) == len(mine)
        listed = await saves.own(store, *author[:2])
        assert [each.id for each in listed] == [each.id for each in oracle.listed(number)]
        theirs = {each.note for each in oracle.saved.saves if each.private and each.account not in reached}
        assert not theirs & {each.note for each in listed}


# --- what a link is, and is not


async def test_VOTE_3_one_person_with_two_accounts_marks_once_and_two_people_twice(store: Store) -> None:
    room, server = Stream(store, "owl", "twitch"), Stream(store, "owl", "twitch")
    await room.start()
    assert (await room.mark("ann", 10)).people == 1
    ann, other = Author("twitch", "ann", "Ann"), Author("discord", "77", "Ann")
    request = server.request("77", 12)._replace(author=other)
    assert (await store.mark(request)).people == 2
    await join(store, ann, other)
    assert (await room.mark("ben", 13)).people == 2
    await part(store, other)
    assert (await room.mark("cat", 14)).people == 4
    await join(store, other, ann)
    assert (await room.mark("dan", 15)).people == 4


async def test_VOTE_3_unlinking_splits_by_account_and_relinking_merges_to_the_same_number(store: Store) -> None:
    await save(store, ANN, 10, 20)
    await save(store, ANN_ON_DISCORD, 11, 20)
    await save(store, BEN, 10, 20)
    counted = []
    for link in (True, False, True):
        if link:
            await join(store, ANN, ANN_ON_DISCORD)
        else:
            await part(store, ANN_ON_DISCORD)
        counted.append(await people(store, 10, 20))
    assert counted == [2, 3, 2]
    assert [each.account for each in await linking.others(store, *ANN[:2])] == [ANN_ON_DISCORD]


async def test_a_third_account_comes_and_goes_and_the_other_two_stay_together(store: Store) -> None:
    console = Author("console", "ann", "Ann")
    await join(store, ANN, ANN_ON_DISCORD, settled=False)
    await join(store, console, ANN)
    linked = {each.account.platform: each.settled for each in await linking.others(store, *console[:2])}
    assert linked == {"twitch": False, "discord": True}  # the one that joined by a code is not settled yet
    await part(store, ANN_ON_DISCORD)
    assert [each.account for each in await linking.others(store, *ANN[:2])] == [console]
    await part(store, ANN)
    assert await store.fetch("SELECT * FROM account_link") == []


async def test_AZ_5_until_a_link_by_code_is_settled_each_account_lists_its_own_alone(store: Store) -> None:
    room = Stream(store, "owl", "twitch")
    await room.start()
    await room.mark("ann", 10, "private thoughts")
    await save(store, ANN, 10, 20)
    await save(store, ANN_ON_DISCORD, 40, 50)
    await join(store, ANN, ANN_ON_DISCORD, settled=False)

    async def seen() -> tuple[int | None, int, int, int]:
        who = ANN_ON_DISCORD[:2]
        listed, marked = await saves.own(store, *who), await own.marks(store, *who)
        return await own.marks_of(store, *who), len(listed), len(marked), await saves.saves_of(store, *who)

    assert await people(store, 10, 20) == 1
    assert await seen() == (0, 1, 0, 1)
    theirs = (await saves.own(store, *ANN[:2]))[0].id
    assert not await run(store, lambda transaction: saves.delete(transaction, ANN_ON_DISCORD, theirs, BEGAN))
    await run(store, lambda transaction: purge(transaction, BEGAN + WEEK - HOUR))
    assert await seen() == (0, 1, 0, 1)
    await run(store, lambda transaction: purge(transaction, BEGAN + WEEK))
    assert await seen() == (1, 2, 1, 2)


async def test_AZ_5_until_a_link_is_settled_nobody_deletes_what_is_the_others_by_a_save_of_their_own(
    store: Store,
) -> None:
    first = await save(store, ANN, 10, 20, note="dodge")
    await join(store, ANN, ANN_ON_DISCORD, settled=False)
    again = await save(store, ANN_ON_DISCORD, 11, 20)
    (listed,) = await saves.own(store, *ANN_ON_DISCORD[:2])
    assert (listed.id, listed.note) == (again, "dodge")  # that everybody may read
    assert await delete(store, ANN_ON_DISCORD, first)  # a link of one that was replaced means the newest
    assert [each.id for each in await saves.own(store, *ANN[:2])] == [first]
    assert (await people(store, 10, 20), await saves.saves_of(store, *ANN_ON_DISCORD[:2])) == (1, 0)


async def test_an_answer_goes_with_the_save_it_shows_and_stays_with_one_that_is_the_others(store: Store) -> None:
    async def answered(message_id: str, moment_id: str) -> None:
        answer = answers.Answer("9001", "7001", message_id, (answers.Trace(moment_id=moment_id, words="dodge"),))
        await run(store, lambda transaction: answers.note(transaction, answer))

    first = await save(store, ANN, 10, 20, note="dodge")
    await answered("first", first)
    await join(store, ANN, ANN_ON_DISCORD, settled=False)
    again = await save(store, ANN_ON_DISCORD, 11, 20)
    await answered("again", again)
    assert await delete(store, ANN_ON_DISCORD, again)
    await run(store, answers.settle)
    assert await answers.going(store, "7001") == ["again"]


async def test_once_a_link_is_settled_a_save_is_deleted_with_what_it_replaced_of_either_account(store: Store) -> None:
    await save(store, ANN, 10, 20)
    await join(store, ANN, ANN_ON_DISCORD)
    assert await delete(store, ANN, await save(store, ANN_ON_DISCORD, 11, 20))
    assert await store.fetch("SELECT * FROM save") == await store.fetch("SELECT * FROM cell") == []


async def test_AZ_5_until_a_link_is_settled_nobody_reads_or_is_offered_what_the_other_typed_in_private(
    store: Store,
) -> None:
    await save(store, ANN, 10, 20, note="for me alone", private=True)
    for settled in (False, True):
        await join(store, ANN, ANN_ON_DISCORD, settled=settled)
        offered = await public_saves.recent(store, "discord:70", *ANN_ON_DISCORD[:2])
        await save(store, ANN_ON_DISCORD, 10, 20)
        (newest, *_) = await saves.own(store, *ANN_ON_DISCORD[:2])
        assert (bool(offered), newest.note, newest.private) == (
            settled,
            *(("for me alone", True) if settled else ("", False)),
        )
        assert await delete(store, ANN_ON_DISCORD, newest.id)
        await part(store, ANN)


async def test_how_often_somebody_was_linked_is_found_by_an_index(store: Store) -> None:
    plan = [row[3] for row in await store.fetch(f"EXPLAIN QUERY PLAN {linking._CHANGES}", *ANN[:2], 0)]
    looked_up = [step for step in plan if " link_change " in f"{step} "]
    assert all(step.startswith("SEARCH link_change USING ") for step in looked_up)
    for index in (
        "link_change_by (platform=? AND user_id=?)",
        "link_change_other (other_platform=? AND other_user_id=?)",
    ):
        assert any(step.endswith(index) for step in looked_up)


async def test_changes_and_codes_go_when_their_time_is_over(store: Store) -> None:
    await join(store, ANN, ANN_ON_DISCORD)
    await run(store, lambda transaction: linking.keep_code(transaction, BEN, "digest", BEGAN))
    for after, left in ((linking.CODE_LASTS - HOUR / 3600, 2), (linking.CODE_LASTS, 1), (timedelta(days=30), 0)):
        await run(store, lambda transaction, at=BEGAN + after: purge(transaction, at))  # type: ignore[misc]
        kept = await store.fetch("SELECT (SELECT count(*) FROM link_change) + (SELECT count(*) FROM link_code)")
        assert kept == [(left,)]
    assert len(await linking.others(store, *ANN[:2])) == 1


# --- being forgotten, and backups


async def test_PRIV_4_being_forgotten_ends_links_and_leaves_no_name_in_what_is_remembered_of_them(
    store: Store,
) -> None:
    await join(store, ANN, ANN_ON_DISCORD, settled=False)
    await run(store, lambda transaction: linking.keep_code(transaction, CAT, "digest", BEGAN))
    await run(store, lambda transaction: linking.bring_code(transaction, CAT, ANN))
    await forget(services_of(store), ANN, BEGAN + HOUR)
    assert await linking.others(store, *ANN_ON_DISCORD[:2]) == []
    assert await store.fetch("SELECT * FROM account_link") == await store.fetch("SELECT * FROM link_code") == []
    named = await store.fetch("SELECT platform, user_id, other_platform, other_user_id FROM link_change ORDER BY id")
    assert named == [(NOBODY, NOBODY, "discord", "ann")] * 2


async def test_AZ_5_restoring_a_backup_links_nobody_again_who_undid_it_since(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 10, 20)
        await save(store, ANN_ON_DISCORD, 10, 20)
        await join(store, ANN, ANN_ON_DISCORD, settled=False)
        await run(store, lambda transaction: linking.keep_code(transaction, BEN, "digest", BEGAN))
    await backup(path, saved)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await part(store, ANN, BEGAN + HOUR)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await people(store, 10, 20) == 2
        assert await linking.others(store, *ANN[:2]) == []
        assert await linking.changes(store, ANN, BEGAN + HOUR) == 2
    assert rows(path, "SELECT * FROM account_link") == rows(path, "SELECT * FROM link_code") == []


async def test_restoring_a_backup_keeps_links_that_stand_and_those_made_anew(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store, ANN, ANN_ON_DISCORD)
        await part(store, ANN, BEGAN + HOUR)
        await join(store, ANN, ANN_ON_DISCORD, BEGAN + 2 * HOUR)
    await backup(path, saved)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [each.account for each in await linking.others(store, *ANN[:2])] == [ANN_ON_DISCORD]


async def test_PRIV_4_whoever_was_forgotten_through_a_linked_account_stays_so_in_backups(
    path: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 10, 20)
        await save(store, ANN_ON_DISCORD, 40, 50)
        await save(store, BEN, 40, 50)
        await join(store, ANN, ANN_ON_DISCORD)
    await backup(path, saved)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert (await forget(services_of(store), ANN_ON_DISCORD, BEGAN + HOUR)).accounts == 2
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert (await people(store, 10, 20), await people(store, 40, 50)) == (0, 1)
    assert rows(path, "SELECT platform, user_id FROM account") == [("twitch", "ben")]
    assert rows(path, "SELECT * FROM account_link") == []
    assert "ann" not in str(rows(path, "SELECT * FROM link_change"))


async def test_whoever_came_back_after_being_forgotten_and_linked_anew_is_linked_in_backups_too(
    path: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 10, 20)
        await forget(services_of(store), ANN, BEGAN)
        await join(store, ANN, ANN_ON_DISCORD, BEGAN + HOUR)  # with nothing saved since
    await backup(path, saved)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [each.account for each in await linking.others(store, *ANN_ON_DISCORD[:2])] == [ANN]


async def test_whoever_came_back_after_being_forgotten_stays_linked_also_if_it_was_the_other_that_joined(
    path: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 10, 20)
        await forget(services_of(store), ANN, BEGAN)
        await join(store, ANN_ON_DISCORD, ANN, BEGAN + HOUR)
    await backup(path, saved)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [each.account for each in await linking.others(store, *ANN_ON_DISCORD[:2])] == [ANN]


@pytest.mark.parametrize("joins", [ANN, ANN_ON_DISCORD])
async def test_what_a_restore_left_of_a_link_is_in_no_ones_way_when_the_two_link_again(
    path: Path, tmp_path: Path, joins: Author
) -> None:
    saved, stays = tmp_path / "saved.db", ANN if joins is ANN_ON_DISCORD else ANN_ON_DISCORD
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, joins, 10, 20)
        await save(store, stays, 40, 50)
        await join(store, joins, stays, settled=False)
    await backup(path, saved)
    async with open_store(path, defaults=DEFAULTS) as store:
        await forget(services_of(store), stays, BEGAN + HOUR)
        await run(store, lambda transaction: purge(transaction, BEGAN + 5 * WEEK))  # that they were parted is forgotten
    await restore(saved, path, KEYS)
    assert len(rows(path, "SELECT * FROM account_link")) == 1  # of whom the other left
    for by, other in ((joins, stays), (stays, joins)):
        shutil.copy(path, tmp_path / "again.db")
        async with open_store(tmp_path / "again.db", defaults=DEFAULTS) as store:
            await use_cases.join(services_of(store), by, other, BEGAN + 2 * HOUR)
            assert [(each.account, each.settled) for each in await linking.others(store, *by[:2])] == [(other, True)]
            assert await part(store, by)
            assert await store.fetch("SELECT * FROM account_link") == []


CONSOLE = Author("console", "ann", "Ann")


@pytest.mark.parametrize(("leaver", "by"), [(ANN, ANN), (ANN, CONSOLE), (ANN_ON_DISCORD, ANN), (CONSOLE, CONSOLE)])
async def test_AZ_5_of_three_accounts_the_one_that_left_stays_away_in_backups_and_the_others_together(
    path: Path, tmp_path: Path, leaver: Author, by: Author
) -> None:
    saved, three = tmp_path / "saved.db", {ANN, ANN_ON_DISCORD, CONSOLE}
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store, ANN, ANN_ON_DISCORD)
        await join(store, CONSOLE, ANN)
    await backup(path, saved)
    async with open_store(path, defaults=DEFAULTS) as store:
        later = BEGAN + HOUR
        assert await run(store, lambda transaction: linking.part(transaction, leaver, by, later), later)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        for each in three:
            others = {linked.account for linked in await linking.others(store, *each[:2])}
            assert others == (set() if each is leaver else three - {each, leaver})


async def test_of_three_accounts_one_that_left_and_came_back_stays_in_backups(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store, ANN, ANN_ON_DISCORD)
        await join(store, CONSOLE, ANN)
        assert await part(store, CONSOLE, BEGAN + HOUR)
        await join(store, CONSOLE, ANN, BEGAN + 2 * HOUR)
    await backup(path, saved)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert len(await linking.others(store, *CONSOLE[:2])) == 2
