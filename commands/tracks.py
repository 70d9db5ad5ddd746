"""What the operator decides about recordings: questions no rule may answer, merging, and taking it back."""

from datetime import datetime
from typing import NamedTuple

from commands.shown import Place, service_name
from moments.errors import BadLink, NotFound, UsageError
from moments.matching import NEAR_SECONDS
from moments.timecodes import hms
from moments.wording import counted
from providers.links import Link, deep_link, recognise
from storage import Store, Transaction, hiding, questions, sources, tracks
from storage.questions import Question
from storage.sources import Told
from storage.tracks import Merge, Source, Track

OPERATOR = "operator"
"""Who decides; no account."""
AT_ONCE = 20
"""Questions in one list."""


class Asked(NamedTuple):
    """A question as it is put: its number, what is known of both sides, and why it is one."""

    number: int
    sides: tuple[str, str]
    why: str


async def open_questions(store: Store, now: datetime) -> list[Asked]:
    """What waits for an answer and would change a count, oldest first."""
    found = await questions.unanswered(store, limit=AT_ONCE, only_saved=True)
    return [await _asked(store, question, now) for question in found]


async def answer(store: Store, number: int, *, same: bool, now: datetime) -> str:
    """Answer a question; what that did, in a sentence. Raises NotFound."""

    async def job(transaction: Transaction) -> bool:
        return await questions.answer(transaction, number, same=same, by=OPERATOR, now=now)

    if not await store.run(job, message=None, now=now):
        raise NotFound(f"There is no open question {number}. Type moments tracks for those there are.")
    if same:
        return f"Answered {number}: the same. Their people are counted together now."
    return f"Answered {number}: different. They stay apart."


async def merge(store: Store, one: str, other: str, now: datetime) -> str:
    """Say that two links are the same recording; how to undo that, in a sentence. Raises BadLink, UsageError."""
    links = [_read(text) for text in (one, other)]
    if links[0] == links[1]:
        raise UsageError("Those are two links to one thing: give the links of two.")

    async def job(transaction: Transaction) -> int | None:
        mine, theirs = [
            await tracks.open_source(transaction, link.provider, link.media_id, link.kind, now) for link in links
        ]
        reasons = ("the operator says so",)
        return await tracks.merge(transaction, mine, theirs, "person", 100, reasons, OPERATOR, now)

    number = await store.run(job, message=None, now=now)
    if number is None:
        return "They are one already."
    return f"Merged. To undo it, type moments tracks unmerge {number}.{await _apart(store, links, now)}"


async def unmerge(store: Store, number: int, now: datetime) -> str:
    """Undo a merge, whoever asked for it: no rule makes it again. Raises NotFound."""

    async def job(transaction: Transaction) -> bool:
        return await tracks.unmerge(transaction, number, OPERATOR, now)

    if not await store.run(job, message=None, now=now):
        raise NotFound(f"There is no merge {number} that holds. Type moments tracks show URL for those there are.")
    return f"Undid merge {number}: every count is as if it had never been."


async def show(store: Store, url: str, now: datetime) -> list[str]:
    """Where a recording is, and what holds it together. Raises BadLink, and NotFound for what nobody saved."""
    link = _read(url)
    track = await tracks.of_source(store, link.provider, link.media_id)
    if track is None:
        raise NotFound("Nobody has saved a part of that yet.")
    found = [f"Track {track.id}", *await _sides(store, track, now)]
    return found + [_held(merge) for merge in await tracks.merges(store, track)]


async def set_words(store: Store, moment: str, now: datetime, *, hidden: bool) -> str:
    """Take what somebody said about a moment out of everyone's sight, or show it again; it counts either way.

    `moment` is its page's address, or the end of it. Raises NotFound.
    """
    public_id = moment.strip().rstrip("/").rpartition("/")[2]

    async def job(transaction: Transaction) -> bool:
        if hidden:
            return await hiding.hide_words(transaction, public_id, OPERATOR, "operator")
        return await hiding.show_words(transaction, public_id)

    if not await store.run(job, message=None, now=now):
        raise NotFound(f"That moment has no words to {'hide' if hidden else 'show again'}. Paste its page's address.")
    return "Hidden: nobody but its author reads it now." if hidden else "Shown again."


def _read(text: str) -> Link:
    found = recognise(text.strip())
    if not isinstance(found, Link):
        raise BadLink("Short links are not followed here: open it and paste the address it leads to.")
    return Link(found.provider, found.media_id, found.kind, beside=found.beside)


async def _asked(store: Store, question: Question, now: datetime) -> Asked:
    sides = [await _side_of(store, public_id, now) for public_id in (question.track_id, question.same_as)]
    return Asked(question.id, (sides[0], sides[1]), ", ".join(question.evidence))


async def _side_of(store: Store, public_id: str, now: datetime) -> str:
    track = await tracks.find(store, public_id)
    return (await _sides(store, track, now))[0] if track else public_id


async def _sides(store: Store, track: Track, now: datetime) -> list[str]:
    """A line for each place of a track, those with a title first."""
    there = await tracks.sources(store, track)
    known = await sources.find_all(store, [(each.provider, each.media_id) for each in there], now)
    named = [(known.get((each.provider, each.media_id)), each) for each in there]
    named.sort(key=lambda each: each[0] is None or each[0].title is None)
    return [_line(told, source) for told, source in named]


def _line(told: Told | None, source: Source) -> str:
    link = Link(source.provider, source.media_id, source.kind)  # type: ignore[arg-type]  # the store's own words
    place = Place(link, told)
    name = told.title if told and told.title else place.name
    by = f" by {told.by_line}" if told and told.title and told.by_line else ""
    length = f" ({hms(place.duration_seconds)})" if place.duration_seconds else ""
    return f"{name}{by}{length} {deep_link(link)}"


def _held(merge: Merge) -> str:
    why = f"{merge.method}, {merge.confidence} of 100, by {merge.asked_by}: {', '.join(merge.evidence)}"
    undone = f"; undone {merge.undone_at:%Y-%m-%d}" if merge.undone_at else ""
    return f"Merge {merge.id}, {merge.merged_at:%Y-%m-%d}, {why}{undone}"


async def _apart(store: Store, links: list[Link], now: datetime) -> str:
    """A warning where times of the one do not hold on the other."""
    known = await sources.find_all(store, [(link.provider, link.media_id) for link in links], now)
    lengths = [told.duration_seconds for told in known.values() if told.duration_seconds is not None]
    seconds = max(lengths, default=0) - min(lengths, default=0)
    if seconds <= NEAR_SECONDS:
        return ""
    services = " and ".join(service_name(link.provider) for link in links)
    return f" Mind that they are {counted(seconds, 'second')} apart on {services}: times of one are off on the other."
