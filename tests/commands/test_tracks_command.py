"""`moments tracks` from outside: lists, answers, merges, undoes; one line for what cannot be done."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from commands.tracks import _line
from providers.links import deep_link
from storage import Store, Transaction, open_store, questions, saves, sources, tracks
from storage.saves import SaveRequest
from storage.sources import Told
from storage.tracks import Source
from tests.chat import DEFAULTS
from tests.enriching import APPLE, DEEZER, NOW, YOUTUBE
from tests.process import moments
from tests.providers.catalogue_server import link
from tests.storage.test_tracks import ANN, BEN

T = TypeVar("T")


def inside(folder: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with open_store(folder / "moments.db", defaults=DEFAULTS) as store:
            return await work(store)

    return asyncio.run(opened())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database in which two recordings are in question, of which one has a title."""

    async def work(store: Store) -> None:
        async def job(transaction: Transaction) -> None:
            pair = []
            for who, url in ((ANN, DEEZER), (BEN, APPLE)):
                thing = link(url)
                named = (thing.provider, thing.media_id, thing.kind)
                await saves.save(transaction, SaveRequest(who, *named, 45, 60, NOW, url=url))
                pair.append(await tracks.open_source(transaction, *named, NOW))
            told = Told("deezer", "3135556", NOW, None, duration_seconds=224)
            await sources.put(transaction, told._replace(title="Harder\x1b[2J Better", by_line="Daft Punk"))
            await questions.ask(transaction, pair[0], pair[1], 80, ("the same title", "lengths 5 s apart"), NOW)

        await store.run(job, message=None, now=NOW)

    inside(tmp_path, work)
    return tmp_path


def people(folder: Path, url: str = DEEZER) -> int:
    async def work(store: Store) -> int:
        thing = link(url)
        track = await tracks.of_source(store, thing.provider, thing.media_id)
        assert track is not None
        found = await store.fetch("SELECT people FROM cell WHERE track_id = ?", track.row_id)
        return sum(row[0] for row in found)

    return inside(folder, work)


def done(folder: Path, *words: str) -> str:
    """What it prints when all is well."""
    ran = moments(folder, "tracks", *words)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def refused(folder: Path, code: int, *words: str) -> str:
    ran: subprocess.CompletedProcess[str] = moments(folder, "tracks", *words)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith("moments: ")
    assert ran.stderr.count("\n") == 1
    return ran.stderr


def test_questions_are_listed_with_titles_links_and_reasons(folder: Path) -> None:
    assert done(folder) == (
        "1. Are these the same? the same title, lengths 5 s apart\n"
        "   Harder[2J Better by Daft Punk (00:03:44) https://www.deezer.com/track/3135556\n"
        f"   A song on Apple Music {page(APPLE)}\n"
        "Answer with moments tracks same N or moments tracks different N.\n"
    )


def page(url: str) -> str:
    return deep_link(link(url))


def test_same_counts_their_people_together_until_it_is_undone(folder: Path) -> None:
    assert people(folder) == 1
    assert done(folder, "same", "1") == "Answered 1: the same. Their people are counted together now.\n"
    assert (people(folder), people(folder, APPLE)) == (2, 2)
    assert done(folder) == "Nothing to decide: no two recordings are in question.\n"
    shown = done(folder, "show", APPLE)
    assert "Merge 1, " in shown
    assert "person, 80 of 100, by operator: the same title, lengths 5 s apart\n" in shown
    assert done(folder, "unmerge", "1") == "Undid merge 1: every count is as if it had never been.\n"
    assert (people(folder), people(folder, APPLE)) == (1, 1)
    assert "unmerge" not in done(folder, "show", APPLE)
    assert "There is no merge 1 that holds" in refused(folder, 1, "unmerge", "1")


def test_different_leaves_them_apart_and_asks_no_more(folder: Path) -> None:
    assert done(folder, "different", "1") == "Answered 1: different. They stay apart.\n"
    assert people(folder) == 1
    assert done(folder).startswith("Nothing to decide")
    assert "There is no open question 1" in refused(folder, 1, "same", "1")


def test_two_links_are_merged_by_the_operators_word(folder: Path) -> None:
    said = done(folder, "merge", DEEZER, APPLE)
    assert said == "Merged. To undo it, type moments tracks unmerge 1.\n"
    assert people(folder) == 2
    assert done(folder, "merge", APPLE, DEEZER) == "They are one already.\n"


def test_the_operator_is_told_when_times_will_be_off(folder: Path) -> None:
    async def work(store: Store) -> None:
        async def job(transaction: Transaction) -> None:
            await sources.put(transaction, Told("apple_music", "697195462", NOW, None, duration_seconds=250))

        await store.run(job, message=None, now=NOW)

    inside(folder, work)
    assert "26 seconds apart" in done(folder, "merge", DEEZER, APPLE)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("same", "7"), 1, "no open question 7"),
        (("unmerge", "7"), 1, "no merge 7"),
        (("hide", "nothing"), 1, "no words to hide"),
        (("show", YOUTUBE), 1, "Nobody has saved a part of that yet"),
        (("show", "https://evil.invalid/x"), 2, "Paste a link"),
        (("merge", DEEZER, "https://on.soundcloud.com/abc"), 2, "Short links are not followed here"),
        (("merge", DEEZER, DEEZER), 2, "two links to one thing"),
        (("same",), 2, "--help"),
        (("same", "one"), 2, "say its number"),
        (("same", "９"), 2, "say its number"),
        (("unmerge", "9" * 40), 2, "say its number"),
        (("merge", DEEZER), 2, "--help"),
        (("dance",), 2, "--help"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    assert sentence in refused(folder, code, *words)
    assert people(folder) == 1


def test_without_a_database_there_is_nothing_to_decide_and_none_is_made(tmp_path: Path) -> None:
    assert "There is no database" in refused(tmp_path, 1)
    assert not list(tmp_path.iterdir())


def test_words_are_hidden_and_shown_again_and_count_all_the_while(folder: Path) -> None:
    async def save(store: Store) -> str:
        thing, who = link(DEEZER), ANN._replace(user_id="rude")
        asked = SaveRequest(who, thing.provider, thing.media_id, thing.kind, 45, 60, NOW, "something rude")
        return (await store.run(lambda transaction: saves.save(transaction, asked), message=None, now=NOW)).id

    async def note(store: Store) -> str:
        shown = await saves.moment(store, moment)
        assert shown is not None
        return shown.note

    moment = inside(folder, save)
    assert (inside(folder, note), people(folder)) == ("something rude", 2)
    assert done(folder, "hide", f"http://localhost:8080/m/{moment}") == "Hidden: nobody but its author reads it now.\n"
    assert (inside(folder, note), people(folder)) == ("", 2)
    assert done(folder, "unhide", moment) == "Shown again.\n"
    assert inside(folder, note) == "something rude"


def test_help_names_every_act() -> None:
    said = moments(Path.cwd(), "tracks", "--help").stdout
    assert all(act in said for act in ("same", "different", "merge", "unmerge", "show", "hide", "unhide"))


def test_a_source_is_named_by_its_service_when_nothing_is_known_of_it() -> None:
    assert _line(None, Source(1, "spotify", "5W3cjX2J3tjhG8zb6u0qHn", "track")).startswith("A song on Spotify https://")
