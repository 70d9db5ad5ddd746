"""Saved moments: what is answered, what is counted, and whose words are shown to whom."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from moments.errors import Refusal, Repeated
from moments.live import Author
from moments.saves import LONGEST
from storage import Store, Transaction, hiding, open_store, popularity, saves, sources, tracks
from storage.backup import backup
from storage.ledger import NOBODY, erasure_digest
from storage.restore import restore
from storage.saves import Saved, SaveRequest
from tests.databases import rows
from tests.stream import BEGAN, DEFAULTS, KEY, KEYS, Stream

ANN, BEN, CAT = (Author("twitch", name.lower(), name) for name in ("Ann", "Ben", "Cat"))
SONG = ("youtube", "abc")


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as opened:
        yield opened


async def save(
    store: Store,
    who: Author,
    start: int,
    end: int,
    note: str = "",
    *,
    song: tuple[str, str] = SONG,
    private: bool = False,
    message: str | None = None,
    at: float = 0,
) -> Saved:
    """Save a part of a song."""
    now = BEGAN + timedelta(seconds=at)
    request = SaveRequest(who, *song, "video", start, end, now, note, private, "twitch:geralt", "http://x", message)
    return await store.run(lambda transaction: saves.save(transaction, request), message=None, now=now)


async def people(store: Store, start: int, end: int, song: tuple[str, str] = SONG) -> int:
    by = await popularity.saved_by(store, *song, start, end)
    return by.people if by else 0


async def said(store: Store, start: int, end: int) -> list[str]:
    by = await popularity.saved_by(store, *SONG, start, end)
    assert by is not None
    return [words.note for words in await popularity.newest_words(store, by.track, start, end)]


async def forget(store: Store, who: Author) -> None:
    async def job(transaction: Transaction) -> None:
        await transaction.forget(who, lambda *each: erasure_digest(KEY, *each), BEGAN)

    await store.run(job, message=None, now=BEGAN)


async def learn(store: Store, seconds: int, song: tuple[str, str] = SONG) -> int:
    told = sources.Told(*song, BEGAN, None, duration_seconds=seconds)
    return await store.run(lambda transaction: sources.put(transaction, told), message=None, now=BEGAN)


async def test_people_who_save_about_the_same_part_are_counted(store: Store) -> None:
    assert (await save(store, ANN, 45, 60)).people == 1
    assert (await save(store, BEN, 47, 58)).people == 2
    assert (await save(store, CAT, 48, 60)).people == 2  # 3 s from Ann's, 1 and 2 from Ben's
    assert [await people(store, 45, 60), await people(store, 46, 60), await people(store, 100, 120)] == [2, 3, 0]
    assert await popularity.saved_by(store, "youtube", "never saved", 45, 60) is None


async def test_a_save_says_which_of_ones_own_it_moved(store: Store) -> None:
    await save(store, ANN, 44, 59)
    await save(store, ANN, 50, 65)
    saved = await save(store, ANN, 47, 62)
    assert (saved.people, saved.replaced) == (1, ((50, 65), (44, 59)))
    assert (await save(store, ANN, 100, 120)).replaced == ()


async def test_the_same_message_twice_is_the_same_save(store: Store) -> None:
    first = await save(store, ANN, 45, 60, message="m1")
    assert await save(store, ANN, 45, 60, message="m1") == first
    assert await save(store, ANN, 0, 9, message="m1") == first
    assert (await save(store, BEN._replace(platform="discord"), 45, 60, message="m1")).people == 2
    assert [row.id for row in await saves.own(store, *ANN[:2])] == [first.id]


async def test_a_deleted_save_takes_with_it_what_it_replaced_and_its_messages_do_nothing_any_more(
    store: Store,
) -> None:
    first = await save(store, ANN, 44, 59, message="m1")
    second = await save(store, ANN, 47, 62, message="m2")

    async def job(transaction: Transaction) -> list[bool]:
        return [await saves.delete(transaction, who, second.id, BEGAN) for who in (BEN, ANN, ANN)]

    assert await store.run(job, message=None, now=BEGAN) == [False, True, False]
    assert await people(store, 45, 60) == 0
    assert await saves.moment(store, first.id) is None
    for message in ("m1", "m2"):
        with pytest.raises(Repeated):
            await save(store, ANN, 44, 59, message=message)
    assert await saves.saves_of(store, *ANN[:2]) == 0


async def test_links_of_replaced_saves_mean_the_newest(store: Store) -> None:
    first = await save(store, ANN, 44, 59, "the drop")
    await save(store, ANN, 46, 60)
    third = await save(store, ANN, 47, 61)
    moment = await saves.moment(store, first.id)
    assert moment is not None
    assert (moment.id, moment.start_seconds, moment.end_seconds, moment.note) == (third.id, 47, 61, "the drop")
    assert (moment.provider, moment.media_id, moment.beyond) == (*SONG, False)
    assert moment.track == third.track
    assert await saves.moment(store, "nothing") is None


async def test_names_of_moments_cannot_be_guessed(store: Store) -> None:
    made = [await save(store, ANN, at, at + 10) for at in (0, 20, 40)]
    assert len({saved.id for saved in made}) == 3
    assert all(len(saved.id) == 22 and saved.id.isalnum() for saved in made)


async def test_every_change_gives_the_track_a_new_version(store: Store) -> None:
    seen = [(await save(store, ANN, 44, 59)).track.version]
    seen.append((await save(store, BEN, 44, 59)).track.version)
    await learn(store, 300)
    await forget(store, ANN)
    by = await popularity.saved_by(store, *SONG, 44, 59)
    assert by is not None
    seen.append(by.track.version)
    assert sorted(set(seen)) == seen


# --- words


async def test_words_typed_in_private_stay_with_their_author_and_the_save_counts(store: Store) -> None:
    await save(store, ANN, 44, 59, "for me alone", private=True)
    await save(store, BEN, 44, 59, "for all")
    assert await people(store, 44, 59) == 2
    assert await said(store, 44, 59) == ["for all"]
    (own,) = await saves.own(store, *ANN[:2])
    assert (own.note, own.private) == ("for me alone", True)
    moment = await saves.moment(store, own.id)
    assert moment is not None
    assert moment.note == ""
    # Kept by a save typed in public, they are private all the same; and public words kept by a private save are too.
    refined = await save(store, ANN, 45, 60)
    assert await said(store, 45, 60) == ["for all"]
    await save(store, BEN, 45, 60, private=True)
    assert await said(store, 45, 60) == []
    assert (await saves.own(store, *ANN[:2]))[0][1:7] == (refined.id, *SONG, 45, 60, "for me alone")


async def test_newest_words_come_in_pages_from_every_range_that_agrees(store: Store) -> None:
    for number, (start, end) in enumerate([(44, 59), (45, 60), (46, 61), (44, 59), (60, 90)]):
        await save(store, Author("twitch", f"u{number}", "U"), start, end, f"note {number}")
    by = await popularity.saved_by(store, *SONG, 45, 60)
    assert by is not None
    first = await popularity.newest_words(store, by.track, 45, 60, limit=3)
    assert [words.note for words in first] == ["note 3", "note 2", "note 1"]
    rest = await popularity.newest_words(store, by.track, 45, 60, before=first[-1].row_id)
    assert [words.note for words in rest] == ["note 0"]


async def test_hidden_words_are_shown_to_nobody_until_they_are_restored(store: Store) -> None:
    first = await save(store, ANN, 44, 59, "rude", message="m1")
    await save(store, ANN, 45, 60)  # keeps them
    version = first.track.version

    async def hide(transaction: Transaction) -> list[bool]:
        return [await hiding.hide_words(transaction, first.id, "twitch:mod", "rude") for _ in range(2)]

    async def show(transaction: Transaction) -> list[bool]:
        return [await hiding.show_words(transaction, first.id) for _ in range(2)]

    async def delete_message(transaction: Transaction) -> list[bool]:
        messages = [("twitch", "m1"), ("twitch", "m1"), ("discord", "m1")]
        return [await hiding.hide_words_of(transaction, message, "twitch:mod", "deleted") for message in messages]

    assert await store.run(hide, message=None, now=BEGAN) == [True, False]
    assert (await people(store, 45, 60), await said(store, 45, 60)) == (1, [])
    (own,) = await saves.own(store, *ANN[:2])
    assert (own.note, own.hidden) == ("rude", True)
    assert await store.run(show, message=None, now=BEGAN) == [True, False]
    assert await said(store, 45, 60) == ["rude"]
    assert await store.run(delete_message, message=None, now=BEGAN) == [True, False, False]
    assert await said(store, 45, 60) == []
    by = await popularity.saved_by(store, *SONG, 45, 60)
    assert by is not None
    assert by.track.version > version + 2


async def test_ones_own_list_comes_in_pages(store: Store) -> None:
    made = [(await save(store, ANN, at, at + 10)).id for at in range(0, 100, 20)]
    await save(store, BEN, 0, 10)
    first = await saves.own(store, *ANN[:2], limit=3)
    rest = await saves.own(store, *ANN[:2], before=first[-1].row_id)
    assert [row.id for row in (*first, *rest)] == made[::-1]
    assert rest[-1].url == "http://x"
    assert await saves.own(store, "twitch", "stranger") == []


# --- beyond the end


async def test_beyond_the_end_is_refused_when_the_length_is_known(store: Store) -> None:
    await learn(store, 60)
    await save(store, ANN, 45, 60)
    with pytest.raises(Refusal, match=r"beyond the end: it lasts 00:01:00\."):
        await save(store, ANN, 45, 61)
    with pytest.raises(Refusal, match="first 168 hours"):
        await save(store, ANN, 45, LONGEST + 1, song=("youtube", "other"))
    assert await saves.saves_of(store, *ANN[:2]) == 1


async def test_beyond_the_end_found_out_later_is_kept_and_marked_and_not_counted(store: Store) -> None:
    before = await save(store, ANN, 42, 58, "good")
    beyond = await save(store, ANN, 45, 62, "bad")
    assert await learn(store, 60) == 1
    assert [await people(store, 45, 62), await people(store, 42, 58)] == [0, 1]  # it replaces nothing either
    assert await said(store, 42, 58) == ["good"]
    assert {row.id: row.beyond for row in await saves.own(store, *ANN[:2])} == {before.id: False, beyond.id: True}
    moment = await saves.moment(store, beyond.id)
    assert moment is not None
    assert moment.beyond
    assert await learn(store, 62) == 1  # the service was wrong
    assert [await people(store, 45, 62), await people(store, 42, 58)] == [1, 0]


# --- people


async def test_PRIV_4_who_is_forgotten_is_counted_no_more_at_once_and_after_a_restore(
    path: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 45, 60, "mine", message="m1", at=-60)
        await save(store, BEN, 45, 60, "his")
        await backup(path, saved)
        await forget(store, ANN)
        assert (await people(store, 45, 60), await saves.saves_of(store, *ANN[:2])) == (1, 0)
        with pytest.raises(Repeated):
            await save(store, ANN, 45, 60, message="m1")
        await forget(store, BEN)
        await save(store, CAT, 45, 60)
        by = await popularity.saved_by(store, *SONG, 45, 60)
    assert (await restore(saved, path, KEYS)).forgotten_again == 2
    assert rows(path, "SELECT (SELECT count(*) FROM save) + (SELECT count(*) FROM cell) FROM edge") == []
    async with open_store(path, defaults=DEFAULTS) as store:
        back = await popularity.saved_by(store, *SONG, 45, 60)
        assert by is not None
        assert back is not None
        assert (back.people, back.track.version > by.track.version) == (0, True)
        with pytest.raises(Repeated):
            await save(store, ANN, 45, 60, message="m1")
        assert (await save(store, ANN, 45, 60)).people == 1


async def test_what_was_hidden_or_gone_since_the_backup_stays_so_after_a_restore(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        rude = await save(store, ANN, 44, 59, "rude")
        await save(store, ANN, 45, 60)  # keeps the words
        told = sources.Told(*SONG, BEGAN, BEGAN + timedelta(days=7), title="private since")
        await store.run(lambda transaction: sources.put(transaction, told), message=None, now=BEGAN)
        await backup(path, saved)

        async def later(transaction: Transaction) -> None:
            await hiding.hide_words(transaction, rude.id, "twitch:mod", "rude")
            await sources.put(transaction, sources.Told(*SONG, BEGAN, None, sources.State.PRIVATE))

        await store.run(later, message=None, now=BEGAN)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert (await people(store, 45, 60), await said(store, 45, 60)) == (1, [])
        assert await sources.find(store, *SONG, BEGAN) is None


async def test_PRIV_4_who_came_back_keeps_and_counts_what_is_newer(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        await save(store, ANN, 45, 60, "old", at=-60)
        await save(store, ANN, 47, 62, at=60)  # replaces it
        await backup(path, saved)
        await forget(store, ANN)
    await restore(saved, path, KEYS)
    assert rows(path, "SELECT start_seconds, note, words_id, shown FROM save") == [(47, "", None, 0)]
    assert rows(path, "SELECT start_seconds, people FROM cell") == [(47, 1)]


async def test_PRIV_4_a_forgotten_moderator_is_named_in_no_save(store: Store, path: Path) -> None:
    await save(store, ANN, 45, 60, "rude", message="m1")

    async def job(transaction: Transaction) -> None:
        await hiding.hide_words_of(transaction, ("twitch", "m1"), "twitch:ben", "rude")
        one, other = [await tracks.open_source(transaction, "deezer", media, "track", BEGAN) for media in "12"]
        merge = await tracks.merge(transaction, one, other, "person", 100, (), "twitch:ben", BEGAN)
        assert merge is not None
        await tracks.unmerge(transaction, merge, "twitch:ben", BEGAN)

    await store.run(job, message=None, now=BEGAN)
    await forget(store, BEN)
    assert await store.fetch("SELECT hidden_by FROM save") == [(NOBODY,)]
    assert await store.fetch("SELECT asked_by, undone_by FROM track_merge") == [(NOBODY, NOBODY)]
    assert await said(store, 45, 60) == []


async def test_linked_accounts_are_one_person_and_unlinked_ones_two_again(store: Store) -> None:
    stream = Stream(store, platform="twitch")
    session = await stream.start()
    await stream.mark("ann", 1)
    await stream.mark("ben", 2)
    await save(store, ANN, 45, 60)
    await save(store, BEN, 47, 62)
    revision = await store.revision(session)

    async def link(transaction: Transaction) -> None:
        ann, ben = [await transaction.account(who) for who in (ANN, BEN)]
        await transaction.move_account(ben, ann.person_id)

    async def unlink(transaction: Transaction) -> None:
        await transaction.move_account(await transaction.account(BEN), None)

    await store.run(link, message=None, now=BEGAN)
    assert (await people(store, 46, 61), await store.totals(session)) == (1, (2, 1))
    assert [row.start_seconds for row in await saves.own(store, *ANN[:2])] == [47]
    assert await store.revision(session) > revision
    assert (await stream.mark("cat", 3)).people == 2
    await store.run(unlink, message=None, now=BEGAN)
    assert (await people(store, 46, 61), await store.totals(session)) == (2, (3, 3))
    assert await store.fetch("SELECT count(*) FROM person") == [(3,)]


async def test_a_name_that_changed_is_stored_and_a_stranger_gets_an_account(store: Store) -> None:
    await save(store, ANN, 45, 60)
    await save(store, ANN._replace(display_name="Anna"), 0, 10)
    await save(store, BEN, 45, 60)
    assert await store.fetch("SELECT display_name FROM account ORDER BY id") == [("Anna",), ("Ben",)]
    assert (await Stream(store, platform="twitch").start()).channel.id == 1
    assert (await Stream(store, platform="twitch").mark("ben", 5)).people == 1
    assert await store.fetch("SELECT count(*) FROM person") == [(2,)]
