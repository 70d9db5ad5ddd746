"""Whatever people do, and in whatever order, counts are what counting everything afresh finds.

`MOMENTS_HISTORIES=2000 pytest tests/storage/test_saves_stateful.py` tries that many histories.
"""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moments.errors import Repeated
from moments.live import Author
from moments.people import Account
from storage import Forgotten, Transaction, hiding, open_store, popularity, saves, sources, tracks
from storage.ledger import erasure_digest
from storage.saves import SaveRequest
from tests.stream import BEGAN, DEFAULTS, KEY

T = TypeVar("T")

ACCOUNTS = [Author("twitch", "ann", "Ann"), Author("discord", "ann", "Ann"), Author("twitch", "ben", "Ben")]
ACCOUNTS.append(Author("twitch", "cat", "Cat"))
SOURCES = [("youtube", "a"), ("deezer", "b"), ("spotify", "c")]
HISTORIES = int(os.environ.get("MOMENTS_HISTORIES", "25"))

account_numbers = st.integers(0, len(ACCOUNTS) - 1)
source_numbers = st.integers(0, len(SOURCES) - 1)
choices = st.integers(0, 10**6)
made_saves = st.tuples(
    account_numbers,
    source_numbers,
    st.integers(0, 14),
    st.integers(1, 14),
    st.sampled_from(["", "", "one", "two"]),
    st.sampled_from([False, False, False, True]),
    st.booleans(),
)
"""(account, source, start, length, note, private, whether a message made it)."""


@dataclass
class Kept:
    """A save that was accepted and not deleted."""

    number: int
    account: int
    source: int
    start: int
    end: int
    note: str
    private: bool
    message: str | None
    id: str = ""
    hidden: bool = False


@dataclass
class Held:
    """A save that counts, with the one whose words it carries."""

    save: Kept
    words: Kept | None


@dataclass
class World:
    """What people did, as plain lists; every answer is found by looking at all of it."""

    saves: list[Kept] = field(default_factory=list)
    people: dict[int, object] = field(default_factory=dict)
    same: dict[int, tuple[int, int]] = field(default_factory=dict)
    duration: dict[int, int] = field(default_factory=dict)

    def person(self, account: int) -> object:
        return self.people.setdefault(account, object())

    def together(self, source: int) -> frozenset[int]:
        reached = {source}
        for _ in SOURCES:
            for pair in self.same.values():
                if reached & set(pair):
                    reached |= set(pair)
        return frozenset(reached)

    def tracks(self) -> set[frozenset[int]]:
        return {self.together(source) for source in range(len(SOURCES))}

    def fold(self, person: object, track: frozenset[int]) -> tuple[list[Held], dict[int, Kept]]:
        """One person's counted saves on one track, and what replaced the others."""
        counted: list[Held] = []
        replaced: dict[int, Kept] = {}
        for save in sorted(self.saves, key=lambda save: save.number):
            if save.source not in track or self.person(save.account) is not person or self.beyond(save):
                continue
            gone = [c for c in counted if abs(c.save.start - save.start) <= 4 and abs(c.save.end - save.end) <= 4]
            words = save if save.note else None
            for held in gone:
                replaced[held.save.number] = save
                if not save.note and held.words is not None:
                    words = held.words  # oldest first: the newest stays
                counted.remove(held)
            counted.append(Held(save, words))
        return counted, replaced

    def beyond(self, save: Kept) -> bool:
        return save.source in self.duration and save.end > self.duration[save.source]

    def counted(self, track: frozenset[int]) -> Iterator[tuple[object, Held]]:
        for person in set(self.people.values()):
            for held in self.fold(person, track)[0]:
                yield person, held

    def saved_by(self, track: frozenset[int], start: int, end: int) -> int:
        near = [
            person
            for person, held in self.counted(track)
            if abs(held.save.start - start) <= 2 and abs(held.save.end - end) <= 2
        ]
        assert len(near) == len(set(near)), "a window holds somebody twice"
        return len(near)

    def heatmap(self, track: frozenset[int]) -> list[int]:
        all_counted = list(self.counted(track))
        last = max((held.save.end for _, held in all_counted), default=0)
        return [
            len({person for person, held in all_counted if held.save.start <= second < held.save.end})
            for second in range(last)
        ]

    def best(self, track: frozenset[int]) -> list[tuple[int, int, int]]:
        exact = Counter((held.save.start, held.save.end) for _, held in self.counted(track))
        ranked = sorted(exact, key=lambda span: (-self.saved_by(track, *span), -exact[span], span))
        parts: list[tuple[int, int, int]] = []
        for start, end in ranked:
            if not any(set(range(start, end)) & set(range(a, b)) for a, b, _ in parts):
                parts.append((start, end, self.saved_by(track, start, end)))
        return parts[:5]

    def words(self, track: frozenset[int], start: int, end: int) -> list[tuple[str, str]]:
        shown = [
            (held.save.number, held.save.id, held.words.note)
            for _, held in self.counted(track)
            if held.words is not None and not (held.save.private or held.words.private or held.words.hidden)
            if abs(held.save.start - start) <= 2 and abs(held.save.end - end) <= 2
        ]
        return [(public_id, note) for _, public_id, note in sorted(shown, reverse=True)]

    def newest(self, save: Kept) -> Kept:
        replaced = self.fold(self.person(save.account), self.together(save.source))[1]
        while save.number in replaced:
            save = replaced[save.number]
        return save

    def delete(self, save: Kept) -> list[Kept]:
        """A save and all it replaced, straight or by way of others."""
        save = self.newest(save)
        gone = [each for each in self.saves if self.newest(each) is save]
        self.saves = [each for each in self.saves if each not in gone]
        return gone


class Histories(RuleBasedStateMachine):
    """Everything people can do to saves."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.number = 0
        self.spent: set[tuple[str, str]] = set()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()

    @initialize()
    def open(self) -> None:
        opening = self.stack.enter_async_context(open_store(self.folder / "moments.db", defaults=DEFAULTS))
        self.store = self.runner.run(opening)

        async def meet(transaction: Transaction) -> list[tracks.Source]:
            return [await tracks.open_source(transaction, *source, "track", BEGAN) for source in SOURCES]

        self.sources = self.run(meet)

    def run(self, job: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.runner.run(self.store.run(job, message=None, now=BEGAN))

    # --- what people do

    @rule(made=st.lists(made_saves, min_size=1, max_size=6))
    def save_some(self, made: list[tuple[int, int, int, int, str, bool, bool]]) -> None:
        for account, source, start, length, note, private, delivered in made:
            self.save(account, source, start, start + length, note, private=private, delivered=delivered)

    @precondition(lambda self: self.world.saves)
    @rule(choice=choices, made=made_saves, earlier=st.integers(-5, 5), later=st.integers(-5, 5))
    def refine(self, choice: int, made: tuple[int, int, int, int, str, bool, bool], earlier: int, later: int) -> None:
        """The same person again, about where they were before, perhaps from another service."""
        before = self.world.saves[-1 - choice % min(4, len(self.world.saves))]
        start = max(0, before.start + earlier)
        _, source, _, _, note, private, delivered = made
        end = max(start + 1, before.end + later)
        self.save(before.account, source, start, end, note, private=private, delivered=delivered)

    def save(
        self, account: int, source: int, start: int, end: int, note: str, *, private: bool, delivered: bool
    ) -> None:
        if end > self.world.duration.get(source, end):
            return
        self.number += 1
        message = f"m{self.number}" if delivered else None
        kept = Kept(self.number, account, source, start, end, note, private, message)
        mine = self.world.fold(self.world.person(account), self.world.together(source))[0]
        self.world.saves.append(kept)
        saved = self.run(lambda transaction: saves.save(transaction, self.request(kept)))
        kept.id = saved.id
        assert saved.people == self.world.saved_by(self.world.together(source), start, end)
        left = [held.save for held in self.world.fold(self.world.person(account), self.world.together(source))[0]]
        gone = [held.save for held in mine if held.save not in left]
        assert saved.replaced == tuple((each.start, each.end) for each in reversed(gone))

    def request(self, kept: Kept) -> SaveRequest:
        at = BEGAN + timedelta(seconds=-kept.number)  # dates say nothing about the order
        return SaveRequest(
            ACCOUNTS[kept.account],
            *SOURCES[kept.source],
            "track",
            kept.start,
            kept.end,
            at,
            kept.note,
            kept.private,
            message_id=kept.message,
        )

    @precondition(lambda self: self.world.saves)
    @rule(choice=choices)
    def redeliver(self, choice: int) -> None:
        kept = self.world.saves[choice % len(self.world.saves)]
        if kept.message:
            saved = self.run(lambda transaction: saves.save(transaction, self.request(kept)))
            track = self.world.together(kept.source)
            assert (saved.id, saved.people) == (kept.id, self.world.saved_by(track, kept.start, kept.end))

    @precondition(lambda self: self.spent)
    @rule(choice=choices)
    def redeliver_spent(self, choice: int) -> None:
        platform, message = sorted(self.spent)[choice % len(self.spent)]
        author = next(author for author in ACCOUNTS if author.platform == platform)
        request = SaveRequest(author, *SOURCES[0], "track", 1, 2, BEGAN, message_id=message)
        with pytest.raises(Repeated):
            self.run(lambda transaction: saves.save(transaction, request))

    @precondition(lambda self: self.world.saves)
    @rule(choice=choices)
    def delete(self, choice: int) -> None:
        kept = self.world.saves[choice % len(self.world.saves)]
        gone = self.world.delete(kept)
        self.spend(gone)
        author = ACCOUNTS[kept.account]
        assert self.run(lambda transaction: saves.delete(transaction, author, kept.id, BEGAN))

    def spend(self, gone: list[Kept]) -> None:
        self.spent |= {(ACCOUNTS[each.account].platform, each.message) for each in gone if each.message}

    @rule(account=account_numbers, to=account_numbers)
    def link(self, account: int, to: int) -> None:
        self.world.people[account] = self.world.person(to)

        async def job(transaction: Transaction) -> Account:
            mover, target = [await transaction.account(ACCOUNTS[number]) for number in (account, to)]
            return await transaction.move_account(mover, target.person_id)

        self.run(job)

    @rule(account=account_numbers)
    def unlink(self, account: int) -> None:
        self.world.people[account] = object()

        async def job(transaction: Transaction) -> Account:
            return await transaction.move_account(await transaction.account(ACCOUNTS[account]), None)

        self.run(job)

    @rule(one=source_numbers, other=source_numbers)
    def merge(self, one: int, other: int) -> None:
        new = self.world.together(one) != self.world.together(other)
        merged = self.run(
            lambda transaction: tracks.merge(
                transaction, self.sources[one], self.sources[other], "person", 100, ["said so"], "test", BEGAN
            )
        )
        assert (merged is not None) == new
        if merged is not None:
            self.world.same[merged] = (one, other)

    @precondition(lambda self: self.world.same)
    @rule(choice=choices)
    def unmerge(self, choice: int) -> None:
        merge_id = sorted(self.world.same)[choice % len(self.world.same)]
        del self.world.same[merge_id]
        assert self.run(lambda transaction: tracks.unmerge(transaction, merge_id, "test", BEGAN))

    @rule(account=account_numbers)
    def forget(self, account: int) -> None:
        known = account in self.world.people
        person = self.world.people.get(account)
        accounts = [each for each, who in self.world.people.items() if who is person] if known else []
        gone = [each for each in self.world.saves if each.account in accounts]
        self.spend(gone)
        self.world.saves = [each for each in self.world.saves if each not in gone]
        for each in accounts:
            del self.world.people[each]

        async def job(transaction: Transaction) -> Forgotten:
            return await transaction.forget(ACCOUNTS[account], lambda *who: erasure_digest(KEY, *who), BEGAN)

        assert self.run(job) == (0, len(accounts), len(gone))

    @rule(source=source_numbers, seconds=st.integers(8, 40))
    def learn_duration(self, source: int, seconds: int) -> None:
        self.world.duration[source] = seconds
        told = sources.Told(*SOURCES[source], BEGAN, None, duration_seconds=seconds)
        self.run(lambda transaction: sources.put(transaction, told))

    @precondition(lambda self: self.world.saves)
    @rule(choice=choices, hide=st.booleans())
    def moderate(self, choice: int, hide: bool) -> None:
        kept = self.world.newest(self.world.saves[choice % len(self.world.saves)])
        held = self.world.fold(self.world.person(kept.account), self.world.together(kept.source))[0]
        words = next((each.words for each in held if each.save is kept), None)
        changes = words is not None and words.hidden != hide
        if words is not None:
            words.hidden = hide

        def job(transaction: Transaction) -> Awaitable[bool]:
            if hide:
                return hiding.hide_words(transaction, kept.id, "twitch:mod", "rude")
            return hiding.show_words(transaction, kept.id)

        assert self.run(job) == changes

    # --- what must hold

    @invariant()
    def the_counters_are_right(self) -> None:
        if not hasattr(self, "store"):
            return
        self.runner.run(self.check())

    async def check(self) -> None:
        for track in self.world.tracks():
            found = await tracks.of_source(self.store, *SOURCES[min(track)])
            assert found is not None
            exact = Counter((held.save.start, held.save.end) for _, held in self.world.counted(track))
            cells = await self.store.fetch(
                "SELECT start_seconds, end_seconds, people FROM cell WHERE track_id = ?", found.row_id
            )
            assert {(start, end): people for start, end, people in cells} == exact
            assert await popularity.heat(self.store, found, None) == self.world.heatmap(track)
            assert [tuple(part) for part in await popularity.best(self.store, found)] == self.world.best(track)
            spans = [*sorted(exact)[:2], (self.number % 20, self.number % 20 + 7)]
            for source in track:
                await self.check_windows(track, found, SOURCES[source], spans)
        roots = {(await tracks.of_source(self.store, *source)).row_id for source in SOURCES}  # type: ignore[union-attr]
        for table in ("cell", "edge"):
            counted_on = await self.store.fetch(f"SELECT DISTINCT track_id FROM {table}")  # noqa: S608 -- one of two
            assert {row[0] for row in counted_on} <= roots
        await self.check_rows()

    async def check_windows(
        self, track: frozenset[int], found: tracks.Track, source: tuple[str, str], spans: list[tuple[int, int]]
    ) -> None:
        for start, end in spans:
            for shift in (0, 1, -2):
                asked = (start + shift, end - shift)
                by = await popularity.saved_by(self.store, *source, *asked)
                assert by is not None
                assert (by.track.id, by.people) == (found.id, self.world.saved_by(track, *asked))
            words = await popularity.newest_words(self.store, found, start, end)
            assert [(each.id, each.note) for each in words] == self.world.words(track, start, end)[:10]

    async def check_rows(self) -> None:
        for kept in self.world.saves[-4:]:
            moment = await saves.moment(self.store, kept.id)
            newest = self.world.newest(kept)
            assert moment is not None
            assert (moment.id, moment.beyond) == (newest.id, self.world.beyond(newest))
        for number, account in enumerate(ACCOUNTS):
            mine = [
                kept
                for kept in self.world.saves
                if number in self.world.people
                and self.world.people.get(kept.account) is self.world.people[number]
                and self.world.newest(kept) is kept
            ]
            listed = await saves.own(self.store, *account[:2])
            assert [each.id for each in listed] == [kept.id for kept in reversed(mine)]

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)


Histories.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestHistories = pytest.mark.timeout(3600)(Histories.TestCase)
